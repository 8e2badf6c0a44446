package master

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// dialects are the two ways in which Scala writes what Spark sends.
func dialects(t *testing.T) map[string]*releases.Table {
	t.Helper()
	out := map[string]*releases.Table{}
	for _, table := range releases.Tables() {
		if name := table.Name(); strings.HasSuffix(name, "/2.12") || strings.HasPrefix(name, "4.") {
			out[name[strings.Index(name, "/")+1:]] = table // the newest of each
		}
	}
	if len(out) != 2 {
		t.Fatalf("dialects %v", out)
	}
	return out
}

// received is a message with the connection that it came on.
type received struct {
	from *rpcenv.Peer
	msg  messages.Message
}

// sparkSide is a process of Spark: a driver (endpoint AppClient) or a JVM worker (Worker).
type sparkSide struct {
	t     *testing.T
	env   *rpcenv.Env
	table *releases.Table
	name  string
	addr  wire.Address
	inbox chan received
	links []*rpcenv.Peer
}

var _ rpcenv.Endpoint = (*sparkSide)(nil)

// newSparkSide starts one that listens. announce, where it is not zero, is what it says its address is.
func newSparkSide(t *testing.T, table *releases.Table, name string, announce wire.Address) *sparkSide {
	t.Helper()
	return newSparkSideOf(t, table, table.Newest().ProbeSUID, name, announce)
}

// newSparkSideOf starts one of the release whose ProbeClass has the number.
func newSparkSideOf(t *testing.T, table *releases.Table, probe int64, name string, announce wire.Address) *sparkSide {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sparkSide{t: t, table: table, name: name, inbox: make(chan received, 1000)}
	s.addr = cmp.Or(announce, wire.Address{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port})
	s.env = rpcenv.New(rpcenv.Config{Address: s.addr, Endpoints: map[string]rpcenv.Endpoint{name: s}, ProbeSUID: probe, Logger: quiet()})
	s.env.Serve(ln)
	t.Cleanup(s.vanish)
	return s
}

func (s *sparkSide) Receive(p *rpcenv.Peer, m messages.Message) { s.inbox <- received{p, m} }

func (s *sparkSide) ReceiveAndReply(*rpcenv.Peer, messages.Message) (messages.Message, error) {
	return nil, errors.New("masters ask nothing of it")
}

// vanish is the end of the process.
func (s *sparkSide) vanish() {
	if err := s.env.Close(); err != nil {
		s.t.Error(err)
	}
	for _, p := range s.links {
		p.Close()
	}
}

// dial opens a connection to a master, as Spark's processes do.
func (s *sparkSide) dial(m *Master) *rpcenv.Peer {
	s.t.Helper()
	p, err := s.env.Dial(s.t.Context(), wireAddress(m.cfg.Spark.Host, m.sparkPort), rpcenv.Dialect{Table: s.table})
	if err != nil {
		s.t.Fatal(err)
	}
	s.links = append(s.links, p)
	if !askOn(s.t, p, rpcenv.Verifier, &messages.CheckExistence{Name: "Master"}) {
		s.t.Fatal("there is no Master")
	}
	return p
}

func (s *sparkSide) ref() messages.Ref {
	return messages.Ref{Name: s.name, Host: s.addr.Host, Port: s.addr.Port}
}

func sendOn(t *testing.T, p *rpcenv.Peer, m messages.Message) {
	t.Helper()
	if err := p.Send("Master", m); err != nil {
		t.Fatal(err)
	}
}

// askOn asks something that is answered with a Boolean.
func askOn(t *testing.T, p *rpcenv.Peer, endpoint string, m messages.Message) bool {
	t.Helper()
	b, ok := askAny(t, p, endpoint, m).(*messages.Boolean)
	if !ok {
		t.Fatalf("%s was not answered with a Boolean", m.ClassName())
	}
	return b.Value
}

func askAny(t *testing.T, p *rpcenv.Peer, endpoint string, m messages.Message) messages.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	reply, err := p.Ask(ctx, endpoint, m)
	if err != nil {
		t.Fatalf("ask %s: %v", m.ClassName(), err)
	}
	return reply
}

// next takes the next message, which must be a T.
func next[T messages.Message](s *sparkSide) (T, *rpcenv.Peer) {
	s.t.Helper()
	var zero T
	select {
	case r := <-s.inbox:
		m, ok := r.msg.(T)
		if !ok {
			s.t.Fatalf("got %T %+v, want %T", r.msg, r.msg, zero)
		}
		return m, r.from
	case <-time.After(patience):
		s.t.Fatalf("no %T came", zero)
	}
	return zero, nil
}

// until takes messages up to a T and gives that.
func until[T messages.Message](s *sparkSide) (T, *rpcenv.Peer) {
	s.t.Helper()
	var zero T
	late := time.After(patience)
	for {
		select {
		case r := <-s.inbox:
			if m, ok := r.msg.(T); ok {
				return m, r.from
			}
		case <-late:
			s.t.Fatalf("no %T came", zero)
		}
	}
}

// nothing demands that no message has come.
func (s *sparkSide) nothing() {
	s.t.Helper()
	select {
	case r := <-s.inbox:
		s.t.Errorf("got %T %+v, want nothing", r.msg, r.msg)
	default:
	}
}

func profileOf(id, cores, memoryMB int) messages.ResourceProfile {
	return messages.ResourceProfile{ID: id, Executor: map[string]messages.ExecutorResourceRequest{
		messages.ResourceCores: {Amount: int64(cores)}, messages.ResourceMemory: {Amount: int64(memoryMB)},
	}, Task: map[string]float64{"cpus": 1}}
}

// application is a driver's registration, for executors with one core.
func (s *sparkSide) application(name string, executors int) *messages.RegisterApplication {
	return &messages.RegisterApplication{Driver: s.ref(), App: &messages.ApplicationDescription{
		Name: name, User: "tester", AppUIURL: "http://127.0.0.1:4040", InitialExecutorLimit: &executors,
		Command:        messages.Command{MainClass: "org.apache.spark.executor.CoarseGrainedExecutorBackend"},
		DefaultProfile: profileOf(0, 1, 256),
	}}
}

func (s *sparkSide) worker(id string, m *Master) *messages.RegisterWorker {
	return &messages.RegisterWorker{
		ID: id, Host: s.addr.Host, Port: s.addr.Port, Worker: s.ref(), Cores: 4, MemoryMB: 4096, WebUIURL: "http://127.0.0.1:8081",
		MasterAddress: messages.Address{Host: m.cfg.Spark.Host, Port: m.sparkPort},
	}
}

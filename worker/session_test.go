package worker

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firesteel/firesteel/internal/lease"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// leaderSide is a master that does with sessions what a test says. The status that serve returns ends the session.
type leaderSide struct {
	clusterpb.UnimplementedWorkersServer
	serve func(s *served) error
	addr  string
	stop  func()
}

// served is one session at the master.
type served struct {
	stream grpc.BidiStreamingServer[clusterpb.WorkerMessage, clusterpb.MasterMessage]
	hello  *clusterpb.Hello
}

func startLeader(t *testing.T, serve func(s *served) error) *leaderSide {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &leaderSide{serve: serve, addr: ln.Addr().String()}
	server := grpc.NewServer()
	clusterpb.RegisterWorkersServer(server, l)
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = server.Serve(ln)
	}()
	l.stop = sync.OnceFunc(func() {
		server.Stop()
		<-over
	})
	t.Cleanup(l.stop)
	return l
}

func (l *leaderSide) Session(stream grpc.BidiStreamingServer[clusterpb.WorkerMessage, clusterpb.MasterMessage]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	return l.serve(&served{stream: stream, hello: first.GetHello()})
}

func (s *served) send(term uint64, m *clusterpb.MasterMessage) {
	m.Term = term
	_ = s.stream.Send(m)
}

func (s *served) welcome(term uint64) {
	s.send(term, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_Welcome{Welcome: &clusterpb.Welcome{LeaderId: "m1", MasterUrl: "spark://m1:7077", HeartbeatMs: 20}}})
}

func (s *served) launch(term uint64, app string, id int32) {
	s.send(term, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_LaunchExecutor{LaunchExecutor: &clusterpb.LaunchExecutor{AppId: app, ExecutorId: id}}})
}

func (s *served) ack(term uint64, r *clusterpb.ExecutorReport) {
	s.send(term, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_ExecutorAck{ExecutorAck: &clusterpb.ExecutorAck{AppId: r.GetAppId(), ExecutorId: r.GetExecutorId(), State: r.GetState()}}})
}

// next takes the worker's next message that is no heartbeat.
func (s *served) next() (*clusterpb.WorkerMessage, error) {
	for {
		m, err := s.stream.Recv()
		if err != nil || m.GetHeartbeat() == nil {
			return m, err
		}
	}
}

// obeyed writes down what a session makes its worker do.
type obeyed struct {
	mu   sync.Mutex
	did  []string
	some chan struct{}
}

var _ commands = (*obeyed)(nil)

func (o *obeyed) note(s string) {
	o.mu.Lock()
	o.did = append(o.did, s)
	o.mu.Unlock()
	o.some <- struct{}{}
}

func (o *obeyed) hello() *clusterpb.Hello                { return &clusterpb.Hello{Id: "w1"} }
func (o *obeyed) launch(l *clusterpb.LaunchExecutor)     { o.note("launch " + l.GetAppId()) }
func (o *obeyed) kill(k *clusterpb.KillExecutor)         { o.note("kill " + k.GetAppId()) }
func (o *obeyed) applicationFinished(appID string)       { o.note("finished " + appID) }
func (o *obeyed) acknowledged(a *clusterpb.ExecutorAck)  { o.note("ack " + a.GetAppId()) }
func (o *obeyed) decommission()                          { o.note("decommission") }
func (o *obeyed) recommission()                          { o.note("recommission") }
func (o *obeyed) launchDriver(l *clusterpb.LaunchDriver) { o.note("launch " + l.GetRunId()) }
func (o *obeyed) killDriver(runID string)                { o.note("kill " + runID) }
func (o *obeyed) driverAcknowledged(runID string)        { o.note("ack " + runID) }

func (o *obeyed) all() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.did, ", ")
}

func newSession() (*session, *obeyed) {
	o := &obeyed{some: make(chan struct{}, 100)}
	return &session{log: quiet(), do: o, fence: &fence{}, outbox: newOutbox(), lease: lease.New(time.Minute, nil)}, o
}

func ignoreWelcome(*clusterpb.Welcome, uint64) {}

func TestSessionObeysItsLeader(t *testing.T) {
	t.Parallel()
	beats := make(chan struct{})
	l := startLeader(t, func(s *served) error {
		if s.hello.GetId() != "w1" {
			return status.Error(codes.InvalidArgument, "no hello")
		}
		s.welcome(3)
		s.launch(3, "a", 1)
		s.send(3, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_KillExecutor{KillExecutor: &clusterpb.KillExecutor{AppId: "b"}}})
		s.send(3, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_ApplicationFinished{ApplicationFinished: &clusterpb.ApplicationFinished{AppId: "c"}}})
		s.send(3, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_Decommission{Decommission: &clusterpb.DecommissionWorker{}}})
		s.send(3, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_Recommission{Recommission: &clusterpb.RecommissionWorker{}}})
		s.send(3, &clusterpb.MasterMessage{}) // of a newer release
		s.ack(3, &clusterpb.ExecutorReport{AppId: "d"})
		s.send(3, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_LaunchDriver{LaunchDriver: &clusterpb.LaunchDriver{RunId: "e"}}})
		s.send(3, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_KillDriver{KillDriver: &clusterpb.KillDriver{RunId: "f"}}})
		s.send(3, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_DriverAck{DriverAck: &clusterpb.DriverAck{RunId: "g"}}})
		for n := uint64(1); n <= 3; n++ {
			if m, err := s.stream.Recv(); err != nil || m.GetHeartbeat().GetSequence() != n {
				return status.Errorf(codes.Internal, "got %v, %v, want heartbeat %d", m, err, n)
			}
		}
		close(beats)
		return status.Error(codes.Aborted, "enough")
	})
	s, did := newSession()
	var term uint64
	err := s.run(t.Context(), l.addr, func(w *clusterpb.Welcome, at uint64) {
		term = at
		if w.GetLeaderId() != "m1" {
			t.Errorf("%v", w)
		}
	})
	if status.Code(err) != codes.Aborted || !strings.Contains(err.Error(), l.addr) {
		t.Errorf("it ended by %v", err)
	}
	if want := "launch a, kill b, finished c, decommission, recommission, ack d, launch e, kill f, ack g"; did.all() != want || term != 3 || s.fence.seen() != 3 {
		t.Errorf("did %s in term %d", did.all(), term)
	}
	<-beats
}

func TestStaleLeaderIsNotObeyed(t *testing.T) {
	t.Parallel()
	s, did := newSession()
	l := startLeader(t, func(x *served) error {
		x.welcome(5)
		x.launch(5, "mine", 1)
		select {
		case <-did.some:
		case <-x.stream.Context().Done(): // the second time nothing is obeyed
			return nil
		}
		s.fence.admit(7) // the worker has obeyed the next leader meanwhile
		x.launch(5, "stale", 2)
		x.launch(8, "behind it", 3)
		<-x.stream.Context().Done()
		return nil
	})
	if err := s.run(t.Context(), l.addr, ignoreWelcome); !errors.Is(err, errStaleLeader) {
		t.Errorf("it ended by %v", err)
	}
	if did.all() != "launch mine" {
		t.Errorf("did %s", did.all())
	}
	if err := s.run(t.Context(), l.addr, func(*clusterpb.Welcome, uint64) { t.Error("welcomed by a stale leader") }); !errors.Is(err, errStaleLeader) {
		t.Errorf("a welcome of an old term: %v", err)
	}
}

func TestWhyASessionIsNotOpened(t *testing.T) {
	t.Parallel()
	hint := &rpc.NotLeaderError{LeaderID: "m2", LeaderRPC: "m2:7078", Term: 4}
	for _, tt := range []struct {
		name    string
		answer  error
		refused bool
		leader  string
	}{
		{"not the leader", hint.GRPCStatus().Err(), false, "m2:7078"},
		{"nobody leads", (&rpc.NotLeaderError{}).GRPCStatus().Err(), false, ""},
		{"id taken", status.Error(codes.AlreadyExists, "worker id w1 is held"), true, ""},
		{"offers nothing", status.Error(codes.InvalidArgument, "no cores"), true, ""},
		{"the term ended", status.Error(codes.Unavailable, "not now"), false, ""},
		{"ended without a word", nil, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := startLeader(t, func(*served) error { return tt.answer })
			s, _ := newSession()
			err := s.run(t.Context(), l.addr, func(*clusterpb.Welcome, uint64) { t.Error("welcomed") })
			if err == nil || errors.Is(err, ErrRefused) != tt.refused {
				t.Errorf("%v", err)
			}
			if tt.answer != nil && !strings.Contains(err.Error(), status.Convert(tt.answer).Message()) {
				t.Errorf("%v does not tell %v", err, tt.answer)
			}
			n, ok := rpc.NotLeader(err)
			if tt.leader != "" && (!ok || n.LeaderRPC != tt.leader) {
				t.Errorf("the hint is lost: %v", err)
			}
		})
	}
}

func TestSessionWithNobody(t *testing.T) {
	t.Parallel()
	s, _ := newSession()
	if err := s.run(t.Context(), closedPort(t), ignoreWelcome); err == nil || errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	l := startLeader(t, func(s *served) error { // says nothing
		<-s.stream.Context().Done()
		return nil
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the worker is stopping")
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	if err := s.run(ctx, l.addr, ignoreWelcome); !errors.Is(err, why) {
		t.Errorf("it ended by %v", err)
	}
}

// What waits when a session begins is in its Hello already, and what is reported from then on is sent in order.
func TestReportsOfASession(t *testing.T) {
	t.Parallel()
	report := func(app string, id int32) *clusterpb.WorkerMessage {
		return &clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Executor{Executor: &clusterpb.ExecutorReport{AppId: app, ExecutorId: id}}}
	}
	const many = 5000
	l := startLeader(t, func(s *served) error {
		s.welcome(1)
		for i := range int32(many) {
			m, err := s.next()
			if err != nil || m.GetExecutor().GetAppId() != "new" || m.GetExecutor().GetExecutorId() != i {
				return status.Errorf(codes.Internal, "report %d: %v %v", i, m, err)
			}
		}
		return status.Error(codes.Aborted, "all came")
	})
	s, _ := newSession()
	for i := range int32(many) {
		s.outbox.put(report("old", i))
	}
	err := s.run(t.Context(), l.addr, func(*clusterpb.Welcome, uint64) {
		for i := range int32(many) {
			s.outbox.put(report("new", i))
		}
	})
	if status.Code(err) != codes.Aborted {
		t.Error(err)
	}
}

func TestFence(t *testing.T) {
	t.Parallel()
	var f fence
	for _, step := range []struct {
		term uint64
		ok   bool
		seen uint64
	}{{3, true, 3}, {3, true, 3}, {2, false, 3}, {5, true, 5}, {0, false, 5}} {
		if got := f.admit(step.term); got != step.ok || f.seen() != step.seen {
			t.Errorf("term %d: %v, seen %d", step.term, got, f.seen())
		}
	}
}

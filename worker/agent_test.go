package worker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/internal/lease"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// cluster is what GET /v1/cluster tells of a set of fake masters.
type cluster struct {
	mu      sync.Mutex
	leaders []string // gRPC addresses; the first leads
	asked   atomic.Int32
	addr    string
}

func startCluster(t *testing.T, masters ...string) *cluster {
	c := &cluster{leaders: masters}
	c.addr = clusterAt(t, func(w http.ResponseWriter, _ *http.Request) {
		c.asked.Add(1)
		c.mu.Lock()
		defer c.mu.Unlock()
		view := map[string]any{"clusterId": "c", "gossipKey": true} // the worker has none, and stays out of gossip
		var list []map[string]any
		for i, addr := range c.leaders {
			list = append(list, map[string]any{"id": fmt.Sprint("m", i), "rpc": addr, "leader": i == 0})
		}
		view["masters"] = list
		_ = json.NewEncoder(w).Encode(view)
	})
	return c
}

func (c *cluster) is(masters ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaders = masters
}

// agentOf is a worker whose executors run a script, and which looks for its leader in a fake cluster.
func agentOf(t *testing.T, script string, c *cluster) *Worker {
	t.Helper()
	w := &Worker{
		log: quiet(), id: "w1", incarnation: rand.Text(), outbox: newOutbox(), failed: make(chan error, 1), homes: &Homes{}, port: 4000,
		cfg: Config{Masters: []string{c.addr}, Spark: config.Worker{Host: "127.0.0.1", Cores: 4, MemoryMiB: 1024}},
	}
	f := newFixture(t, script, func(cfg *ExecutorsConfig) { cfg.OnReport = w.report })
	w.executors = f.Executors
	w.drivers = newDrivers(t, script, func(cfg *DriversConfig) { cfg.OnReport = w.driverReport }).Drivers
	w.session = &session{log: quiet(), do: (*agent)(w), fence: &w.fence, outbox: w.outbox, lease: lease.New(time.Minute, nil)}
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	w.close = sync.OnceValue(w.closeAll)
	w.wg.Go(w.follow)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// events are what fake masters saw, in order.
type seen chan string

func (s seen) want(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-s:
		if got != want {
			t.Fatalf("saw %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("%q did not happen", want)
	}
}

func listOf(h *clusterpb.Hello) string {
	var out []string
	for _, e := range h.GetExecutors() {
		s := fmt.Sprintf("%d %s", e.GetExecutorId(), strings.TrimPrefix(e.GetState().String(), "EXECUTOR_STATE_"))
		if e.ExitStatus != nil {
			s += fmt.Sprintf(" (%d)", e.GetExitStatus())
		}
		out = append(out, s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func TestWorkerFollowsTheHint(t *testing.T) {
	t.Parallel()
	s := make(seen, 100)
	lead := startLeader(t, func(x *served) error {
		x.welcome(1)
		s <- "session"
		<-x.stream.Context().Done()
		return nil
	})
	standby := startLeader(t, func(*served) error {
		s <- "asked a follower"
		return (&rpc.NotLeaderError{LeaderID: "m9", LeaderRPC: lead.addr}).GRPCStatus().Err()
	})
	w := agentOf(t, "exit 0", startCluster(t, standby.addr)) // the leader is not even listed
	s.want(t, "asked a follower")
	s.want(t, "session")
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// The end of an executor which the leader did not live to acknowledge is in the next list, until one does.
func TestEndIsReportedUntilItIsAcknowledged(t *testing.T) {
	t.Parallel()
	s := make(seen, 100)
	var reported *clusterpb.ExecutorReport
	dies := startLeader(t, func(x *served) error {
		s <- "list " + listOf(x.hello)
		x.welcome(1)
		for range 2 {
			m, err := x.next()
			if err != nil {
				return err
			}
			reported = m.GetExecutor()
			s <- reported.GetState().String()
		}
		return status.Error(codes.Unavailable, "dead before it was committed")
	})
	c := startCluster(t, dies.addr)
	w := agentOf(t, "exit 3", c)
	s.want(t, "list []")
	next := startLeader(t, func(x *served) error {
		if term := x.hello.GetSeenTerm(); term != 1 && len(x.hello.GetExecutors()) > 0 {
			s <- fmt.Sprintf("it has seen term %d", term)
		}
		s <- "list " + listOf(x.hello)
		x.welcome(2)
		for _, e := range x.hello.GetExecutors() {
			x.ack(2, e)
		}
		x.launch(2, "nothing that could run", 7)
		m, err := x.next()
		if err != nil {
			return err
		}
		s <- "launch " + m.GetExecutor().GetState().String() + " " + fmt.Sprint(m.GetExecutor().GetMessage() != "")
		return status.Error(codes.Unavailable, "again")
	})
	c.is(next.addr)
	w.executors.Start(spec(t, 0))
	s.want(t, "EXECUTOR_STATE_RUNNING")
	s.want(t, "EXECUTOR_STATE_EXITED")
	s.want(t, "list [0 EXITED (3)]")
	s.want(t, "launch EXECUTOR_STATE_FAILED true")
	s.want(t, "list []")
}

func TestAckOfRunningKeepsTheEnd(t *testing.T) {
	t.Parallel()
	w := agentOf(t, "exit 0", startCluster(t))
	w.executors.Start(spec(t, 0))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.executors.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	a := (*agent)(w)
	a.acknowledged(&clusterpb.ExecutorAck{AppId: "app-1", State: clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING}) // comes late
	if got := listOf(a.hello()); got != "[0 EXITED (0)]" {
		t.Errorf("the list is %s", got)
	}
	a.acknowledged(&clusterpb.ExecutorAck{AppId: "app-1", State: clusterpb.ExecutorState_EXECUTOR_STATE_EXITED})
	if got := listOf(a.hello()); got != "[]" {
		t.Errorf("the list is %s", got)
	}
}

func TestRefusedWorkerGivesUpUnlessItRunsSomething(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	s := make(seen, 100)
	lead := startLeader(t, func(x *served) error {
		if refuse.Load() {
			s <- "refused"
			return status.Error(codes.AlreadyExists, "worker id w1 is held by a live worker")
		}
		x.welcome(1)
		s <- "session"
		_, err := x.next()
		return err
	})
	w := agentOf(t, "exec sleep 1000", startCluster(t, lead.addr))
	s.want(t, "session")
	refuse.Store(true)
	w.executors.Start(spec(t, 0)) // its report ends the session
	s.want(t, "refused")
	s.want(t, "refused")
	select {
	case err := <-w.Done():
		t.Fatalf("it gave up what runs: %v", err)
	default:
	}
	w.executors.Kill("app-1", 0, "test")
	select {
	case err := <-w.Done():
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "worker id w1 is held") {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it goes on")
	}
	for { // whoever serves waits for no reader of s
		select {
		case <-s:
			continue
		default:
		}
		break
	}
}

func TestCloseSaysGoodbyeLast(t *testing.T) {
	t.Parallel()
	s := make(seen, 100)
	lead := startLeader(t, func(x *served) error {
		x.welcome(1)
		s <- "session"
		for {
			m, err := x.next()
			switch {
			case err != nil:
				return err
			case m.GetGoodbye() != nil:
				s <- "goodbye"
				return status.Error(codes.Aborted, "bye")
			}
			s <- m.GetExecutor().GetState().String()
		}
	})
	c := startCluster(t, lead.addr)
	w := agentOf(t, "exec sleep 1000", c)
	s.want(t, "session")
	w.executors.Start(spec(t, 0))
	s.want(t, "EXECUTOR_STATE_RUNNING")
	began := time.Now()
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Close took %s", took)
	}
	s.want(t, "EXECUTOR_STATE_KILLED")
	s.want(t, "goodbye")
	if len(s) != 0 {
		t.Errorf("after its goodbye: %s", <-s)
	}
}

// A leader that does not react to a goodbye must not hold Close up.
func TestCloseDoesNotWaitForADeafLeader(t *testing.T) {
	t.Parallel()
	s := make(seen, 100)
	lead := startLeader(t, func(x *served) error {
		x.welcome(1)
		if _, err := x.stream.Recv(); err != nil { // a heartbeat: the worker has its welcome
			return err
		}
		s <- "session"
		<-x.stream.Context().Done()
		return nil
	})
	w := agentOf(t, "exit 0", startCluster(t, lead.addr))
	s.want(t, "session")
	began := time.Now()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < goodbyeTime || took > 10*goodbyeTime {
		t.Errorf("Close took %s", took)
	}
}

// Masters come and go while the worker looks for one: it never gives up, and finds the one that comes.
func TestWorkerOutlastsAllMasters(t *testing.T) {
	t.Parallel()
	s := make(seen, 100)
	first := startLeader(t, func(x *served) error {
		x.welcome(1)
		s <- "first"
		<-x.stream.Context().Done()
		return nil
	})
	c := startCluster(t, first.addr)
	w := agentOf(t, "exec sleep 1000", c)
	s.want(t, "first")
	w.executors.Start(spec(t, 0))
	first.stop()
	before := c.asked.Load()
	deadline := time.Now().Add(patience)
	for c.asked.Load() < before+3 && time.Now().Before(deadline) { // three rounds in vain
		time.Sleep(time.Millisecond)
	}
	if n := len(w.executors.Running()); n != 1 {
		t.Errorf("%d executors run", n)
	}
	if st := w.Status(); st.MasterURL != "" {
		t.Errorf("its page names %s", st.MasterURL)
	}
	second := startLeader(t, func(x *served) error {
		x.welcome(2)
		s <- "second " + listOf(x.hello)
		<-x.stream.Context().Done()
		return nil
	})
	c.is(first.addr, second.addr)
	s.want(t, "second [0 RUNNING]")
}

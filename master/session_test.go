package master

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// goWorker is a Go worker's session as its agent sees it. side is its Spark port.
type goWorker struct {
	t      *testing.T
	side   *sparkSide
	stream grpc.BidiStreamingClient[clusterpb.WorkerMessage, clusterpb.MasterMessage]
	inbox  chan *clusterpb.MasterMessage
	err    error // of the stream; set before inbox is closed
	hangUp context.CancelFunc
}

func newestTable() *releases.Table {
	tables := releases.Tables()
	return tables[len(tables)-1]
}

func workerSide(t *testing.T) *sparkSide {
	return newSparkSide(t, newestTable(), workerEndpoint, wire.Address{})
}

func helloOf(side *sparkSide, id string) *clusterpb.Hello {
	return &clusterpb.Hello{
		Id: id, Incarnation: "life-1", Host: side.addr.Host, Port: int32(side.addr.Port), Cores: 4, MemoryMb: 4096, WebUiUrl: "http://127.0.0.1:8081",
		Homes: []*clusterpb.SparkHome{{Version: side.table.Newest().Version, Build: releases.Label(side.table.Build(), side.table.Newest().Version)}},
	}
}

// session opens one with a master and says Hello.
func session(t *testing.T, m *Master, side *sparkSide, hello *clusterpb.Hello) *goWorker {
	t.Helper()
	conn, err := rpc.NewConn(m.node.Addr())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &goWorker{t: t, side: side, inbox: make(chan *clusterpb.MasterMessage, 1000), hangUp: cancel}
	if w.stream, err = clusterpb.NewWorkersClient(conn).Session(ctx); err != nil {
		t.Fatal(err)
	}
	w.send(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Hello{Hello: hello}})
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer close(w.inbox)
		for {
			msg, err := w.stream.Recv()
			if err != nil {
				w.err = err
				return
			}
			w.inbox <- msg
		}
	}()
	t.Cleanup(func() {
		cancel()
		conn.Close()
		<-over
	})
	return w
}

func (w *goWorker) send(m *clusterpb.WorkerMessage) {
	w.t.Helper()
	if err := w.stream.Send(m); err != nil {
		w.t.Fatal(err)
	}
}

func (w *goWorker) report(r *clusterpb.ExecutorReport) {
	w.t.Helper()
	w.send(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Executor{Executor: r}})
}

func (w *goWorker) next() *clusterpb.MasterMessage {
	w.t.Helper()
	select {
	case m, ok := <-w.inbox:
		if !ok {
			w.t.Fatalf("the session ended: %v", w.err)
		}
		return m
	case <-time.After(patience):
		w.t.Fatal("nothing came")
	}
	return nil
}

// ended waits for the end of the session, and tells why.
func (w *goWorker) ended() error {
	w.t.Helper()
	late := time.After(patience)
	for {
		select {
		case _, ok := <-w.inbox:
			if !ok {
				return w.err
			}
		case <-late:
			w.t.Fatal("the session goes on")
		}
	}
}

// welcome takes the first message.
func (w *goWorker) welcome() *clusterpb.MasterMessage {
	w.t.Helper()
	m := w.next()
	if m.GetWelcome() == nil {
		w.t.Fatalf("got %v, want Welcome", m)
	}
	return m
}

func attached(m *Master, id string) func(*fsm.State) bool {
	return func(*fsm.State) bool {
		d := m.duties.Load()
		if d == nil {
			return false
		}
		_, ok := d.dispatch.attachedLine(id)
		return ok
	}
}

// startJob registers an application that wants executors.
func startJob(t *testing.T, m *Master, executors int) (driver *sparkSide, d *rpcenv.Peer, appID string) {
	t.Helper()
	driver = newSparkSide(t, newestTable(), appClient, wire.Address{})
	d = driver.dial(m)
	sendOn(t, d, driver.application("job", executors))
	reg, _ := next[*messages.RegisteredApplication](driver)
	return driver, d, reg.AppID
}

func TestGoWorkerSession(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	w := session(t, m, workerSide(t), &clusterpb.Hello{})
	if got := status.Code(w.ended()); got != codes.InvalidArgument {
		t.Errorf("an empty Hello: %v", w.err)
	}
	side := workerSide(t)
	w = session(t, m, side, helloOf(side, "w1"))
	first := w.welcome()
	if v := first.GetWelcome(); v.GetLeaderId() != "m1" || v.GetMasterUrl() != m.URL() || v.GetMasterWebUiUrl() != m.WebURL() || v.GetHeartbeatMs() == 0 || first.GetTerm() != m.node.Term() {
		t.Errorf("%v", first)
	}
	driver, d, app := startJob(t, m, 2)
	for i := range int32(2) {
		msg := w.next()
		l := msg.GetLaunchExecutor()
		if l.GetAppId() != app || l.GetExecutorId() != i || l.GetCores() != 1 || l.GetMemoryMb() != 256 || msg.GetTerm() != first.GetTerm() || len(l.GetApplicationDescription()) == 0 {
			t.Errorf("%v", msg)
		}
		next[*messages.ExecutorAdded](driver)
	}
	w.report(&clusterpb.ExecutorReport{AppId: app, ExecutorId: 0, State: clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING})
	if a := w.next().GetExecutorAck(); a.GetExecutorId() != 0 || a.GetState() != clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING {
		t.Errorf("%v", a)
	}
	next[*messages.ExecutorUpdated](driver)
	// A report of what nobody knows is acknowledged too, or it would come for ever.
	w.report(&clusterpb.ExecutorReport{AppId: "app-unknown", ExecutorId: 3, State: clusterpb.ExecutorState_EXECUTOR_STATE_FAILED})
	if a := w.next().GetExecutorAck(); a.GetAppId() != "app-unknown" {
		t.Errorf("%v", a)
	}
	askOn(t, d, "Master", &messages.KillExecutors{AppID: app, ExecutorIDs: []string{"1"}})
	if k := w.next().GetKillExecutor(); k.GetAppId() != app || k.GetExecutorId() != 1 {
		t.Errorf("%v", k)
	}
	sendOn(t, d, &messages.UnregisterApplication{AppID: app})
	// Whatever came in the place of 1 goes as well; the end of the application is the last word about it.
	for {
		msg := w.next()
		if f := msg.GetApplicationFinished(); f != nil {
			if f.GetAppId() != app {
				t.Errorf("%v", f)
			}
			break
		}
		if msg.GetKillExecutor() == nil && msg.GetLaunchExecutor() == nil {
			t.Errorf("%v", msg)
		}
	}
	w.send(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Goodbye{Goodbye: &clusterpb.Goodbye{Reason: "test"}}})
	if got := status.Code(w.ended()); got != codes.Aborted {
		t.Errorf("after a goodbye: %v", w.err)
	}
	if x, _ := m.fsm.State().Worker("w1"); x.State != fsm.WorkerDead || !strings.Contains(x.Reason, "worker stopped: test") {
		t.Errorf("%s: %s", x.State, x.Reason)
	}
}

// A session that breaks is opened again with the list of what runs, and only the difference is sent.
func TestGoWorkerComesBackWithItsList(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	side := workerSide(t)
	hello := helloOf(side, "w1")
	w := session(t, m, side, hello)
	w.welcome()
	driver, _, app := startJob(t, m, 3)
	for range 3 {
		w.next()
		next[*messages.ExecutorAdded](driver)
	}
	w.report(&clusterpb.ExecutorReport{AppId: app, ExecutorId: 0, State: clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING})
	w.next()
	next[*messages.ExecutorUpdated](driver)
	w.hangUp()

	code := int32(52)
	hello.Executors = []*clusterpb.ExecutorReport{
		{AppId: app, ExecutorId: 0, State: clusterpb.ExecutorState_EXECUTOR_STATE_EXITED, ExitStatus: &code, Message: "Command exited with code 52"},
		{AppId: app, ExecutorId: 1, State: clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING},
		{AppId: app, ExecutorId: 8, State: clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING},
	}
	hello.Applications = []string{app, "app-over"}
	w = session(t, m, side, hello)
	w.welcome()
	// 0 is acknowledged and replaced by 3, 1 runs, 2 never arrived, 8 is nobody's.
	var acked, launched, killed, finished int
	for acked+launched+killed+finished < 5 {
		msg := w.next()
		switch {
		case msg.GetExecutorAck().GetState() == clusterpb.ExecutorState_EXECUTOR_STATE_EXITED && msg.GetExecutorAck().GetExecutorId() == 0:
			acked++
		case msg.GetLaunchExecutor().GetExecutorId() == 2 || msg.GetLaunchExecutor().GetExecutorId() == 3:
			launched++
		case msg.GetKillExecutor().GetExecutorId() == 8:
			killed++
		case msg.GetApplicationFinished().GetAppId() == "app-over":
			finished++
		default:
			t.Fatalf("%v", msg)
		}
	}
	if acked != 1 || launched != 2 || killed != 1 || finished != 1 {
		t.Errorf("acked %d, launched %d, killed %d, finished %d", acked, launched, killed, finished)
	}
	u := make(map[int]messages.ExecutorState)
	for range 2 {
		x, _ := next2[*messages.ExecutorUpdated, *messages.ExecutorAdded](driver)
		u[x.ID] = x.State
	}
	if u[0] != messages.ExecutorExited || u[1] != messages.ExecutorRunning {
		t.Errorf("the driver heard %v", u)
	}
}

// next2 takes the next T, passing over Us.
func next2[T, U messages.Message](s *sparkSide) (T, *rpcenv.Peer) {
	s.t.Helper()
	for {
		select {
		case r := <-s.inbox:
			if m, ok := r.msg.(T); ok {
				return m, r.from
			}
			if _, ok := r.msg.(U); !ok {
				s.t.Fatalf("got %T", r.msg)
			}
		case <-time.After(patience):
			s.t.Fatal("nothing came")
		}
	}
}

func TestGoWorkerThatStartsAnewReplacesItself(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	first, second := workerSide(t), workerSide(t)
	old := session(t, m, first, helloOf(first, "w1"))
	old.welcome()
	eventually(t, m, "attached", attached(m, "w1"))
	first.vanish() // its session is still open: the leader has not noticed yet
	again := helloOf(second, "w1")
	again.Incarnation = "life-2"
	w := session(t, m, second, again)
	w.welcome()
	if got := status.Code(old.ended()); got != codes.Aborted {
		t.Errorf("the old session: %v", old.err)
	}
	_, _, app := startJob(t, m, 1)
	if l := w.next().GetLaunchExecutor(); l.GetAppId() != app {
		t.Errorf("the new session is not used: %v", l)
	}
}

func TestIDAndAddressOfALiveWorkerAreRefused(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	side, other := workerSide(t), workerSide(t)
	w := session(t, m, side, helloOf(side, "w1"))
	w.welcome()
	eventually(t, m, "attached", attached(m, "w1"))
	sameID := helloOf(other, "w1")
	sameID.Incarnation = "another process"
	sameAddress := helloOf(side, "w2")
	for name, hello := range map[string]*clusterpb.Hello{"id": sameID, "address": sameAddress} {
		if err := session(t, m, other, hello).ended(); status.Code(err) != codes.AlreadyExists || !strings.Contains(err.Error(), "w1") {
			t.Errorf("the same %s: %v", name, err)
		}
	}
	// An address whose holder has gone is free, whatever the books say.
	w.hangUp()
	eventually(t, m, "the old line ends", func(s *fsm.State) bool { return !attached(m, "w1")(s) })
	session(t, m, side, sameAddress).welcome()
	if x, ok := m.fsm.State().Worker("w1"); ok && x.State != fsm.WorkerDead {
		t.Errorf("w1 is %s", x.State)
	}
}

// A host that loses its power leaves its session open until TCP notices; the worker that comes in its place must not wait.
func TestAddressOfASilentWorkerIsFree(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	live := m.duties.Load().live
	live.mu.Lock()
	live.ask = func(ctx context.Context, _ *fsm.Worker) error { <-ctx.Done(); return ctx.Err() }
	live.mu.Unlock()
	side := workerSide(t)
	session(t, m, side, helloOf(side, "w1")).welcome()
	eventually(t, m, "attached", attached(m, "w1"))
	live.mu.Lock()
	live.ward("w1").heard = time.Now().Add(-silentAfter)
	live.mu.Unlock()
	session(t, m, side, helloOf(side, "w2")).welcome()
}

func TestDecommissionedGoWorker(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	side := workerSide(t)
	hello := helloOf(side, "w1")
	hello.Decommissioned = true // by a leader that is gone
	w := session(t, m, side, hello)
	w.welcome()
	if w.next().GetDecommission() == nil {
		t.Error("it is not told")
	}
	if x, _ := m.fsm.State().Worker("w1"); x.State != fsm.WorkerDecommissioned {
		t.Errorf("it is %s", x.State)
	}
	second := workerSide(t)
	w2 := session(t, m, second, helloOf(second, "w2"))
	w2.welcome()
	w2.send(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Decommissioning{Decommissioning: &clusterpb.Decommissioning{}}})
	if w2.next().GetDecommission() == nil {
		t.Error("it is not told")
	}
	if x, _ := m.fsm.State().Worker("w2"); x.State != fsm.WorkerDecommissioned {
		t.Errorf("it is %s", x.State)
	}
}

func TestGoWorkerWhoseProcessIsGoneIsLostAtOnce(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	side := workerSide(t)
	w := session(t, m, side, helloOf(side, "w1"))
	w.welcome()
	eventually(t, m, "attached", attached(m, "w1"))
	began := time.Now()
	side.vanish()
	w.hangUp()
	eventually(t, m, "it is lost", func(s *fsm.State) bool { x, _ := s.Worker("w1"); return x.State == fsm.WorkerDead })
	if took := time.Since(began); took > silentAfter/2 {
		t.Errorf("it took %s", took)
	}
}

func TestWorkerThatObeyedAHigherTermIsNotServed(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	side := workerSide(t)
	hello := helloOf(side, "w1")
	hello.SeenTerm = m.node.Term() + 1
	err := session(t, m, side, hello).ended()
	if _, hint := rpc.NotLeader(err); hint || status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "is over") {
		t.Error(err)
	}
	if m.fsm.State().WorkerCount() != 0 {
		t.Error("it was registered")
	}
}

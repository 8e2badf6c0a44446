package master

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/wire"
)

// moveLead gives leadership to another master and waits for its duties.
func moveLead(t *testing.T, masters []*Master) *Master {
	t.Helper()
	old := leader(t, masters)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for term := uint64(0); ; {
		l := leader(t, masters)
		if l != old {
			return l
		}
		if now := l.node.Term(); now != term { // the first time, and where a busy machine let it be elected again
			term = now
			if err := l.node.TransferLeadership(ctx); err != nil {
				t.Logf("asked once more: %v", err)
				term = 0
			}
		}
		if !delay.For(ctx, time.Millisecond) {
			t.Fatal("leadership did not move")
		}
	}
}

// endOf waits until a master knows that an application has ended, and gives its final record.
func endOf(t *testing.T, m *Master, appID string) (final *fsm.App) {
	t.Helper()
	eventually(t, m, "the application ends", func(s *fsm.State) bool {
		for c := range s.CompletedApps() {
			if c.App.ID == appID {
				final = c.App
			}
		}
		return final != nil
	})
	return final
}

func agree(t *testing.T, masters []*Master, what string, ok func(s *fsm.State) bool) {
	t.Helper()
	for _, m := range masters {
		eventually(t, m, what, ok)
	}
}

// A driver registers with every master at once while leadership moves: one application comes of it, and it has its id.
func TestRegistrationWhileLeadershipMoves(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	for round := range 4 {
		driver := newSparkSide(t, newestTable(), appClient, wire.Address{})
		for _, m := range masters {
			sendOn(t, driver.dial(m), driver.application("job", 0))
		}
		moveLead(t, masters)
		reg, _ := until[*messages.RegisteredApplication](driver)
		agree(t, masters, "one application", func(s *fsm.State) bool {
			a, ok := s.AppOfDriver(driver.addr.Host, driver.addr.Port)
			return ok && a.ID == reg.AppID && s.AppCount() == 1
		})
		l := moveLead(t, masters)
		changed, from := until[*messages.MasterChanged](driver)
		for changed.Master.Address().Port != l.sparkPort {
			changed, from = until[*messages.MasterChanged](driver)
		}
		if !askOn(t, from, "Master", &messages.KillExecutors{AppID: reg.AppID}) {
			t.Error("the new leader does not know the application")
		}
		sendOn(t, from, &messages.UnregisterApplication{AppID: reg.AppID})
		if a := endOf(t, l, reg.AppID); a.State != fsm.AppFinished {
			t.Errorf("round %d: %s %s", round, a.State, a.Message)
		}
		driver.vanish()
	}
}

func TestFollowerTakesARegistrationAndTheLeaderAnswers(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	f := follower(t, masters)
	driver := newSparkSide(t, newestTable(), appClient, wire.Address{})
	d := driver.dial(f)
	sendOn(t, d, driver.application("job", 0))
	reg, from := next[*messages.RegisteredApplication](driver)
	if from == d || from.Dialled() || reg.Master.Address().Port != leader(t, masters).sparkPort {
		t.Errorf("answered over the follower's connection, or for another master: %+v", reg)
	}
	if !askOn(t, d, "Master", &messages.RequestExecutors{AppID: reg.AppID, Totals: []messages.ProfileTotal{{Profile: profileOf(0, 1, 256), Total: 1}}}) {
		t.Error("a follower answers false")
	}
	sendOn(t, d, &messages.UnregisterApplication{AppID: reg.AppID}) // and is gone
	driver.vanish()
	if a := endOf(t, f, reg.AppID); a.State != fsm.AppFinished && !strings.Contains(a.Message, "gone without unregistering") {
		t.Errorf("%s: %s", a.State, a.Message)
	}
}

// A driver that the leader cannot dial is spoken to through the master that it is connected to.
func TestRelayToADriverThatCannotBeDialled(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	nobody := wire.Address{Host: "127.0.0.1", Port: freePorts(t, 1)[0]} // refuses
	f := follower(t, masters)
	driver := newSparkSide(t, newestTable(), appClient, nobody)
	d := driver.dial(f)
	sendOn(t, d, driver.application("job", 1))
	reg, from := next[*messages.RegisteredApplication](driver)
	if from != d {
		t.Error("not over the driver's own connection")
	}
	worker := workerSide(t)
	w := session(t, leader(t, masters), worker, helloOf(worker, "w1"))
	w.welcome()
	next[*messages.ExecutorAdded](driver)
	if l := w.next().GetLaunchExecutor(); l.GetAppId() != reg.AppID {
		t.Errorf("%v", l)
	}
	if !askOn(t, d, "Master", &messages.KillExecutors{AppID: reg.AppID, ExecutorIDs: []string{"0"}}) {
		t.Error("answered false")
	}
	// When the connection ends, that master says so, and nothing is left of the driver.
	driver.vanish()
	if a := endOf(t, f, reg.AppID); a.State != fsm.AppFailed || !strings.Contains(a.Message, "gone without unregistering") {
		t.Errorf("%s: %s", a.State, a.Message)
	}
}

// The farewell of a driver that is relayed comes in by the follower, and is its last word there.
func TestRelayedDriverThatUnregistersIsFinished(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	f := follower(t, masters)
	driver := newSparkSide(t, newestTable(), appClient, wire.Address{Host: "127.0.0.1", Port: freePorts(t, 1)[0]})
	d := driver.dial(f)
	sendOn(t, d, driver.application("job", 0))
	reg, _ := next[*messages.RegisteredApplication](driver)
	sendOn(t, d, &messages.UnregisterApplication{AppID: reg.AppID})
	driver.vanish()
	if a := endOf(t, f, reg.AppID); a.State != fsm.AppFinished {
		t.Errorf("%s: %s", a.State, a.Message)
	}
}

// A JVM worker and a Go worker through two changes of the leader: nothing that runs is touched, nothing is started twice.
func TestWorkersThroughFailovers(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	jvm := workerSide(t)
	for _, m := range masters {
		sendOn(t, jvm.dial(m), jvm.worker("jvm-1", m))
	}
	_, line := next[*messages.RegisteredWorker](jvm)
	sendOn(t, line, &messages.WorkerLatestState{ID: "jvm-1"})
	eventually(t, leader(t, masters), "attached", func(s *fsm.State) bool { return attached(leader(t, masters), "jvm-1")(s) })
	driver := newSparkSide(t, newestTable(), appClient, wire.Address{})
	for _, m := range masters {
		sendOn(t, driver.dial(m), driver.application("job", 2))
	}
	reg, _ := until[*messages.RegisteredApplication](driver)
	launched := map[int]int{}
	for range 2 {
		l, _ := until[*messages.LaunchExecutor](jvm)
		launched[l.ExecID]++
		askOn(t, line, "Master", &messages.ExecutorStateChanged{AppID: reg.AppID, ExecID: l.ExecID, State: messages.ExecutorRunning})
	}
	for range 2 {
		l := moveLead(t, masters)
		for {
			c, from := until[*messages.MasterChanged](jvm)
			if c.Master.Address().Port != l.sparkPort {
				continue
			}
			sendOn(t, from, &messages.WorkerSchedulerStateResponse{ID: "jvm-1", Executors: []messages.WorkerExecutorState{
				{Executor: messages.ExecutorDescription{AppID: reg.AppID, ExecID: 0, State: messages.ExecutorRunning}},
				{Executor: messages.ExecutorDescription{AppID: reg.AppID, ExecID: 1, State: messages.ExecutorRunning}},
			}})
			line = from
			break
		}
		eventually(t, l, "attached", attached(l, "jvm-1"))
		// An ask takes its place behind the list.
		if !askOn(t, line, "Master", &messages.RequestExecutors{AppID: reg.AppID, Totals: []messages.ProfileTotal{{Profile: profileOf(0, 1, 256), Total: 2}}}) {
			t.Error("answered false")
		}
	}
	jvm.nothing()
	if launched[0] != 1 || launched[1] != 1 {
		t.Errorf("launched %v", launched)
	}
	a, ok := leader(t, masters).fsm.State().App(reg.AppID)
	if !ok || a.Running != 2 || a.NextExecID != 2 {
		t.Errorf("%+v", a)
	}
}

// A master that goes away with a term open: sessions and requests find the next one.
// What a JVM worker tells a master that does not lead was meant for one that did, and is old by the time it could be carried
// out: it must not end what runs.
func TestListShownToAFollowerEndsNothing(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	l, f := leader(t, masters), follower(t, masters)
	jvm := workerSide(t)
	sendOn(t, jvm.dial(l), jvm.worker("jvm-1", l))
	_, line := next[*messages.RegisteredWorker](jvm)
	sendOn(t, line, &messages.WorkerLatestState{ID: "jvm-1"})
	driver := newSparkSide(t, newestTable(), appClient, wire.Address{})
	sendOn(t, driver.dial(l), driver.application("job", 1))
	reg, _ := until[*messages.RegisteredApplication](driver)
	launch, _ := until[*messages.LaunchExecutor](jvm)
	askOn(t, line, "Master", &messages.ExecutorStateChanged{AppID: reg.AppID, ExecID: launch.ExecID, State: messages.ExecutorRunning})
	other := jvm.dial(f)
	sendOn(t, other, &messages.WorkerSchedulerStateResponse{ID: "jvm-1"})
	// An ask takes its place behind the list.
	if !askOn(t, other, "Master", &messages.RequestExecutors{AppID: reg.AppID, Totals: []messages.ProfileTotal{{Profile: profileOf(0, 1, 256), Total: 1}}}) {
		t.Error("answered false")
	}
	a, ok := l.fsm.State().App(reg.AppID)
	if !ok || a.Running != 1 {
		t.Errorf("the executor does not run any more: %+v", a)
	}
}

func TestLeaderThatCloses(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	old := leader(t, masters)
	worker := workerSide(t)
	hello := helloOf(worker, "w1")
	w := session(t, old, worker, hello)
	term := w.welcome().GetTerm()
	_, d, app := startJob(t, follower(t, masters), 1)
	if l := w.next().GetLaunchExecutor(); l.GetAppId() != app {
		t.Fatalf("%v", l)
	}
	var rest []*Master
	for _, m := range masters {
		if m != old {
			rest = append(rest, m)
		}
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	if w.ended() == nil {
		t.Error("the session ended without a reason")
	}
	l := leader(t, rest)
	hello.SeenTerm = term
	hello.Executors = []*clusterpb.ExecutorReport{{AppId: app, ExecutorId: 0, State: clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING}}
	w = session(t, l, worker, hello)
	if got := w.welcome().GetTerm(); got <= term {
		t.Errorf("term %d after %d", got, term)
	}
	_ = d
	eventually(t, l, "it runs", func(s *fsm.State) bool { a, ok := s.App(app); return ok && a.Running == 1 })
	for _, m := range rest {
		if m == l {
			continue
		}
		err := session(t, m, worker, hello).ended()
		hint, ok := rpc.NotLeader(err)
		if !ok || hint.LeaderRPC != l.node.Addr() || hint.LeaderID != l.cfg.ID {
			t.Errorf("a follower says %v (%+v)", err, hint)
		}
	}
}

// What was held while nobody led ends with the master that holds it, and with the peer that sent it.
func TestHeldRequestsEndWithTheMaster(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, "m1", t.TempDir())
	cfg.BootstrapExpect = 0 // nobody will ever lead
	m := open(t, cfg)
	driver := newSparkSide(t, newestTable(), appClient, wire.Address{})
	d := driver.dial(m)
	sendOn(t, d, driver.application("job", 0))
	asked := make(chan error, 1)
	go func() {
		_, err := d.Ask(context.Background(), "Master", &messages.KillExecutors{AppID: "x"})
		asked <- err
	}()
	began := time.Now()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := <-asked; err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("answered: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Close took %s", took)
	}
}

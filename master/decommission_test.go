package master

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func commit(t *testing.T, m *Master, c fsm.Command) {
	t.Helper()
	if _, err := propose[none](t.Context(), m, c); err != nil {
		t.Fatal(err)
	}
}

func standing(s *fsm.State, id string) fsm.WorkerState {
	w, ok := s.Worker(id)
	if !ok {
		return 0
	}
	return w.State
}

// told takes the next message, which must be about being drained.
func (w *goWorker) told(drained bool) {
	w.t.Helper()
	msg := w.next()
	if drained && msg.GetDecommission() == nil || !drained && msg.GetRecommission() == nil {
		w.t.Fatalf("got %v, want it drained: %v", msg, drained)
	}
}

func (w *goWorker) asksToBeDrained() {
	w.t.Helper()
	w.send(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Decommissioning{Decommissioning: &clusterpb.Decommissioning{}}})
}

func TestGoWorkerIsDrainedAndTakesWorkAgain(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	side := workerSide(t)
	w := session(t, m, side, helloOf(side, "w1"))
	w.welcome()
	_, d, app := startJob(t, m, 1)
	if w.next().GetLaunchExecutor() == nil {
		t.Fatal("no launch")
	}
	w.report(&clusterpb.ExecutorReport{AppId: app, ExecutorId: 0, State: clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING})
	w.next() // the acknowledgement
	w.asksToBeDrained()
	w.told(true)
	w.told(true) // as the answer to its wish; above, by the event, or the other way round
	if s := m.fsm.State(); standing(s, "w1") != fsm.WorkerDecommissioned {
		t.Fatalf("it is %s", standing(s, "w1"))
	}
	askOn(t, d, "Master", &messages.RequestExecutors{AppID: app, Totals: []messages.ProfileTotal{{Profile: profileOf(0, 1, 256), Total: 2}}})
	commit(t, m, &fsm.RecommissionWorker{ID: "w1", At: now()})
	w.told(false) // before it is given anything
	if l := w.next().GetLaunchExecutor(); l.GetExecutorId() != 1 {
		t.Errorf("%v", l)
	}
	askOn(t, d, "Master", &messages.KillExecutors{AppID: app, ExecutorIDs: []string{"0"}})
}

// TestGoWorkerComesBackDrained: a session that breaks, a verdict that was wrong, and what the worker believes.
func TestGoWorkerComesBackDrained(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	side := workerSide(t)
	again := func(change func(*clusterpb.Hello)) *goWorker {
		hello := helloOf(side, "w1")
		change(hello)
		w := session(t, m, side, hello)
		w.welcome()
		return w
	}
	lost := func() { commit(t, m, &fsm.WorkerLost{ID: "w1", Reason: "by mistake", At: now()}) }
	is := func(want fsm.WorkerState) {
		t.Helper()
		if got := standing(m.fsm.State(), "w1"); got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
	w := again(func(h *clusterpb.Hello) { h.DecommissionAsked, h.Decommissioned = true, true }) // --drained
	w.told(true)
	again(func(*clusterpb.Hello) {}).told(true) // one that does not know is told
	is(fsm.WorkerDecommissioned)
	lost()
	again(func(*clusterpb.Hello) {}).told(true)
	is(fsm.WorkerDecommissioned)
	lost()
	again(func(h *clusterpb.Hello) { h.Decommissioned = true }).told(true)
	is(fsm.WorkerDecommissioned)
	commit(t, m, &fsm.RecommissionWorker{ID: "w1", At: now()})
	again(func(h *clusterpb.Hello) { h.Decommissioned = true }).told(false) // it has not heard
	is(fsm.WorkerAlive)
	again(func(h *clusterpb.Hello) { h.Decommissioned, h.DecommissionAsked = true, true }).told(true)
	is(fsm.WorkerDecommissioned)
	again(func(h *clusterpb.Hello) { h.Incarnation = "life-2" })
	is(fsm.WorkerAlive)
}

// A wish that is granted and withdrawn at once leaves the worker with the last word.
func TestLastWordAboutADrainIsTheStates(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	l := newFakeLine()
	x.d.attach("w1", l, workerList{drained: true})
	l.inOrder(t, "recommission")
	x.carry()
	x.do(&fsm.DecommissionWorker{ID: "w1"}, nil)
	x.do(&fsm.RecommissionWorker{ID: "w1"}, nil)
	x.carry() // both events, after both commands
	l.inOrder(t, "recommission", "recommission")
	x.d.confirmDrain("w1", l)
	l.inOrder(t, "decommission", "recommission")
	x.d.confirmDrain("w1", newFakeLine()) // of a session that is over
	l.inOrder(t)
}

func (l *fakeLine) inOrder(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := strings.Join(l.said, ", "); got != strings.Join(want, ", ") {
		t.Errorf("told %s, want %q", got, want)
	}
	l.said = nil
}

// A worker that believes to be drained refuses what it is sent, so it must be told first.
func TestRecommissionComesBeforeLaunches(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	x.place(x.app(1), "w1")
	l := newFakeLine()
	x.d.attach("w1", l, workerList{drained: true})
	l.inOrder(t, "recommission", "launch app-0/0")
}

// What was on its way to a worker when it was drained is killed there if it starts, and told to the driver as lost.
func TestLaunchOnItsWayToADrainedWorker(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	l := x.attach("w1")
	x.place(x.app(1), "w1")
	x.do(&fsm.DecommissionWorker{ID: "w1"}, nil)
	x.carry()
	l.inOrder(t, "launch app-0/0", "decommission", "kill app-0/0")
	again := x.attach("w1") // it has not got so far
	again.inOrder(t, "decommission")
}

// TestJVMWorkerIsDrained goes through Spark's own ways, and through what may befall the worker after that.
func TestJVMWorkerIsDrained(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		driver := newSparkSide(t, table, appClient, wire.Address{})
		d := driver.dial(m)
		sendOn(t, d, driver.application("job", 1))
		app, _ := next[*messages.RegisteredApplication](driver)
		worker := newSparkSide(t, table, workerEndpoint, wire.Address{})
		w := worker.dial(m)
		list := func(ids ...int) {
			msg := &messages.WorkerLatestState{ID: "worker-1"}
			for _, id := range ids {
				msg.Executors = append(msg.Executors, messages.ExecutorDescription{AppID: app.AppID, ExecID: id, Cores: 1, MemoryMB: 256, State: messages.ExecutorRunning})
			}
			sendOn(t, w, msg)
		}
		sendOn(t, w, worker.worker("worker-1", m))
		next[*messages.RegisteredWorker](worker)
		list()
		next[*messages.LaunchExecutor](worker)
		next[*messages.ExecutorAdded](driver)
		askOn(t, w, "Master", &messages.ExecutorStateChanged{AppID: app.AppID, ExecID: 0, State: messages.ExecutorRunning})
		next[*messages.ExecutorUpdated](driver)

		for hosts, want := range map[string]int{"nobody": 0, "": 0, worker.addr.Host: 1} {
			reply := askAny(t, d, "Master", &messages.DecommissionWorkersOnHosts{Hosts: []string{hosts}})
			if n, ok := reply.(*messages.Integer); !ok || n.Value != want {
				t.Fatalf("workers on host %q: %v, want %d", hosts, reply, want)
			}
		}
		next[*messages.DecommissionWorker](worker)
		if u, _ := next[*messages.ExecutorUpdated](driver); u.ID != 0 || u.State != messages.ExecutorDecommissioned || u.WorkerHost != worker.addr.Host {
			t.Errorf("%+v", u)
		}
		sendOn(t, d, &messages.DecommissionWorkers{IDs: []string{"nobody", "worker-1"}}) // no double effect
		if _, err := propose[none](t.Context(), m, &fsm.RecommissionWorker{ID: "worker-1", At: now()}); fsm.RefusalCode(err) != fsm.CodeInvalid {
			t.Errorf("recommissioned: %v", err)
		}

		// Taken for dead by mistake, it comes back in the same life: answered, drained, and rid of what counts as lost.
		commit(t, m, &fsm.WorkerLost{ID: "worker-1", Reason: "by mistake", At: now()})
		next[*messages.ExecutorUpdated](driver) // LOST
		next[*messages.WorkerRemoved](driver)
		sendOn(t, w, &messages.Heartbeat{WorkerID: "worker-1", Worker: worker.ref()})
		next[*messages.ReconnectWorker](worker)
		sendOn(t, w, worker.worker("worker-1", m))
		if r, _ := next[*messages.RegisteredWorker](worker); r.Duplicate {
			t.Errorf("%+v", r)
		}
		list(0, 7)
		next[*messages.DecommissionWorker](worker)
		killed := map[int]bool{}
		for range 2 {
			k, _ := next[*messages.KillExecutor](worker)
			if k.MasterURL != m.URL() || k.AppID != app.AppID {
				t.Errorf("%+v", k)
			}
			killed[k.ExecID] = true
		}
		if !killed[0] || !killed[7] {
			t.Errorf("killed %v, want 0 and 7", killed)
		}
		if got := standing(m.fsm.State(), "worker-1"); got != fsm.WorkerDecommissioned {
			t.Errorf("it is %s", got)
		}
		// The answer to MasterChanged, or a list for another reason, does not make it one that takes work.
		sendOn(t, w, &messages.WorkerSchedulerStateResponse{ID: "worker-1"})
		next[*messages.DecommissionWorker](worker)
		askOn(t, d, "Master", &messages.RequestExecutors{AppID: app.AppID, Totals: []messages.ProfileTotal{{Profile: profileOf(0, 1, 256), Total: 3}}})
		worker.nothing()
		driver.nothing()

		// A worker of its own, in a new life, does.
		fresh := newSparkSide(t, table, workerEndpoint, wire.Address{})
		f := fresh.dial(m)
		sendOn(t, f, fresh.worker("worker-2", m))
		next[*messages.RegisteredWorker](fresh)
		sendOn(t, f, &messages.WorkerLatestState{ID: "worker-2"})
		for range 3 {
			next[*messages.LaunchExecutor](fresh)
		}
		worker.nothing()
	})
}

// post sends a form to a master's web port.
func post(t *testing.T, m *Master, path string, form url.Values) int {
	t.Helper()
	client := http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.PostForm(m.WebURL()+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	return r.StatusCode
}

// TestDrainThroughAFollowerOutlivesTheLeader: the form on any master does it, and the next leader knows.
func TestDrainThroughAFollowerOutlivesTheLeader(t *testing.T) {
	t.Parallel()
	masters := openThree(t, func(c *Config) { c.Spark.DecommissionEnabled = true })
	first := leader(t, masters)
	side := workerSide(t)
	session(t, first, side, helloOf(side, "w1")).welcome()
	eventually(t, first, "attached", attached(first, "w1"))
	through := follower(t, masters)
	if code := post(t, through, "/workers/kill/", url.Values{"host": {"nobody"}}); code != http.StatusNotFound {
		t.Errorf("nobody: %d", code)
	}
	if code := post(t, through, "/workers/kill/", url.Values{"host": {strings.ToUpper(side.addr.Host)}}); code != http.StatusOK {
		t.Errorf("its host: %d", code)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	var rest []*Master
	for _, m := range masters {
		if m != first {
			rest = append(rest, m)
		}
	}
	second := leader(t, rest)
	if got := standing(second.fsm.State(), "w1"); got != fsm.WorkerDecommissioned {
		t.Errorf("under the next leader it is %s", got)
	}
	w := session(t, second, side, helloOf(side, "w1"))
	w.welcome()
	w.told(true)
	driver, _, app := startJob(t, second, 1)
	other := workerSide(t)
	o := session(t, second, other, helloOf(other, "w2"))
	o.welcome()
	if l := o.next().GetLaunchExecutor(); l.GetAppId() != app {
		t.Errorf("%v", l)
	}
	next[*messages.ExecutorAdded](driver)
	select {
	case msg := <-w.inbox:
		t.Errorf("the drained worker was told %v", msg)
	default:
	}
	if code := post(t, rest[0], "/app/kill/", url.Values{"id": {app}, "terminate": {"true"}}); code != http.StatusFound {
		t.Errorf("kill: %d", code)
	}
	if r, _ := until[*messages.ApplicationRemoved](driver); r.Reason != "KILLED" {
		t.Errorf("%+v", r)
	}
	if code := post(t, rest[1], "/app/kill/", url.Values{"id": {app}, "terminate": {"true"}}); code != http.StatusFound {
		t.Errorf("kill what is over: %d", code)
	}
	if code := post(t, rest[1], "/driver/kill/", url.Values{"id": {"driver-0"}, "terminate": {"true"}}); code != http.StatusFound {
		t.Errorf("kill a driver that is not there: %d", code)
	}
}

// An executor that comes to its driver after the word that it is decommissioned would be given work: the word is repeated.
func TestDriverIsRemindedOfADecommission(t *testing.T) {
	inTime(t, func(t *testing.T) {
		x := newDrivers(t)
		defer x.endTerm()
		d := x.arrives()
		a := x.app(1)
		x.carry()
		x.place(a, "w1", "w1", "w2")
		for id := range 3 {
			x.report(a, id, fsm.ExecutorRunning)
		}
		x.carry()
		d.heard()
		time.Sleep(5 * time.Second)
		x.do(&fsm.DecommissionWorker{ID: "w1", At: now()}, nil)
		x.carry()
		both := []string{"updated 0 DECOMMISSIONED with host-w1", "updated 1 DECOMMISSIONED with host-w1"}
		driverHeard(t, d, both...)
		pass := func(by time.Duration) {
			time.Sleep(by)
			synctest.Wait()
		}
		pass(firstReminder - time.Millisecond)
		driverHeard(t, d)
		pass(time.Millisecond)
		again := d.heard() // by timers that end at the same moment
		slices.Sort(again)
		if !slices.Equal(again, both) {
			t.Errorf("told again: %q", again)
		}
		x.report(a, 0, fsm.ExecutorExited, 0)
		x.carry()
		driverHeard(t, d, "updated 0 EXITED")
		pass(firstReminder)
		driverHeard(t, d, both[1])
		pass(10 * time.Minute) // it is not told for ever
		if n := len(d.heard()); n != 4 {
			t.Errorf("told %d times more, want after 8, 16, 32 and 64 s", n)
		}
	})
}

func TestRemindersEnd(t *testing.T) {
	t.Parallel()
	const launched, drained = int64(1_000_000), int64(1_050_000)
	e := func(s fsm.ExecutorState, launched int64) *fsm.Executor {
		return &fsm.Executor{State: s, Launched: launched, Changed: drained}
	}
	for _, tc := range []struct {
		name  string
		e     *fsm.Executor
		after int64
		want  time.Duration
	}{
		{"just now", e(fsm.ExecutorDecommissioned, launched), 0, firstReminder},
		{"a while ago", e(fsm.ExecutorDecommissioned, launched), 20_000, 20 * time.Second},
		{"long ago", e(fsm.ExecutorDecommissioned, launched), 46_000, 0},
		{"an old executor, which has come long ago", e(fsm.ExecutorDecommissioned, drained-lastReminder.Milliseconds()), 0, 0},
		{"one that has ended", e(fsm.ExecutorLost, launched), 0, 0},
		{"a clock that went back", e(fsm.ExecutorDecommissioned, launched), -5_000, firstReminder},
	} {
		if got, ok := nextReminder(tc.e, drained+tc.after); got != tc.want || ok != (tc.want > 0) {
			t.Errorf("%s: %s, %v, want %s", tc.name, got, ok, tc.want)
		}
	}
}

func TestOperatorUndrains(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	ask := func(id string) error {
		_, err := admin{m: m}.UndrainWorker(t.Context(), &clusterpb.UndrainWorkerRequest{Id: id})
		return err
	}
	if err := ask("nobody"); status.Code(err) != codes.NotFound {
		t.Errorf("nobody: %v", err)
	}
	side := workerSide(t)
	w := session(t, m, side, helloOf(side, "w1"))
	w.welcome()
	if err := ask("w1"); err != nil {
		t.Errorf("one that is not drained: %v", err)
	}
	eventually(t, m, "attached", attached(m, "w1"))
	commit(t, m, &fsm.DecommissionWorker{ID: "w1", At: now()})
	w.told(true)
	if err := ask("w1"); err != nil {
		t.Error(err)
	}
	w.told(false)
	jvm := newSparkSide(t, newestTable(), workerEndpoint, wire.Address{})
	sendOn(t, jvm.dial(m), jvm.worker("worker-1", m))
	next[*messages.RegisteredWorker](jvm)
	commit(t, m, &fsm.DecommissionWorker{ID: "worker-1", At: now()})
	if err := ask("worker-1"); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "restart it") {
		t.Errorf("Spark's own Worker: %v", err)
	}
}

package master

import (
	"strings"
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/wire"
)

// forDialects runs a test against one master, for each of the dialects.
func forDialects(t *testing.T, test func(t *testing.T, m *Master, table *releases.Table)) {
	t.Parallel()
	for name, table := range dialects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, openOne(t), table)
		})
	}
}

// A whole application on a JVM worker: what each of them is told, and that it is in their own dialect.
func TestApplicationOnJVMWorker(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		driver, worker := newSparkSide(t, table, appClient, wire.Address{}), newSparkSide(t, table, workerEndpoint, wire.Address{})
		d, w := driver.dial(m), worker.dial(m)

		sendOn(t, w, worker.worker("worker-1", m))
		r, _ := next[*messages.RegisteredWorker](worker)
		if r.Duplicate || r.WebUIURL != m.WebURL() || r.Master.Address().Port != m.sparkPort || r.MasterAddress.Port != m.sparkPort {
			t.Errorf("%+v", r)
		}

		for range 3 {
			sendOn(t, d, driver.application("job", 2))
		}
		reg, _ := next[*messages.RegisteredApplication](driver)
		if !strings.HasPrefix(reg.AppID, "app-") || !strings.HasSuffix(reg.AppID, "-0000") {
			t.Errorf("id %q", reg.AppID)
		}
		driver.nothing() // neither a second answer, nor executors on a worker that has not shown its list
		worker.nothing()

		sendOn(t, w, &messages.WorkerLatestState{ID: "worker-1"})
		for i := range 2 {
			l, _ := next[*messages.LaunchExecutor](worker)
			if l.MasterURL != m.URL() || l.AppID != reg.AppID || l.ExecID != i || l.Cores != 1 || l.MemoryMB != 256 || l.App.Name != "job" {
				t.Errorf("%+v", l)
			}
			a, _ := next[*messages.ExecutorAdded](driver)
			if a.ID != i || a.WorkerID != "worker-1" || a.HostPort != worker.addr.String() || a.Cores != 1 {
				t.Errorf("%+v", a)
			}
		}
		state := func(id int, s messages.ExecutorState) *messages.ExecutorStateChanged {
			return &messages.ExecutorStateChanged{AppID: reg.AppID, ExecID: id, State: s}
		}
		if !askOn(t, w, "Master", state(0, messages.ExecutorRunning)) {
			t.Error("RUNNING was answered false")
		}
		if u, _ := next[*messages.ExecutorUpdated](driver); u.ID != 0 || u.State != messages.ExecutorRunning {
			t.Errorf("%+v", u)
		}
		// Its list once more, made before it had the second launch.
		sendOn(t, w, &messages.WorkerLatestState{ID: "worker-1", Executors: []messages.ExecutorDescription{{AppID: reg.AppID, ExecID: 0, State: messages.ExecutorRunning}}})
		code := 7
		end := state(1, messages.ExecutorExited)
		end.ExitStatus, end.Message = &code, "Command exited with code 7"
		if !askOn(t, w, "Master", end) {
			t.Error("EXITED was answered false")
		}
		if u, _ := next[*messages.ExecutorUpdated](driver); u.ID != 1 || u.State != messages.ExecutorExited || u.ExitStatus == nil || *u.ExitStatus != 7 || u.WorkerHost != "" {
			t.Errorf("%+v", u)
		}
		if l, _ := next[*messages.LaunchExecutor](worker); l.ExecID != 2 {
			t.Errorf("executor %d, want 2: nothing is launched twice, and what ended is replaced", l.ExecID)
		}
		next[*messages.ExecutorAdded](driver)

		sendOn(t, d, &messages.UnregisterApplication{AppID: reg.AppID})
		for range 2 {
			if k, _ := next[*messages.KillExecutor](worker); k.MasterURL != m.URL() || k.AppID != reg.AppID {
				t.Errorf("%+v", k)
			}
		}
		if f, _ := next[*messages.ApplicationFinished](worker); f.AppID != reg.AppID {
			t.Errorf("%+v", f)
		}
		// The report of a killed executor comes when nobody knows it any more.
		if !askOn(t, w, "Master", state(0, messages.ExecutorKilled)) {
			t.Error("a late report was answered false")
		}
		if a, _ := ended(m.fsm.State()); a == nil || a.State != fsm.AppFinished {
			t.Errorf("%+v", a)
		}
		driver.nothing()
	})
}

func TestRequestsOfDrivers(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		driver := newSparkSide(t, table, appClient, wire.Address{})
		d := driver.dial(m)
		sendOn(t, d, driver.application("job", 0))
		reg, _ := next[*messages.RegisteredApplication](driver)
		want := func(app string, totals ...messages.ProfileTotal) *messages.RequestExecutors {
			return &messages.RequestExecutors{AppID: app, Totals: totals}
		}
		if !askOn(t, d, "Master", want(reg.AppID, messages.ProfileTotal{Profile: profileOf(0, 1, 256), Total: 5}, messages.ProfileTotal{Profile: profileOf(1, 2, 512), Total: 3})) {
			t.Error("RequestExecutors was answered false")
		}
		a, _ := m.fsm.State().App(reg.AppID)
		if a == nil || len(a.Profiles) != 2 || a.Profiles[0].Target != 5 || a.Profiles[1].Target != 3 || a.Profiles[1].Cores != 2 || a.Profiles[1].MemoryMB != 512 {
			t.Errorf("%+v", a)
		}
		if askOn(t, d, "Master", want("app-unknown", messages.ProfileTotal{Profile: profileOf(0, 1, 256), Total: 5})) {
			t.Error("RequestExecutors of an unknown application was answered true")
		}
		if !askOn(t, d, "Master", &messages.KillExecutors{AppID: reg.AppID, ExecutorIDs: []string{"17", "driver", ""}}) {
			t.Error("KillExecutors was answered false")
		}
		if askOn(t, d, "Master", &messages.KillExecutors{AppID: "app-unknown", ExecutorIDs: []string{"1"}}) {
			t.Error("KillExecutors of an unknown application was answered true")
		}
		sendOn(t, d, &messages.MasterChangeAcknowledged{AppID: reg.AppID})
		sendOn(t, d, &messages.UnregisterApplication{}) // of a driver that has no id yet
		if !askOn(t, d, "Master", &messages.KillExecutors{AppID: reg.AppID}) {
			t.Error("the application is gone")
		}
		driver.nothing()
	})
}

func TestAsksThatNobodyAnswers(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		client := newSparkSide(t, table, "client", wire.Address{})
		if _, err := client.dial(m).Ask(t.Context(), "Master", &messages.Heartbeat{WorkerID: "x", Worker: client.ref()}); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("it was answered: %v", err)
		}
	})
}

// A driver whose application no master can take is told so, and need not ask for a minute.
func TestRefusedRegistrationIsAnswered(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		driver := newSparkSide(t, table, appClient, wire.Address{})
		reg := driver.application("job", 0)
		reg.Driver.Port = 0 // nobody could call it back
		sendOn(t, driver.dial(m), reg)
		if removed, _ := next[*messages.ApplicationRemoved](driver); !strings.Contains(removed.Reason, "gave no address") {
			t.Errorf("told %q", removed.Reason)
		}
	})
}

func TestDriverThatVanishes(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		driver := newSparkSide(t, table, appClient, wire.Address{})
		sendOn(t, driver.dial(m), driver.application("job", 0))
		next[*messages.RegisteredApplication](driver)
		driver.vanish()
		eventually(t, m, "the application ends", func(s *fsm.State) bool { return s.AppCount() == 0 })
		if a, _ := ended(m.fsm.State()); a.State != fsm.AppFailed || !strings.Contains(a.Message, "gone without unregistering") {
			t.Errorf("%s: %s", a.State, a.Message)
		}
	})
}

func TestDriverThatUnregistersAndIsGone(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		for range 10 {
			driver := newSparkSide(t, table, appClient, wire.Address{})
			d := driver.dial(m)
			sendOn(t, d, driver.application("job", 0))
			reg, _ := next[*messages.RegisteredApplication](driver)
			sendOn(t, d, &messages.UnregisterApplication{AppID: reg.AppID})
			driver.vanish()
			eventually(t, m, "the application ends", func(s *fsm.State) bool { return s.AppCount() == 0 })
			if a, _ := ended(m.fsm.State()); a.ID != reg.AppID || a.State != fsm.AppFinished {
				t.Fatalf("%s ended %s: %s", a.ID, a.State, a.Message)
			}
		}
	})
}

func TestApplicationKilledByTheCluster(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		driver := newSparkSide(t, table, appClient, wire.Address{})
		sendOn(t, driver.dial(m), driver.application("job", 0))
		reg, _ := next[*messages.RegisteredApplication](driver)
		if _, err := propose[none](t.Context(), m, &fsm.FinishApplication{AppID: reg.AppID, State: fsm.AppKilled, At: now(), Retained: 10}); err != nil {
			t.Fatal(err)
		}
		if r, _ := next[*messages.ApplicationRemoved](driver); r.Reason != "KILLED" {
			t.Errorf("%+v", r)
		}
	})
}

func TestJVMWorkerRegistersAgain(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		worker := newSparkSide(t, table, workerEndpoint, wire.Address{})
		w := worker.dial(m)
		sendOn(t, w, worker.worker("worker-1", m))
		next[*messages.RegisteredWorker](worker)
		sendOn(t, w, worker.worker("worker-1", m))
		if r, _ := next[*messages.RegisteredWorker](worker); r.Duplicate {
			t.Error("it has not shown its list, so this may be its first answer")
		}
		// A heartbeat does for a session no more than a list would.
		sendOn(t, w, &messages.Heartbeat{WorkerID: "worker-1", Worker: worker.ref()})
		if r, _ := next[*messages.ReconnectWorker](worker); r.MasterURL != m.URL() {
			t.Errorf("%+v", r)
		}
		sendOn(t, w, &messages.WorkerLatestState{ID: "worker-1"})
		sendOn(t, w, &messages.Heartbeat{WorkerID: "worker-1", Worker: worker.ref()})
		sendOn(t, w, worker.worker("worker-1", m))
		if r, _ := next[*messages.RegisteredWorker](worker); !r.Duplicate {
			t.Error("not marked as duplicate")
		}
		if n := m.fsm.State().WorkerCount(); n != 1 {
			t.Errorf("%d workers", n)
		}

		// Another one at its address, while it lives, is a conflict. It ends that process.
		sendOn(t, w, worker.worker("worker-2", m))
		if r, _ := next[*messages.RegisterWorkerFailed](worker); !strings.Contains(r.Reason, worker.addr.String()) || !strings.Contains(r.Reason, "worker-1") {
			t.Errorf("%+v", r)
		}
		bad := worker.worker("worker-3", m)
		bad.Cores = 0
		sendOn(t, w, bad)
		next[*messages.RegisterWorkerFailed](worker)

		sendOn(t, w, &messages.WorkerDecommissioning{ID: "worker-1", Worker: worker.ref()})
		next[*messages.DecommissionWorker](worker)
		if x, _ := m.fsm.State().Worker("worker-1"); x.State != fsm.WorkerDecommissioned {
			t.Errorf("state %s", x.State)
		}
	})
}

func TestHeartbeatOfDeadAndUnknownWorkers(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		worker := newSparkSide(t, table, workerEndpoint, wire.Address{})
		w := worker.dial(m)
		sendOn(t, w, worker.worker("worker-1", m))
		next[*messages.RegisteredWorker](worker)
		sendOn(t, w, &messages.WorkerLatestState{ID: "worker-1"})
		sendOn(t, w, &messages.Heartbeat{WorkerID: "nobody", Worker: worker.ref()})
		if !askOn(t, w, "Master", &messages.ExecutorStateChanged{AppID: "app-unknown", ExecID: 1, State: messages.ExecutorRunning}) {
			t.Error("a report of an unknown executor was answered false")
		}
		worker.nothing()
		if _, err := propose[none](t.Context(), m, &fsm.WorkerLost{ID: "worker-1", Reason: "test", At: now()}); err != nil {
			t.Fatal(err)
		}
		sendOn(t, w, &messages.Heartbeat{WorkerID: "worker-1", Worker: worker.ref()})
		if r, _ := next[*messages.ReconnectWorker](worker); r.MasterURL != m.URL() {
			t.Errorf("%+v", r)
		}
		sendOn(t, w, worker.worker("worker-1", m))
		if r, _ := next[*messages.RegisteredWorker](worker); r.Duplicate {
			t.Error("a dead worker that comes back is no duplicate")
		}
		sendOn(t, w, &messages.WorkerLatestState{ID: "worker-1"})
		eventually(t, m, "it is used again", func(s *fsm.State) bool {
			_, used := m.duties.Load().dispatch.attachedLine("worker-1")
			x, _ := s.Worker("worker-1")
			return used && x.State == fsm.WorkerAlive
		})
	})
}

func TestJVMWorkerThatVanishes(t *testing.T) {
	forDialects(t, func(t *testing.T, m *Master, table *releases.Table) {
		driver, worker := newSparkSide(t, table, appClient, wire.Address{}), newSparkSide(t, table, workerEndpoint, wire.Address{})
		d, w := driver.dial(m), worker.dial(m)
		sendOn(t, w, worker.worker("worker-1", m))
		next[*messages.RegisteredWorker](worker)
		sendOn(t, w, &messages.WorkerLatestState{ID: "worker-1"})
		sendOn(t, d, driver.application("job", 1))
		next[*messages.RegisteredApplication](driver)
		next[*messages.ExecutorAdded](driver)
		worker.vanish()
		if u, _ := next[*messages.ExecutorUpdated](driver); u.State != messages.ExecutorLost || u.WorkerHost != worker.addr.Host {
			t.Errorf("%+v", u)
		}
		if r, _ := next[*messages.WorkerRemoved](driver); r.ID != "worker-1" || r.Host != worker.addr.Host || r.Reason == "" {
			t.Errorf("%+v", r)
		}
	})
}

// A single master that starts again leads a term of the same cluster: it calls driver and worker, and launches nothing twice.
func TestRestartedMasterCallsEverybody(t *testing.T) {
	t.Parallel()
	for name, table := range dialects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t, "m1", t.TempDir())
			cfg.RPCPort = freePorts(t, 1)[0]
			m := open(t, cfg)
			driver, worker := newSparkSide(t, table, appClient, wire.Address{}), newSparkSide(t, table, workerEndpoint, wire.Address{})
			leads(t, m)
			d, w := driver.dial(m), worker.dial(m)
			sendOn(t, w, worker.worker("worker-1", m))
			next[*messages.RegisteredWorker](worker)
			sendOn(t, w, &messages.WorkerLatestState{ID: "worker-1"})
			sendOn(t, d, driver.application("job", 2))
			reg, _ := next[*messages.RegisteredApplication](driver)
			next[*messages.ExecutorAdded](driver)
			next[*messages.ExecutorAdded](driver)
			next[*messages.LaunchExecutor](worker)
			next[*messages.LaunchExecutor](worker)
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}

			m = open(t, cfg)
			again, own := next[*messages.RegisteredApplication](driver)
			changed, _ := next[*messages.MasterChanged](driver)
			if again.AppID != reg.AppID || changed.Master.Address().Port != m.sparkPort || own.Dialled() {
				t.Errorf("%+v %+v", again, changed)
			}
			next[*messages.ExecutorAdded](driver)
			next[*messages.ExecutorAdded](driver)
			_, line := next[*messages.MasterChanged](worker)
			worker.nothing()
			running := messages.WorkerExecutorState{Executor: messages.ExecutorDescription{AppID: reg.AppID, ExecID: 0, Cores: 1, MemoryMB: 256, State: messages.ExecutorRunning}}
			stray := running
			stray.Executor.ExecID = 9
			sendOn(t, line, &messages.WorkerSchedulerStateResponse{ID: "worker-1", Executors: []messages.WorkerExecutorState{running, stray}})
			if k, _ := next[*messages.KillExecutor](worker); k.ExecID != 9 || k.MasterURL != m.URL() {
				t.Errorf("%+v: want the one that nobody knows", k)
			}
			if u, _ := next[*messages.ExecutorUpdated](driver); u.ID != 0 || u.State != messages.ExecutorRunning {
				t.Errorf("%+v", u)
			}
			// The one that it does not list may have been started and be over: another one takes its place.
			if u, _ := next[*messages.ExecutorUpdated](driver); u.ID != 1 || u.State != messages.ExecutorLost {
				t.Errorf("%+v", u)
			}
			if l, _ := until[*messages.LaunchExecutor](worker); l.ExecID != 2 || l.MasterURL != m.URL() {
				t.Errorf("%+v: want one instead of that which the worker does not list", l)
			}
			// The driver goes on over the connection that the master opened.
			if !askOn(t, own, "Master", &messages.KillExecutors{AppID: reg.AppID, ExecutorIDs: []string{"1"}}) {
				t.Error("answered false")
			}
		})
	}
}

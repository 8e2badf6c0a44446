package fsm

import (
	"strings"
	"testing"
)

// drainedWorker is a worker that is drained with one executor RUNNING.
func drainedWorker(h *harness, change ...func(*Worker)) (a *App, id int) {
	h.t.Helper()
	h.worker("w", change...)
	a = h.app(1)
	id = h.place(a, "w")[0]
	h.report(a, id, ExecutorRunning)
	h.do(&DecommissionWorker{ID: "w", At: 8}, nil)
	return h.getApp(a.ID), id
}

func isJVM(w *Worker) { w.Kind = WorkerJVM }

// takesWork tells whether something can be placed on worker w.
func (h *harness) takesWork() bool {
	h.t.Helper()
	a := h.app(1000)
	var out PlanApplied
	h.do(&ApplyPlan{Executors: []Placement{{AppSeq: a.Seq, WorkerID: "w", Cores: 1}}}, &out)
	h.do(&FinishApplication{AppID: a.ID, State: AppFinished}, nil)
	id := h.driver()
	var driver PlanApplied
	h.do(&ApplyPlan{Drivers: []DriverPlacement{{DriverID: id, WorkerID: "w"}}}, &driver)
	h.do(&KillDriver{ID: id}, nil)
	if driver.Started == 1 {
		h.do(&DriverStateChanged{ID: id, State: DriverKilled}, nil)
	}
	if out.Started != driver.Started {
		h.t.Fatalf("it takes %d executors and %d drivers", out.Started, driver.Started)
	}
	return out.Started == 1
}

// Master.decommissionWorker: the executors' cores are the application's again and stay taken on the worker; repeating it
// changes nothing.
func TestDecommissionWorker(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	ids := h.place(a, "w", "w", "w")
	h.report(a, ids[0], ExecutorRunning)
	h.report(a, ids[1], ExecutorRunning)
	h.do(&DecommissionWorker{ID: "w", At: 8}, nil)
	w := h.getWorker("w")
	a = h.getApp(a.ID)
	if w.State != WorkerDecommissioned || w.Since != 8 || w.CoresUsed != 2 || a.Cores != 0 || a.Running != 0 || a.Profiles[0].Live != 0 {
		t.Errorf("worker %+v, application %+v", w, a)
	}
	if e := h.executor(a, ids[0]); e.State != ExecutorDecommissioned || e.Changed != 8 {
		t.Errorf("executor %+v", e)
	}
	if e := h.executor(a, ids[2]); e.State != ExecutorLost || e.HostLost || e.Changed != 8 {
		t.Errorf("the executor that had not started: %+v", e)
	}
	before := h.m.State().withoutPosition()
	h.do(&DecommissionWorker{ID: "w", At: 9}, nil)
	if h.m.State().withoutPosition() != before {
		t.Error("decommissioning twice changed something")
	}
	h.report(a, ids[0], ExecutorRunning) // a late one
	h.report(a, ids[0], ExecutorExited, 1)
	a = h.getApp(a.ID)
	if w := h.getWorker("w"); w.CoresUsed != 1 || a.Failures != 0 || a.Cores != 0 {
		t.Errorf("after an end: worker %+v, application %+v: it is not counted as a failure", w, a)
	}
	h.do(&WorkerLost{ID: "w"}, nil)
	if e := h.executor(a, ids[1]); e.State != ExecutorLost {
		t.Errorf("the last one is %s", e.State)
	}
}

// An executor that has not started is named to its driver as DECOMMISSIONED, as Spark's Master does, and then as LOST.
func TestDecommissionTellsOfWhatHasNotStarted(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	h.place(a, "w")
	_, sub := h.m.Subscribe()
	defer sub.Close()
	h.do(&DecommissionWorker{ID: "w", At: 8}, nil)
	_, events, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, ev := range events {
		if ev.Kind == ExecutorChanged {
			told = append(told, ev.Executor.State.String())
		}
	}
	if got := strings.Join(told, " "); got != "DECOMMISSIONED LOST" {
		t.Errorf("told: %s", got)
	}
}

// A late word about an earlier life must not drain the present one.
func TestDecommissionOfAnEarlierLife(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	h.refused(CodeUnknownWorker, &DecommissionWorker{ID: "nobody"})
	h.refused(CodeUnknownWorker, &DecommissionWorker{ID: "w", Incarnation: "an earlier one"})
	h.do(&DecommissionWorker{ID: "w", Incarnation: "first"}, nil)
	if s := h.getWorker("w").State; s != WorkerDecommissioned {
		t.Errorf("state %s", s)
	}
}

// Master.decommissionWorkersOnHosts: whatever the case, every worker of the host, each call counts them again.
func TestDecommissionHosts(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	at := func(host string, port int) func(*Worker) {
		return func(w *Worker) { w.Host, w.Port = host, port }
	}
	h.worker("a1", at("Alpha.example", 1))
	h.worker("a2", at("alpha.example", 2))
	h.worker("a3", at("alpha.example", 3))
	h.worker("b", at("beta", 1))
	h.do(&WorkerLost{ID: "a3"}, nil)
	for _, tc := range []struct {
		hosts []string
		want  int
	}{{[]string{"gamma", ""}, 0}, {nil, 0}, {[]string{"ALPHA.example", "gamma", "alpha.example"}, 2}, {[]string{"alpha.EXAMPLE"}, 2}} {
		var out HostsDecommissioned
		h.do(&DecommissionHosts{Hosts: tc.hosts, At: 5}, &out)
		if out.Workers != tc.want {
			t.Errorf("%q: %d workers, want %d", tc.hosts, out.Workers, tc.want)
		}
	}
	for id, want := range map[string]WorkerState{"a1": WorkerDecommissioned, "a2": WorkerDecommissioned, "a3": WorkerDead, "b": WorkerAlive} {
		if got := h.getWorker(id).State; got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
}

// What a drained worker has been through does not make it one that takes work.
func TestDrainedStaysDrained(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		then func(h *harness)
	}{
		{"nothing", func(*harness) {}},
		{"registered again", func(h *harness) { h.do(&RegisterWorker{Worker: testWorker("w")}, nil) }},
		{"taken for dead, and back in the same life", func(h *harness) {
			h.do(&WorkerLost{ID: "w", At: 9}, nil)
			h.do(&RegisterWorker{Worker: testWorker("w")}, nil)
		}},
		{"dead twice", func(h *harness) {
			for range 2 {
				h.do(&WorkerLost{ID: "w", At: 9}, nil)
				h.do(&RegisterWorker{Worker: testWorker("w")}, nil)
			}
		}},
		{"dead, forgotten, and back; it says so itself", func(h *harness) {
			h.do(&WorkerLost{ID: "w", At: 9}, nil)
			h.do(&PruneWorkers{Before: 10}, nil)
			h.do(&RegisterWorker{Worker: testWorker("w"), Drain: DrainKept}, nil)
		}},
		{"a state from before it was drained", func(h *harness) {
			h.do(&RegisterWorker{Worker: testWorker("w", func(w *Worker) { w.Incarnation = "second" })}, nil) // as if nothing had been
			h.do(&RegisterWorker{Worker: testWorker("w", func(w *Worker) { w.Incarnation = "second" }), Drain: DrainKept}, nil)
		}},
		{"a new life that begins drained", func(h *harness) {
			h.do(&RegisterWorker{Worker: testWorker("w", func(w *Worker) { w.Incarnation = "second" }), Drain: DrainAsked}, nil)
		}},
		{"all that ran there has ended", func(h *harness) {
			a := h.getApp("app-0000")
			h.report(a, 0, ExecutorExited, 0)
			h.do(&FinishApplication{AppID: a.ID, State: AppFinished}, nil)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			drainedWorker(h)
			tc.then(h)
			for _, h := range []*harness{h, h.restored()} {
				if s := h.getWorker("w").State; s != WorkerDecommissioned || h.takesWork() {
					t.Errorf("it is %s", s)
				}
			}
		})
	}
	t.Run("a snapshot while it counts as dead", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		drainedWorker(h)
		h.do(&WorkerLost{ID: "w", At: 9}, nil)
		h = h.restored()
		h.do(&RegisterWorker{Worker: testWorker("w")}, nil)
		if h.takesWork() {
			t.Error("it takes work")
		}
	})
}

func TestDrainEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		by   func(h *harness)
	}{
		{"recommissioned", func(h *harness) { h.do(&RecommissionWorker{ID: "w", At: 20}, nil) }},
		{"recommissioned twice", func(h *harness) {
			h.do(&RecommissionWorker{ID: "w", At: 20}, nil)
			h.do(&RecommissionWorker{ID: "w", At: 21}, nil)
		}},
		{"restarted", func(h *harness) {
			h.do(&RegisterWorker{Worker: testWorker("w", func(w *Worker) { w.Incarnation = "second" })}, nil)
		}},
		{"recommissioned, which it has not heard of when it comes back", func(h *harness) {
			h.do(&RecommissionWorker{ID: "w", At: 20}, nil)
			h.do(&RegisterWorker{Worker: testWorker("w"), Drain: DrainKept}, nil)
		}},
		{"recommissioned, dead, and back, having heard of neither", func(h *harness) {
			h.do(&RecommissionWorker{ID: "w", At: 20}, nil)
			h.do(&WorkerLost{ID: "w", At: 21}, nil)
			h.do(&RegisterWorker{Worker: testWorker("w"), Drain: DrainKept}, nil)
		}},
		{"recommissioned while it counts as dead", func(h *harness) {
			h.do(&WorkerLost{ID: "w", At: 9}, nil)
			h.do(&RecommissionWorker{ID: "w", At: 20}, nil)
			if s := h.getWorker("w").State; s != WorkerDead {
				h.t.Errorf("a dead worker is %s", s)
			}
			h.do(&RegisterWorker{Worker: testWorker("w"), Drain: DrainKept}, nil)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			drainedWorker(h)
			tc.by(h)
			if s := h.getWorker("w").State; s != WorkerAlive || !h.takesWork() {
				t.Errorf("it is %s", s)
			}
			if !h.restored().takesWork() {
				t.Error("it takes no work after a restore")
			}
		})
	}
}

// What was decommissioned stays so: its driver has let it go, and its cores are taken until it ends.
func TestRecommissionLeavesExecutors(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	a, id := drainedWorker(h)
	h.do(&RecommissionWorker{ID: "w", At: 20}, nil)
	w := h.getWorker("w")
	if e := h.executor(a, id); e.State != ExecutorDecommissioned || w.CoresUsed != 1 || w.Since != 20 {
		t.Errorf("executor %+v on %+v", e, w)
	}
	h.report(a, id, ExecutorExited, 0)
	if w := h.getWorker("w"); w.CoresUsed != 0 {
		t.Errorf("%d cores used", w.CoresUsed)
	}
}

func TestRecommissionRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.refused(CodeUnknownWorker, &RecommissionWorker{ID: "nobody"})
	h.worker("other")
	h.do(&WorkerLost{ID: "other"}, nil)
	h.refused(CodeUnknownWorker, &RecommissionWorker{ID: "other"})
	drainedWorker(h, isJVM)
	h.refused(CodeInvalid, &RecommissionWorker{ID: "w"})
	if err := h.try(&RecommissionWorker{ID: "w"}); err == nil || !strings.Contains(err.Error(), "restart it") {
		t.Errorf("what to do is not said: %v", err)
	}
	h.do(&WorkerLost{ID: "w"}, nil)
	h.refused(CodeInvalid, &RecommissionWorker{ID: "w"})
	h.worker("jvm", isJVM)
	h.do(&RecommissionWorker{ID: "jvm"}, nil) // it is not drained
}

// A wish to be drained that comes with the registration of a life that is known is granted, with all that belongs to it.
func TestDrainAskedByAKnownLife(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	id := h.place(a, "w")[0]
	h.report(a, id, ExecutorRunning)
	h.do(&DecommissionWorker{ID: "w"}, nil)
	h.do(&RecommissionWorker{ID: "w"}, nil)
	id = h.place(a, "w")[0]
	h.report(a, id, ExecutorRunning)
	h.do(&RegisterWorker{Worker: testWorker("w"), Drain: DrainKept}, nil)
	if s := h.getWorker("w").State; s != WorkerAlive {
		t.Errorf("one that was recommissioned is %s", s)
	}
	var out WorkerRegistered
	h.do(&RegisterWorker{Worker: testWorker("w"), Drain: DrainAsked}, &out)
	if e := h.executor(a, id); !out.Duplicate || h.takesWork() || e.State != ExecutorDecommissioned {
		t.Errorf("%+v, executor %+v", out, e)
	}
}

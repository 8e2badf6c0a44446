package fsm

import (
	"slices"
	"testing"
)

func TestRegisterWorker(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	in := testWorker("w", func(w *Worker) {
		w.Builds = []string{"b", "a", "b"}
		w.CoresUsed, w.State, w.Reason = 3, WorkerDead, "x" // not the worker's to say
		w.Resources = map[string][]string{"gpu": {"1", "0", "1"}}
	})
	var out WorkerRegistered
	h.do(&RegisterWorker{Worker: in}, &out)
	w := h.getWorker("w")
	if out.Duplicate || w.State != WorkerAlive || w.CoresUsed != 0 || w.Reason != "" {
		t.Errorf("registered %+v, %+v", out, w)
	}
	if !slices.Equal(w.Builds, []string{"a", "b"}) || !w.Runs("a") || w.Runs("c") {
		t.Errorf("builds %v", w.Builds)
	}
	if w.ResourcesFree("gpu") != 2 {
		t.Errorf("an address that is listed twice counts twice: %v", w.Resources)
	}
	if at, ok := h.m.State().WorkerAt("host-w", 7000); !ok || at != w {
		t.Error("not found at its address")
	}
}

func TestRegisterWorkerInvalid(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, change := range []func(*Worker){
		func(w *Worker) { w.ID = "" }, func(w *Worker) { w.ID = "a\x00b" }, func(w *Worker) { w.Host = "" }, func(w *Worker) { w.Port = 0 },
		func(w *Worker) { w.Cores = 0 }, func(w *Worker) { w.MemoryMB = -1 },
	} {
		h.refused(CodeInvalid, &RegisterWorker{Worker: testWorker("w", change)})
	}
}

// Spark's rule: an id that is known is answered with duplicate=true (SPARK-23191), and nothing is lost by it.
func TestRegisterWorkerAgain(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	id := h.place(a, "w")[0]
	var out WorkerRegistered
	h.do(&RegisterWorker{Worker: testWorker("w")}, &out)
	if !out.Duplicate {
		t.Error("a worker that registered again is not called a duplicate")
	}
	if h.executor(a, id).State != ExecutorLaunching || h.getWorker("w").CoresUsed != 1 {
		t.Error("registering again lost an executor")
	}
}

// A worker in a new life runs nothing of what the old one ran.
func TestWorkerInANewLife(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	id := h.place(a, "w")[0]
	plain, relaunched := h.driver(), h.driver(supervised)
	h.placeDriver(plain, "w")
	h.placeDriver(relaunched, "w")
	w := h.worker("w", func(w *Worker) { w.Incarnation = "second"; w.Port = 7001; w.Registered = 9 })
	if e := h.executor(a, id); e.State != ExecutorLost || !e.HostLost {
		t.Errorf("the old life's executor is %s, host lost %v", e.State, e.HostLost)
	}
	if w.State != WorkerAlive || w.CoresUsed != 0 || w.Port != 7001 {
		t.Errorf("the new life: %+v", w)
	}
	if _, ok := h.m.State().WorkerAt("host-w", 7000); ok {
		t.Error("the old life's address is still taken")
	}
	if d := h.lastDriver(); d == nil || d.ID != plain || d.State != DriverError {
		t.Errorf("the unsupervised driver ended as %+v", d)
	}
	if d := h.getDriver(relaunched); d.State != DriverRelaunching || d.WorkerID != "" {
		t.Errorf("the supervised driver is %s on %q", d.State, d.WorkerID)
	}
	h.refused(CodeUnknownWorker, &WorkerLost{ID: "w", Incarnation: "first"})
	h.refused(CodeUnknownWorker, &WorkerReport{ID: "w", Incarnation: "first"})
}

// Spark's rule: a worker at the address of another one is refused; here it may replace it where the leader has seen that
// the other one is gone. A refusal must not cost the newcomer's own earlier life anything.
func TestAddressTaken(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("old")
	h.worker("mover")
	a := h.app(1)
	ids := h.place(a, "old", "mover")
	at := func(w *Worker) { w.Host = "host-old" }
	h.refused(CodeAddressTaken, &RegisterWorker{Worker: testWorker("new", at)})
	h.refused(CodeAddressTaken, &RegisterWorker{Worker: testWorker("mover", at, func(w *Worker) { w.Incarnation = "second" })})
	h.do(&RegisterWorker{Worker: testWorker("new", at), ReplaceAddress: true}, nil)
	if _, ok := h.m.State().Worker("old"); ok {
		t.Error("the replaced worker is still listed: dead predecessors at an address leave the listing")
	}
	if h.executor(a, ids[0]).State != ExecutorLost || h.executor(a, ids[1]).State != ExecutorLaunching {
		t.Error("the executors of the replaced worker, and only they, are LOST")
	}
	h.do(&WorkerLost{ID: "new"}, nil)
	h.worker("third", at)
	if n := h.m.State().WorkerCount(); n != 2 {
		t.Errorf("%d workers are listed, want mover and third", n)
	}
}

// Master.removeWorker: state DEAD, executors LOST with the host, the application's cores free, the worker still listed.
func TestWorkerLost(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w1")
	h.worker("w2")
	a := h.app(1)
	ids := h.place(a, "w1", "w1", "w2")
	h.report(a, ids[0], ExecutorRunning)
	h.do(&WorkerLost{ID: "w1", Incarnation: "first", At: 77, Reason: "no answer"}, nil)
	w := h.getWorker("w1")
	if w.State != WorkerDead || w.Since != 77 || w.Reason != "no answer" || w.CoresUsed != 0 || w.MemoryUsedMB != 0 {
		t.Errorf("the lost worker: %+v", w)
	}
	a = h.getApp(a.ID)
	if a.Cores != 1 || a.Running != 0 || a.Profiles[0].Live != 1 || a.Failures != 0 || a.State != AppRunning {
		t.Errorf("the application: %+v", a)
	}
	for _, id := range ids[:2] {
		if e := h.executor(a, id); e.State != ExecutorLost || !e.HostLost || e.ExitStatus != nil || e.Changed != 77 {
			t.Errorf("executor %d: %+v", id, e)
		}
	}
	h.refused(CodeUnknownWorker, &WorkerLost{ID: "w1"})
	h.refused(CodeUnknownWorker, &WorkerLost{ID: "nobody"})
	h.refused(CodeUnknownWorker, &WorkerReport{ID: "w1"})
	h.refused(CodeUnknownWorker, &DecommissionWorker{ID: "w1"})

	h.worker("w1")
	if w := h.getWorker("w1"); w.State != WorkerAlive || h.m.State().WorkerCount() != 2 {
		t.Errorf("a dead worker that came back: %+v", w)
	}
}

func TestPruneWorkers(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, id := range []string{"a", "b", "c"} {
		h.worker(id)
	}
	h.do(&WorkerLost{ID: "a", At: 10}, nil)
	h.do(&WorkerLost{ID: "b", At: 20}, nil)
	h.do(&PruneWorkers{Before: 20}, nil)
	var left []string
	for w := range h.m.State().Workers() {
		left = append(left, w.ID)
	}
	if !slices.Equal(left, []string{"b", "c"}) {
		t.Errorf("listed after the sweep: %v", left)
	}
}

// Master.handleWorkerLatestState: what the master does not have on that worker is to be killed. Beyond it: what the
// master has as RUNNING and the worker does not list is LOST, and what it lists as RUNNING is RUNNING.
func TestWorkerReport(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w1")
	h.worker("w2")
	a := h.app(1)
	ids := h.place(a, "w1", "w1", "w1", "w1", "w2")
	running, gone, unsent, started, elsewhere := ids[0], ids[1], ids[2], ids[3], ids[4]
	h.report(a, running, ExecutorRunning)
	h.report(a, gone, ExecutorRunning)
	mine, other, ending := h.driver(), h.driver(), h.driver()
	h.placeDriver(mine, "w1")
	h.placeDriver(other, "w2")
	h.placeDriver(ending, "w1")
	h.do(&KillDriver{ID: ending}, nil)
	waiting := h.driver()
	var out WorkerReconciled
	h.do(&WorkerReport{ID: "w1", Incarnation: "first", At: 5, Executors: []ReportedExecutor{
		{AppID: a.ID, ID: running, State: ExecutorRunning}, {AppID: a.ID, ID: started, State: ExecutorRunning},
		{AppID: a.ID, ID: elsewhere, State: ExecutorRunning}, {AppID: a.ID, ID: 99, State: ExecutorRunning}, {AppID: "app-old", ID: 0, State: ExecutorRunning},
	}, Drivers: []string{mine, other, ending, waiting, "driver-old"}}, &out)
	if want := []ExecutorKey{{a.ID, elsewhere}, {a.ID, 99}, {"app-old", 0}}; !slices.Equal(out.Kill, want) {
		t.Errorf("to kill: %v, want %v", out.Kill, want)
	}
	if want := []string{other, ending, waiting, "driver-old"}; !slices.Equal(out.KillDrivers, want) {
		t.Errorf("drivers to kill: %v, want %v", out.KillDrivers, want)
	}
	for id, want := range map[int]ExecutorState{running: ExecutorRunning, gone: ExecutorLost, unsent: ExecutorLaunching, started: ExecutorRunning, elsewhere: ExecutorLaunching} {
		if got := h.executor(a, id).State; got != want {
			t.Errorf("executor %d is %s, want %s", id, got, want)
		}
	}
	if h.executor(a, gone).HostLost {
		t.Error("the host of an executor that is gone still lives")
	}
}

package fsm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A driver registers with every master at once, and again every 20 s: one application comes of it.
func TestRegisterApplicationThroughThreeMasters(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	var first AppRegistered
	h.do(&RegisterApplication{App: testApp(1), ID: appIDs}, &first)
	before := h.m.State().withoutPosition()
	for range 2 {
		var again AppRegistered
		h.do(&RegisterApplication{App: testApp(1), ID: appIDs}, &again)
		if !again.Duplicate || again.AppID != first.AppID {
			t.Errorf("registered again: %+v, first %+v", again, first)
		}
	}
	if h.m.State().withoutPosition() != before {
		t.Error("registering again used something up")
	}
	second := h.app(2)
	if second.ID != "app-0001" || first.AppID != "app-0000" {
		t.Errorf("ids %s, %s", first.AppID, second.ID)
	}
	h.do(&FinishApplication{AppID: first.AppID, State: AppFinished}, nil)
	if next := h.app(1); next.ID != "app-0002" {
		t.Errorf("a new application of the same address has id %s: numbers are not given twice", next.ID)
	}
}

func TestRegisterApplicationDefaults(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	a := h.app(1, func(a *App) { a.Profiles = nil })
	if p := a.Profiles[0]; p.Cores != 0 || p.MemoryMB != 1024 || p.Target != Unlimited {
		t.Errorf("the default profile: %+v", p)
	}
	if a.State != AppWaiting {
		t.Errorf("state %s", a.State)
	}
	b := h.app(2, func(a *App) {
		a.Profiles = []Profile{{ID: 7, Live: 3, Resources: []ResourceAmount{{"gpu", 1}, {"fpga", 2}}}}
		a.Cores, a.Running, a.State = 5, 5, AppFailed // not the driver's to say
	})
	if p := b.Profiles[0]; p.ID != 0 || p.Live != 0 || p.Resources[0].Name != "fpga" || b.Cores != 0 || b.State != AppWaiting {
		t.Errorf("application %+v", b)
	}
}

func TestRegisterApplicationInvalid(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, change := range []func(*App){
		func(a *App) { a.DriverHost = "" }, func(a *App) { a.DriverPort = -1 },
		func(a *App) { a.Profiles[0].Cores = -1 }, func(a *App) { a.Profiles[0].MemoryMB = -512 },
		func(a *App) { a.Profiles[0].Resources = []ResourceAmount{{"gpu", -1}} },
		func(a *App) { a.Profiles[0].Resources = []ResourceAmount{{"gpu", 1}, {"gpu", 1}} },
	} {
		h.refused(CodeInvalid, &RegisterApplication{App: testApp(1, change), ID: appIDs})
	}
}

// spark.deploy.appNumberModulo wraps the number; an id of a live application is not given again, however few there are.
func TestAppNumberModulo(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	seen := map[string]bool{}
	for i := range 1005 {
		var out AppRegistered
		h.do(&RegisterApplication{App: testApp(1), ID: IDParts{Prefix: "a-", Modulo: 1000}}, &out)
		if want := fmt.Sprintf("a-%d", i%1000); out.AppID != want {
			t.Fatalf("application %d has id %s, want %s", i, out.AppID, want)
		}
		h.do(&FinishApplication{AppID: out.AppID, State: AppFinished}, nil)
	}
	for i := range 5 {
		var out AppRegistered
		h.do(&RegisterApplication{App: testApp(10 + i), ID: IDParts{Prefix: "b-", Modulo: 3}}, &out)
		if seen[out.AppID] {
			t.Fatalf("id %s is given twice", out.AppID)
		}
		seen[out.AppID] = true
	}
}

// spark.master.useAppNameAsAppId.enabled; Spark leaves collisions to the user.
func TestAppNameAsID(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for i, want := range []string{"spark-45756", "spark-45756-1", "spark-45756-2"} {
		var out AppRegistered
		h.do(&RegisterApplication{App: testApp(i + 1), ID: IDParts{Exact: "spark-45756"}}, &out)
		if out.AppID != want {
			t.Errorf("id %s, want %s", out.AppID, want)
		}
	}
}

func TestIDWidthIsBounded(t *testing.T) {
	t.Parallel()
	for _, p := range []IDParts{{Prefix: "x", Width: 1 << 30}, {Prefix: "x", Width: -5}} {
		if id := p.with(7); len(id) > 100 || strings.Contains(id, " ") || !strings.HasSuffix(id, "7") {
			t.Errorf("width %d gives %q", p.Width, id)
		}
	}
}

// Master.removeApplication.
func TestFinishApplication(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	ids := h.place(a, "w", "w")
	h.report(a, ids[0], ExecutorExited, 0)
	for _, s := range []AppState{AppWaiting, AppRunning, AppUnknown, 0, 99} {
		h.refused(CodeInvalid, &FinishApplication{AppID: a.ID, State: s})
	}
	h.refused(CodeUnknownApp, &FinishApplication{AppID: a.ID, State: AppFinished, DriverHost: "driver", DriverPort: 2})
	h.do(&FinishApplication{AppID: a.ID, State: AppKilled, Message: "from the page", At: 5, DriverHost: "driver", DriverPort: 1}, nil)
	if w := h.getWorker("w"); w.CoresUsed != 0 || w.MemoryUsedMB != 0 {
		t.Errorf("its worker: %+v", w)
	}
	done := h.lastApp()
	if done.App.State != AppKilled || done.App.Ended != 5 || done.App.Message != "from the page" || len(done.Executors) != 2 {
		t.Errorf("the completed record: %+v", done)
	}
	if done.Executors[0].State != ExecutorExited || done.Executors[1].State != ExecutorKilled {
		t.Errorf("its executors: %s, %s", done.Executors[0].State, done.Executors[1].State)
	}
	if done.App.Description != nil || done.App.DriverRef == nil {
		t.Errorf("the record keeps %q, %q; the driver still has to be told of this end, and nothing is started any more", done.App.Description, done.App.DriverRef)
	}
	finished := h.app(3)
	h.do(&FinishApplication{AppID: finished.ID, State: AppFinished}, nil)
	if h.lastApp().App.DriverRef != nil {
		t.Error("a driver that is gone is still to be told something")
	}
	h.refused(CodeUnknownApp, &FinishApplication{AppID: a.ID, State: AppFinished})
	h.refused(CodeUnknownApp, stateReport(a, ids[1], ExecutorKilled))
	h.refused(CodeUnknownApp, &RequestExecutors{AppID: a.ID})
	h.refused(CodeUnknownApp, &KillExecutors{AppID: a.ID})
	if _, ok := h.m.State().AppOfDriver("driver", 1); ok {
		t.Error("still found by its driver")
	}
}

// Master.handleRequestExecutors: targets are absolute, up or down; lowering kills nothing.
func TestRequestExecutors(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1, func(a *App) {
		a.Profiles[0] = Profile{Cores: 2, MemoryMB: 256, Target: 2, Resources: nil}
	})
	h.place(a, "w", "w")
	if h.getApp(a.ID).Wants() {
		t.Error("a full target wants more")
	}
	h.do(&RequestExecutors{AppID: a.ID, Targets: []Profile{{ID: 0, Target: 1, Cores: 9}}}, nil)
	a = h.getApp(a.ID)
	if p := a.Profiles[0]; p.Target != 1 || p.Live != 2 || p.Cores != 2 {
		t.Errorf("after lowering: %+v; the profile itself does not change", p)
	}
	h.do(&RequestExecutors{AppID: a.ID, Targets: []Profile{{ID: 0, Target: 5}}}, nil)
	if !h.getApp(a.ID).Wants() {
		t.Error("a raised target wants nothing")
	}
}

// ApplicationInfo.createResourceDescForResourceProfile: a new profile inherits cores and memory, not custom resources.
func TestRequestExecutorsNewProfiles(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	a := h.app(1, func(a *App) {
		a.Profiles[0] = Profile{Cores: 3, MemoryMB: 700, Resources: []ResourceAmount{{"gpu", 1}}}
	})
	h.do(&RequestExecutors{AppID: a.ID, Targets: []Profile{
		{ID: 9, Target: 2, Live: 5}, {ID: 4, Target: 1, Cores: 1, MemoryMB: 100, Resources: []ResourceAmount{{"gpu", 2}, {"fpga", 1}}},
		{ID: 9, Target: 3},
	}}, nil)
	a = h.getApp(a.ID)
	var ids []int
	for _, p := range a.Profiles {
		ids = append(ids, p.ID)
	}
	if !slices.Equal(ids, []int{0, 4, 9}) {
		t.Fatalf("profiles %v, want them sorted", ids)
	}
	p4, p9 := a.Profiles[1], a.Profiles[2]
	if p9.Cores != 3 || p9.MemoryMB != 700 || p9.Resources != nil || p9.Target != 3 || p9.Live != 0 {
		t.Errorf("profile 9: %+v", p9)
	}
	if p4.Cores != 1 || p4.MemoryMB != 100 || p4.Resources[0].Name != "fpga" {
		t.Errorf("profile 4: %+v", p4)
	}
	for _, p := range []Profile{{ID: -1}, {ID: 5, Cores: -2}, {ID: 5, MemoryMB: -1}, {ID: 5, Resources: []ResourceAmount{{"gpu", -1}}}} {
		h.refused(CodeInvalid, &RequestExecutors{AppID: a.ID, Targets: []Profile{{ID: 0, Target: 77}, p}})
	}
}

// Master.handleKillExecutors: known ones leave the books at once, unknown ids are passed over.
func TestKillExecutors(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1, func(a *App) { a.Profiles[0].Target = 2 })
	ids := h.place(a, "w", "w")
	h.report(a, ids[0], ExecutorRunning)
	h.do(&KillExecutors{AppID: a.ID, IDs: []int{ids[0], 55, ids[0], -1}, At: 3}, nil)
	a = h.getApp(a.ID)
	if a.Cores != 1 || a.Running != 0 || a.Profiles[0].Live != 1 || a.Profiles[0].Target != 2 || !slices.Equal(a.Removed, ids[:1]) {
		t.Errorf("application %+v", a)
	}
	if w := h.getWorker("w"); w.CoresUsed != 1 {
		t.Errorf("worker uses %d cores", w.CoresUsed)
	}
	if e := h.executor(a, ids[0]); e.State != ExecutorKilled || e.Changed != 3 {
		t.Errorf("executor %+v", e)
	}
	h.refused(CodeUnknownExecutor, stateReport(a, ids[0], ExecutorKilled)) // the worker's word for it comes late
	var out WorkerReconciled
	h.do(&WorkerReport{ID: "w", Executors: []ReportedExecutor{{a.ID, ids[0], ExecutorRunning}}}, &out)
	if len(out.Kill) != 1 {
		t.Error("a worker that still runs a killed executor is not told to kill it")
	}
}

// A driver with a fixed spark.driver.port that is restarted within moments registers from the address of its dead
// predecessor: it must not be given the predecessor's application.
func TestAnotherApplicationFromTheSameAddressEndsTheFirst(t *testing.T) {
	t.Parallel()
	m := New(Config{})
	first, second := testApp(1), testApp(1)
	first.Description, second.Description = []byte("first"), []byte("second")
	var a, again, b AppRegistered
	for _, c := range []struct {
		app App
		out *AppRegistered
	}{{first, &a}, {first, &again}, {second, &b}} {
		results := m.Apply(1, 1, [][]byte{Encode(&RegisterApplication{App: c.app, ID: appIDs, Retained: 10}, "")})
		if err := DecodeResult(results[0], c.out); err != nil {
			t.Fatal(err)
		}
	}
	if !again.Duplicate || again.AppID != a.AppID {
		t.Errorf("the same registration again: %+v, want a duplicate of %s", again, a.AppID)
	}
	if b.Duplicate || b.AppID == a.AppID {
		t.Errorf("another application: %+v, want a new id", b)
	}
	for c := range m.State().CompletedApps() {
		if c.App.ID != a.AppID || c.App.State != AppFailed {
			t.Errorf("completed: %s in state %s", c.App.ID, c.App.State)
		}
	}
	if err := m.State().Invariants(); err != nil {
		t.Error(err)
	}
}

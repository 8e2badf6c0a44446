package fsm

import "testing"

// ApplyPlan checks every line against the present state; what no longer fits is left out and the rest goes on.
func TestApplyPlanChecksEveryLine(t *testing.T) {
	t.Parallel()
	gpu := func(w *Worker) { w.Resources = map[string][]string{"gpu": {"g0"}} }
	for _, tc := range []struct {
		name   string
		spoil  func(h *harness, a *App)
		change func(p *Placement)
	}{
		{"application gone", func(h *harness, a *App) { h.do(&FinishApplication{AppID: a.ID, State: AppKilled}, nil) }, nil},
		{"target lowered", func(h *harness, a *App) {
			h.do(&RequestExecutors{AppID: a.ID, Targets: []Profile{{ID: 0, Target: 0}}}, nil)
		}, nil},
		{"worker lost", func(h *harness, a *App) { h.do(&WorkerLost{ID: "w"}, nil) }, nil},
		{"worker decommissioned", func(h *harness, a *App) { h.do(&DecommissionWorker{ID: "w"}, nil) }, nil},
		{"worker full", func(h *harness, a *App) {
			h.placeDriver(h.driver(func(d *Driver) { d.Cores = 9 }), "w")
		}, nil},
		{"memory gone", func(h *harness, a *App) {
			h.placeDriver(h.driver(func(d *Driver) { d.MemoryMB = 4000 }), "w")
		}, nil},
		{"custom resource taken", func(h *harness, a *App) {
			h.placeDriver(h.driver(func(d *Driver) { d.Needs = []ResourceAmount{{"gpu", 1}} }), "w")
		}, nil},
		{"max cores reached", func(h *harness, a *App) { h.place(a, "other", "other") }, nil},
		{"unknown profile", nil, func(p *Placement) { p.Profile = 3 }},
		{"unknown worker", nil, func(p *Placement) { p.WorkerID = "x" }},
		{"unknown application", nil, func(p *Placement) { p.AppSeq = 99 }},
		{"another core count than the profile's", nil, func(p *Placement) { p.Cores = 3 }},
		{"no cores", nil, func(p *Placement) { p.Cores = 0 }},
		{"a worker of another build", nil, func(p *Placement) { p.WorkerID = "foreign" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.worker("w", gpu)
			h.worker("other", func(w *Worker) { w.Resources = map[string][]string{"gpu": {"a", "b", "c"}} })
			h.worker("foreign", gpu, func(w *Worker) { w.Builds = []string{"else"} })
			a := h.app(1, func(a *App) {
				a.MaxCores = 5
				a.Profiles[0] = Profile{Cores: 2, MemoryMB: 256, Target: 3, Resources: []ResourceAmount{{"gpu", 1}}}
			})
			line := Placement{AppSeq: a.Seq, WorkerID: "w", Cores: 2}
			if tc.spoil != nil {
				tc.spoil(h, a)
			}
			if tc.change != nil {
				tc.change(&line)
			}
			waiting := h.driver()
			var out PlanApplied
			h.do(&ApplyPlan{
				Executors: []Placement{line},
				Drivers:   []DriverPlacement{{DriverID: "none", WorkerID: "other"}, {DriverID: waiting, WorkerID: "other"}, {DriverID: waiting, WorkerID: "other"}},
			}, &out)
			if out.Started != 1 || out.Refused != 3 {
				t.Errorf("started %d, refused %d; want the driver only", out.Started, out.Refused)
			}
		})
	}
}

// Without a core count an executor may have any number of cores (one executor takes all that it may).
func TestApplyPlanWithoutCoreCount(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1, func(a *App) { a.Profiles[0].Cores = 0 })
	var out PlanApplied
	h.do(&ApplyPlan{At: 4, Executors: []Placement{{AppSeq: a.Seq, WorkerID: "w", Cores: 7}, {AppSeq: a.Seq, WorkerID: "w", Cores: 4}}}, &out)
	if out.Started != 1 || out.Refused != 1 {
		t.Errorf("%+v", out)
	}
	if e := h.executor(a, 0); e.Cores != 7 || e.Launched != 4 || e.WorkerHost != "host-w" || e.WorkerPort != 7000 {
		t.Errorf("executor %+v", e)
	}
}

// An executor gets the first free addresses, and a freed address is the next one's (seen with Spark 4.1.4).
func TestResourceAddressesAreReused(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w", func(w *Worker) { w.Resources = map[string][]string{"gpu": {"0", "1"}} })
	a := h.app(1, func(a *App) { a.Profiles[0].Resources = []ResourceAmount{{"gpu", 1}} })
	h.place(a, "w", "w")
	earlier := h.m.State()
	h.do(&KillExecutors{AppID: a.ID, IDs: []int{0}}, nil)
	id := h.place(a, "w")[0]
	if got := h.executor(a, id).Resources["gpu"]; len(got) != 1 || got[0] != "0" {
		t.Errorf("the replacement has gpu %v, want 0", got)
	}
	if w, _ := earlier.Worker("w"); len(w.ResourcesUsed["gpu"]) != 2 || earlier.Invariants() != nil {
		t.Error("an earlier state changed")
	}
}

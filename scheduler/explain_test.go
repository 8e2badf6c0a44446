package scheduler_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/scheduler"
)

func TestOnlyAppIsExplained(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	id := c.app(fsm.Profile{Cores: 20, MemoryMB: 512, Target: fsm.Unlimited}, fsm.Unlimited)
	for _, step := range []struct {
		change func()
		never  bool
		reason string
	}{
		{func() {}, false, "no worker is ALIVE"},
		{func() { c.worker("o", 64, 65536, func(w *fsm.Worker) { w.Builds = []string{"other"} }) }, true, "no worker runs Spark build " + build},
		{func() { c.workers(2, 10, 512) }, true, "20 cores and 512 MiB on one worker; no worker has that (most cores 10, most memory 512 MiB)"},
	} {
		step.change()
		out := c.pass()
		if len(out.Unplaced) != 1 {
			t.Fatalf("unplaced: %+v, want one", out.Unplaced)
		}
		if u := out.Unplaced[0]; u.AppID != id || u.Never != step.never || !strings.Contains(u.Reason, step.reason) {
			t.Errorf("unplaced: %+v, want %q", u, step.reason)
		}
	}
	c.worker("large", 20, 512)
	c.pass()
	c.app(fsm.Profile{Cores: 20, MemoryMB: 512, Target: 1}, fsm.Unlimited)
	if out := c.pass(); len(out.Unplaced) != 0 {
		t.Errorf("two applications, and one is warned of: %+v", out.Unplaced)
	}
}

func TestExcludedWorkers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.workers(3, 10, 4096)
	id := c.app(fsm.Profile{MemoryMB: 512, Target: fsm.Unlimited}, fsm.Unlimited)
	c.driver(smallDriver())
	out := c.passExcluding(func(w string) bool { return w != "w2" })
	for _, p := range out.Plan.Executors {
		if p.WorkerID != "w2" {
			t.Errorf("placed on the excluded worker %s", p.WorkerID)
		}
	}
	if len(out.Plan.Drivers) != 1 || out.Plan.Drivers[0].WorkerID != "w2" || len(c.live(id)) != 1 {
		t.Errorf("plan: %+v", out.Plan)
	}
	all := scheduler.Input{Exclude: func(string) bool { return true }}
	why := scheduler.Explain(c.state(), c.set, all, id)
	if len(why) != 1 || why[0].Never || !strings.Contains(why[0].Reason, "3 workers that are large enough are suspects") {
		t.Errorf("explained: %+v", why)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings(func(s *scheduler.Settings) { s.MaxDrivers = 1 }))
	c.workers(1, 4, 1024)
	c.driver(smallDriver())
	capped := c.driver(smallDriver())
	c.app(fsm.Profile{Cores: 3, MemoryMB: 512, Target: 1}, fsm.Unlimited)
	waits := c.app(fsm.Profile{Cores: 1, MemoryMB: 512, Target: 1}, fsm.Unlimited)
	c.pass()
	got := scheduler.Explain(c.state(), c.set, scheduler.Input{}, "")
	if len(got) != 2 || got[0].DriverID != capped || !strings.Contains(got[0].Reason, "maxDrivers") ||
		got[1].AppID != waits || !strings.Contains(got[1].Reason, "waits for room") || got[1].Never {
		t.Errorf("explained: %+v", got)
	}
}

// TestUnplacedIsBounded: a pass does not explain a thousand drivers.
func TestUnplacedIsBounded(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.workers(1, 1, 1024)
	for i := range 100 {
		c.driver(fsm.Driver{Cores: 2, MemoryMB: 128 + i})
	}
	if n := len(c.pass().Unplaced); n == 0 || n > 8 {
		t.Errorf("%d explanations in one pass", n)
	}
	if n := len(scheduler.Explain(c.state(), c.set, scheduler.Input{}, "")); n != 100 {
		t.Errorf("Explain gives %d, want all 100", n)
	}
}

// TestPassThatCannotBeSatisfied: an application whose executors do not fit is passed by a later smaller one.
func TestHeadDoesNotBlock(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.workers(2, 4, 1024)
	c.app(fsm.Profile{Cores: 2, MemoryMB: 2048, Target: 1}, fsm.Unlimited)
	id := c.app(fsm.Profile{Cores: 2, MemoryMB: 512, Target: 1}, fsm.Unlimited)
	c.pass()
	if len(c.live(id)) != 1 {
		t.Error("the small application waits behind the large one")
	}
}

// TestStuck: each application without an executor is told of with its own reason, and one that has an executor is not.
func TestStuck(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	served := c.app(fsm.Profile{Cores: 1, MemoryMB: 256, Target: fsm.Unlimited}, fsm.Unlimited)
	if got := scheduler.Stuck(c.state(), nil); len(got) != 1 || got[0].AppID != served || got[0].Cause != scheduler.NoWorkers || got[0].Never {
		t.Errorf("without workers: %+v", got)
	}
	c.worker("drained", 2, 1024)
	c.apply(&fsm.DecommissionWorker{ID: "drained"}, nil)
	if got := scheduler.Stuck(c.state(), nil); len(got) != 1 || got[0].Cause != scheduler.NoWorkers || !strings.Contains(got[0].Reason, "1 that run it are DECOMMISSIONED") {
		t.Errorf("with a drained worker: %+v", got)
	}
	c.apply(&fsm.WorkerLost{ID: "drained"}, nil)
	c.worker("w1", 2, 1024)
	c.pass()
	room := c.app(fsm.Profile{Cores: 1, MemoryMB: 256, Target: 1}, 1)
	large := c.app(fsm.Profile{Cores: 3, MemoryMB: 256, Target: 1}, 3)
	fat := c.app(fsm.Profile{Cores: 1, MemoryMB: 2048, Target: 1}, 1)
	gpu := c.app(fsm.Profile{Cores: 1, MemoryMB: 256, Target: 1, Resources: []fsm.ResourceAmount{{Name: "gpu", Amount: 1}}}, 1)
	other := c.app(fsm.Profile{Cores: 1, MemoryMB: 256, Target: 1}, 1, func(a *fsm.App) { a.Build = "other" })
	same := c.app(fsm.Profile{Cores: 1, MemoryMB: 256, Target: 1}, 1, func(a *fsm.App) { a.Build = "other" })
	c.app(fsm.Profile{Cores: 1, MemoryMB: 256, Target: 0}, 1) // wants none
	driver := c.driver(fsm.Driver{Cores: 9, MemoryMB: 128})
	want := []struct {
		app, driver string
		cause       scheduler.Cause
	}{
		{"", driver, scheduler.TooLarge}, {room, "", scheduler.WaitsForRoom}, {large, "", scheduler.TooLarge}, {fat, "", scheduler.TooLarge}, {gpu, "", scheduler.TooLarge},
		{other, "", scheduler.NoRelease}, {same, "", scheduler.NoRelease},
	}
	got := scheduler.Stuck(c.state(), nil)
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i, u := range got {
		w := want[i]
		if u.AppID != w.app || u.DriverID != w.driver || u.Cause != w.cause || u.Reason == "" || u.Never != w.cause.Nowhere() {
			t.Errorf("%d: got %+v, want %+v", i, u, w)
		}
	}
	all := func(string) bool { return true }
	c.driver(fsm.Driver{Cores: 9, MemoryMB: 128})
	if all, kinds := scheduler.Stuck(c.state(), nil), scheduler.StuckKinds(c.state(), nil); len(all) != len(want)+1 || !slices.Equal(kinds, got) {
		t.Errorf("of two drivers that need the same one should be given: %+v", kinds)
	}
	if got := scheduler.Stuck(c.state(), all); got[2].Cause != scheduler.InDoubt || got[2].Never {
		t.Errorf("with the worker in doubt: %+v", got[2])
	}
}

package scheduler_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/scheduler"
)

func smallDriver() fsm.Driver { return fsm.Driver{Cores: 1, MemoryMB: 128} }

// TestMaxDrivers is case 18: with a cap of 4, three and then three more drivers leave two waiting.
func TestMaxDrivers(t *testing.T) {
	t.Parallel()
	for _, spread := range []bool{true, false} {
		set := settings(func(s *scheduler.Settings) { s.MaxDrivers, s.SpreadOutDrivers = 4, spread })
		c := newCluster(t, set)
		c.workers(3, 10, 1024)
		var ids []string
		for i := range 6 {
			if i == 3 {
				c.pass()
			}
			ids = append(ids, c.driver(smallDriver()))
		}
		c.pass()
		if got := c.state().WaitingDriverCount(); got != 2 {
			t.Errorf("spread=%v: %d drivers wait, want 2", spread, got)
		}
		for i, id := range ids {
			if d, _ := c.state().Driver(id); (d.State == fsm.DriverSubmitted) != (i >= 4) {
				t.Errorf("spread=%v: driver %d is %s: the first submitted run first", spread, i, d.State)
			}
		}
		c.apply(&fsm.DriverStateChanged{ID: ids[1], State: fsm.DriverFinished}, nil)
		c.pass()
		if got := c.state().WaitingDriverCount(); got != 1 {
			t.Errorf("spread=%v: after one ended %d wait, want 1", spread, got)
		}
	}
}

// TestSpreadDrivers is case 19: three one-core drivers on three workers.
func TestSpreadDrivers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		spread bool
		want   []int
	}{{true, []int{1, 1, 1}}, {false, []int{3, 0, 0}}} {
		c := newCluster(t, settings(func(s *scheduler.Settings) { s.SpreadOutDrivers = tc.spread }))
		c.workers(3, 10, 512)
		for range 3 {
			c.driver(smallDriver())
		}
		c.pass()
		if got := c.coresOn(); !slices.Equal(got, tc.want) {
			t.Errorf("spread=%v: cores on the workers %v, want %v", tc.spread, got, tc.want)
		}
	}
}

// TestDriversComeFirst: a driver takes the room that an application registered earlier wants too.
func TestDriversComeFirst(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.workers(1, 2, 1024)
	c.app(fsm.Profile{Cores: 2, MemoryMB: 512, Target: fsm.Unlimited}, fsm.Unlimited)
	c.driver(smallDriver())
	out := c.pass()
	if len(out.Plan.Drivers) != 1 || len(out.Plan.Executors) != 0 {
		t.Errorf("plan: %+v; want the driver only", out.Plan)
	}
}

// TestDriverIsPassed: a driver that does not fit is passed by a later smaller one, and named as unplaced on an idle worker.
func TestDriverIsPassed(t *testing.T) {
	t.Parallel()
	for _, spread := range []bool{true, false} {
		c := newCluster(t, settings(func(s *scheduler.Settings) { s.SpreadOutDrivers = spread }))
		c.workers(2, 4, 1024)
		big := c.driver(fsm.Driver{Cores: 5, MemoryMB: 128})
		small := c.driver(smallDriver())
		out := c.pass()
		if len(out.Plan.Drivers) != 1 || out.Plan.Drivers[0].DriverID != small {
			t.Errorf("spread=%v: plan %+v; want the small driver", spread, out.Plan.Drivers)
		}
		if len(out.Unplaced) != 1 || out.Unplaced[0].DriverID != big || !out.Unplaced[0].Never || !strings.Contains(out.Unplaced[0].Reason, "5 cores") {
			t.Errorf("spread=%v: unplaced %+v", spread, out.Unplaced)
		}
	}
}

// TestDriverRing: for every seed the ring goes on behind the worker used last, so n drivers land on n workers; and
// seeds differ in the order.
func TestDriverRing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.workers(5, 4, 1024)
	for range 5 {
		c.driver(smallDriver())
	}
	first := map[string]bool{}
	for seed := range uint64(50) {
		plan := scheduler.Plan(c.state(), c.set, scheduler.Input{Seed: seed}).Plan
		used := map[string]bool{}
		for _, p := range plan.Drivers {
			used[p.WorkerID] = true
		}
		if len(used) != 5 {
			t.Fatalf("seed %d: five drivers on %d workers", seed, len(used))
		}
		first[plan.Drivers[0].WorkerID] = true
	}
	if len(first) != 5 {
		t.Errorf("of 50 seeds the first driver was placed on only %d of 5 workers", len(first))
	}
}

// TestDriverNeedsItsBuild: a driver goes to a worker that runs its Spark build.
func TestDriverNeedsItsBuild(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.workers(3, 4, 1024)
	c.worker("x", 4, 1024, func(w *fsm.Worker) { w.Builds = []string{"other"} })
	d := smallDriver()
	d.Build = "other"
	c.driver(d)
	d.Build = "nobody's"
	c.driver(d)
	out := c.pass()
	if len(out.Plan.Drivers) != 1 || out.Plan.Drivers[0].WorkerID != "x" {
		t.Errorf("plan: %+v", out.Plan.Drivers)
	}
	if len(out.Unplaced) != 1 || !out.Unplaced[0].Never || !strings.Contains(out.Unplaced[0].Reason, "nobody's") {
		t.Errorf("unplaced: %+v", out.Unplaced)
	}
}

// TestFirstFitGivesUpOnOneShapeOnly: what a search has learned from where it went on says nothing of smaller drivers.
func TestFirstFitGivesUpOnOneShapeOnly(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings(func(s *scheduler.Settings) { s.SpreadOutDrivers = false }))
	c.worker("w1", 8, 512)
	c.worker("w2", 8, 2048)
	large, small := fsm.Driver{Cores: 1, MemoryMB: 2048}, fsm.Driver{Cores: 1, MemoryMB: 512}
	c.driver(large)
	c.driver(large)
	id := c.driver(small)
	c.pass()
	if d, _ := c.state().Driver(id); d.WorkerID != "w1" {
		t.Errorf("the small driver is %s on %q, want it on w1", d.State, d.WorkerID)
	}
}

// TestManyDriversWait: however many wait and however many things they wait for, they are placed as Spark's Master does it,
// which looks at one after the other.
func TestManyDriversWait(t *testing.T) {
	t.Parallel()
	for _, shapes := range []int{1, 5, 64, 65, 300} {
		for _, spread := range []bool{true, false} {
			for _, most := range []int{fsm.Unlimited, 7} {
				c := newCluster(t, settings(func(s *scheduler.Settings) { s.SpreadOutDrivers, s.MaxDrivers = spread, most }))
				c.workers(9, 11, 4096)
				c.worker("large", 30, 8192, accelerated(3, 0))
				for i := range 300 {
					kind := i * 7 % shapes
					d := fsm.Driver{Cores: 1 + kind%4, MemoryMB: 100 + 40*kind}
					if kind%5 == 4 {
						d.Needs = []fsm.ResourceAmount{{Name: "gpu", Amount: 1}}
					}
					c.driver(d)
				}
				for pass := range 3 {
					in := scheduler.Input{Seed: uint64(pass)}
					got, want := scheduler.Plan(c.state(), c.set, in).Plan, referencePlan(c.state(), c.set, in)
					if !reflect.DeepEqual(got, want) {
						t.Fatalf("%d shapes, spread %v, at most %d, pass %d:\n got %+v\nwant %+v", shapes, spread, most, pass, got.Drivers, want.Drivers)
					}
					if pass == 0 && len(got.Drivers) == 0 {
						t.Fatalf("%d shapes: nothing was placed", shapes)
					}
					c.pass()
					for _, p := range got.Drivers[:len(got.Drivers)/2] {
						c.apply(&fsm.DriverStateChanged{ID: p.DriverID, State: fsm.DriverFinished}, nil)
					}
				}
			}
		}
	}
}

// TestHopelessDriversCostNoLook: drivers that no worker can take make a pass look at none, and an application's executor is
// placed after a look at a few.
func TestHopelessDriversCostNoLook(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		d    fsm.Driver
	}{
		{"cores", fsm.Driver{Cores: 99, MemoryMB: 1}},
		{"memory", fsm.Driver{Cores: 1, MemoryMB: 99999}},
		{"build", fsm.Driver{Cores: 1, MemoryMB: 1, Build: "nobody's"}},
	} {
		c := newCluster(t, settings())
		c.workers(50, 4, 4096)
		for range 200 {
			c.driver(tc.d)
		}
		looks := 0
		count := func(string) bool { looks++; return false }
		if out := scheduler.Plan(c.state(), c.set, scheduler.Input{Exclude: count}); looks > 0 || !out.Empty() {
			t.Errorf("%s: %d workers were looked at, %+v", tc.name, looks, out.Plan)
		}
		c.app(fsm.Profile{Cores: 1, MemoryMB: 512, Target: 1}, fsm.Unlimited)
		if out := scheduler.Plan(c.state(), c.set, scheduler.Input{Exclude: count}); looks > 5 || len(out.Plan.Executors) != 1 {
			t.Errorf("%s: %d workers were looked at, %+v", tc.name, looks, out.Plan)
		}
	}
}

// TestHeldDriversAreNotPlaced: and those that wait for the same are.
func TestHeldDriversAreNotPlaced(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.worker("w1", 4, 1024, func(w *fsm.Worker) { w.DriverLeaseMS = 60_000 })
	d := smallDriver()
	d.Supervise = true
	held := c.driver(d)
	c.pass()
	c.apply(&fsm.WorkerLost{ID: "w1", Reason: "test", Silent: true}, nil)
	c.worker("w2", 4, 1024)
	other := c.driver(d)
	out := c.pass()
	if len(out.Plan.Drivers) != 1 || out.Plan.Drivers[0].DriverID != other {
		t.Errorf("placed %+v, want %s alone; %s is held", out.Plan.Drivers, other, held)
	}
	for d := range c.state().HeldDrivers() {
		if u := scheduler.ExplainDriver(c.state(), settings(), d); d.ID != held || u.Cause != scheduler.InDoubt || !strings.Contains(u.Reason, "within 60 s") {
			t.Errorf("driver %s: %+v", d.ID, u)
		}
	}
}

package scheduler_test

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/scheduler"
)

var builds = []string{build, "spark-other", "spark-third"}

func drawSettings(t *rapid.T) scheduler.Settings {
	return scheduler.Settings{
		SpreadOutApps:         rapid.Bool().Draw(t, "spreadApps"),
		SpreadOutDrivers:      rapid.Bool().Draw(t, "spreadDrivers"),
		MaxDrivers:            rapid.SampledFrom([]int{fsm.Unlimited, 1, 3}).Draw(t, "maxDrivers"),
		WorkerSelectionPolicy: scheduler.Policy(rapid.IntRange(0, int(scheduler.WorkerID)).Draw(t, "policy")),
	}
}

// randomCluster is a state machine that random commands and passes drive.
type randomCluster struct {
	t       *rapid.T
	m       *fsm.Machine
	set     scheduler.Settings
	index   uint64
	workers int
	apps    int
}

func (c *randomCluster) apply(cmd fsm.Command, out any) error {
	c.index++
	return fsm.DecodeResult(c.m.Apply(c.index, 1, [][]byte{fsm.Encode(cmd, "")})[0], out)
}

func (c *randomCluster) must(cmd fsm.Command, out any) {
	if err := c.apply(cmd, out); err != nil {
		c.t.Fatalf("%T: %v", cmd, err)
	}
}

func drawNeeds(t *rapid.T) (out []fsm.ResourceAmount) {
	for _, name := range []string{"fpga", "gpu"} {
		if n := rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, name); n > 0 {
			out = append(out, fsm.ResourceAmount{Name: name, Amount: n})
		}
	}
	return out
}

func (c *randomCluster) addWorker() {
	t := c.t
	c.workers++
	w := fsm.Worker{
		ID: fmt.Sprintf("w%03d", rapid.IntRange(0, 999).Draw(t, "worker")), Host: fmt.Sprint("h", c.workers), Port: 1, Incarnation: fmt.Sprint(c.workers),
		Cores: rapid.IntRange(1, 12).Draw(t, "cores"), MemoryMB: rapid.IntRange(1, 20).Draw(t, "memory") * 256,
		Builds: builds[:rapid.IntRange(1, 3).Draw(t, "builds")],
	}
	if rapid.Bool().Draw(t, "accelerated") {
		accelerated(rapid.IntRange(0, 5).Draw(t, "gpus"), rapid.IntRange(0, 3).Draw(t, "fpgas"))(&w)
	}
	c.must(&fsm.RegisterWorker{Worker: w}, nil)
}

func drawProfile(t *rapid.T, id int) fsm.Profile {
	return fsm.Profile{
		ID: id, Cores: rapid.IntRange(0, 4).Draw(t, "executor cores"), MemoryMB: rapid.IntRange(1, 8).Draw(t, "executor memory") * 256,
		Resources: drawNeeds(t), Target: rapid.SampledFrom([]int{0, 1, 2, 5, fsm.Unlimited}).Draw(t, "target"),
	}
}

func (c *randomCluster) addApp() {
	t := c.t
	c.apps++
	a := fsm.App{
		Name: "a", DriverHost: "d", DriverPort: c.apps, Build: rapid.SampledFrom(builds).Draw(t, "build"),
		MaxCores: rapid.SampledFrom([]int{1, 2, 4, 7, 16, fsm.Unlimited}).Draw(t, "max cores"), Profiles: []fsm.Profile{drawProfile(t, 0)},
	}
	var out fsm.AppRegistered
	c.must(&fsm.RegisterApplication{App: a, ID: fsm.IDParts{Prefix: "app-"}}, &out)
	if n := rapid.IntRange(0, 3).Draw(t, "more profiles"); n > 0 {
		req := &fsm.RequestExecutors{AppID: out.AppID}
		for i := range n {
			req.Targets = append(req.Targets, drawProfile(t, i+1))
		}
		c.must(req, nil)
	}
}

func (c *randomCluster) addDriver() {
	t := c.t
	c.must(&fsm.SubmitDriver{ID: fsm.IDParts{Prefix: "driver-"}, Driver: fsm.Driver{
		Cores: rapid.IntRange(1, 6).Draw(t, "driver cores"), MemoryMB: rapid.IntRange(1, 8).Draw(t, "driver memory") * 256,
		Needs: drawNeeds(t), Build: rapid.SampledFrom(builds).Draw(t, "build"), Supervise: rapid.Bool().Draw(t, "supervise"),
	}}, nil)
}

// disturb takes something away, so that passes meet clusters that are partly used.
func (c *randomCluster) disturb() {
	t := c.t
	for w := range c.m.State().Workers() {
		switch rapid.IntRange(0, 15).Draw(t, "fate of "+w.ID) {
		case 0:
			_ = c.apply(&fsm.WorkerLost{ID: w.ID, Reason: "test"}, nil)
		case 1:
			_ = c.apply(&fsm.DecommissionWorker{ID: w.ID}, nil)
		}
		for e := range c.m.State().ExecutorsOn(w.ID) {
			switch rapid.IntRange(0, 5).Draw(t, "fate of an executor") {
			case 0:
				exit := 0
				c.must(&fsm.ExecutorStateChanged{AppID: e.AppID, ID: e.ID, State: fsm.ExecutorExited, ExitStatus: &exit, MaxRetries: 10}, nil)
			case 1:
				c.must(&fsm.KillExecutors{AppID: e.AppID, IDs: []int{e.ID}}, nil)
			}
		}
		for d := range c.m.State().DriversOn(w.ID) {
			if rapid.IntRange(0, 3).Draw(t, "fate of a driver") == 0 {
				c.must(&fsm.DriverStateChanged{ID: d.RunID, State: fsm.DriverFinished}, nil)
			}
		}
	}
}

func (c *randomCluster) grow() {
	for range rapid.IntRange(0, 6).Draw(c.t, "new workers") {
		c.addWorker()
	}
	for range rapid.IntRange(0, 5).Draw(c.t, "new apps") {
		c.addApp()
	}
	for range rapid.IntRange(0, 4).Draw(c.t, "new drivers") {
		c.addDriver()
	}
}

// TestPlanProperties: on random clusters, over several passes, a plan is the reference's plan, comes out the same twice,
// is carried out in every line, oversells nothing, and leaves nothing that a further pass could place.
func TestPlanProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := &randomCluster{t: t, set: drawSettings(t), m: fsm.New(fsm.Config{Fatal: func(err error) { t.Fatal(err) }})}
		for range rapid.IntRange(1, 4).Draw(t, "passes") {
			c.grow()
			in := scheduler.Input{At: int64(c.index), Seed: rapid.Uint64().Draw(t, "seed")}
			if rapid.Bool().Draw(t, "some excluded") {
				in.Exclude = func(id string) bool { return id[len(id)-1]%3 == 0 }
			}
			c.checkPass(in)
			c.disturb()
		}
	})
}

func (c *randomCluster) checkPass(in scheduler.Input) {
	t, s := c.t, c.m.State()
	digest := s.Digest()
	out := scheduler.Plan(s, c.set, in)
	if want := referencePlan(s, c.set, in); !reflect.DeepEqual(out.Plan, want) {
		t.Fatalf("the plan is not the reference's:\n got %+v\nwant %+v", out.Plan, want)
	}
	if again := scheduler.Plan(s, c.set, in); !reflect.DeepEqual(out, again) {
		t.Fatalf("two plans for the same input:\n%+v\n%+v", out, again)
	}
	if s.Digest() != digest {
		t.Fatal("planning changed the state")
	}
	var applied fsm.PlanApplied
	c.must(&out.Plan, &applied)
	if applied.Refused != 0 {
		t.Fatalf("%d lines of a fresh plan were refused: %+v", applied.Refused, out.Plan)
	}
	if err := c.m.State().Invariants(); err != nil {
		t.Fatal(err)
	}
	for _, p := range out.Plan.Executors {
		if in.Exclude != nil && in.Exclude(p.WorkerID) {
			t.Fatalf("placed on the excluded worker %s", p.WorkerID)
		}
	}
	c.checkNothingIsLeft(in)
}

// checkNothingIsLeft: after a pass no driver or application that waits fits anywhere.
func (c *randomCluster) checkNothingIsLeft(in scheduler.Input) {
	t, s := c.t, c.m.State()
	capped := s.DriverCount()-s.WaitingDriverCount() >= c.set.MaxDrivers
	for w := range s.Workers() {
		if w.State != fsm.WorkerAlive || in.Exclude != nil && in.Exclude(w.ID) {
			continue
		}
		fits := func(build string, cores, memory int, needs []fsm.ResourceAmount) bool {
			for _, n := range needs {
				if w.ResourcesFree(n.Name) < n.Amount {
					return false
				}
			}
			return w.Runs(build) && w.CoresFree() >= cores && w.MemoryFreeMB() >= memory
		}
		for d := range s.WaitingDrivers() {
			if !capped && fits(d.Build, d.Cores, d.MemoryMB, d.Needs) {
				t.Fatalf("driver %s waits and fits on %s", d.ID, w.ID)
			}
		}
		for a := range s.Apps() {
			for _, p := range a.Profiles {
				if p.Live < p.Target && a.CoresLeft() >= max(p.Cores, 1) && fits(a.Build, max(p.Cores, 1), p.MemoryMB, p.Resources) {
					t.Fatalf("application %s, profile %d wants an executor that fits on %s", a.ID, p.ID, w.ID)
				}
			}
		}
	}
	if again := scheduler.Plan(s, c.set, in); !again.Empty() {
		t.Fatalf("a second pass places more: %+v", again.Plan)
	}
}

// TestSpreadChangesOnlyWhere: for one application with one profile, spreading changes where executors are, not how many
// cores it gets, and never uses fewer workers.
func TestSpreadChangesOnlyWhere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := &randomCluster{t: t, set: drawSettings(t), m: fsm.New(fsm.Config{Fatal: func(err error) { t.Fatal(err) }})}
		for range rapid.IntRange(1, 6).Draw(t, "workers") {
			c.addWorker()
		}
		p := drawProfile(t, 0)
		c.must(&fsm.RegisterApplication{App: fsm.App{
			DriverHost: "d", DriverPort: 1, Build: build, MaxCores: rapid.IntRange(1, 40).Draw(t, "max cores"), Profiles: []fsm.Profile{p},
		}}, nil)
		cores, workers := map[bool]int{}, map[bool]int{}
		for _, spread := range []bool{true, false} {
			set := c.set
			set.SpreadOutApps = spread
			used := map[string]bool{}
			for _, e := range scheduler.Plan(c.m.State(), set, scheduler.Input{}).Plan.Executors {
				cores[spread] += e.Cores
				used[e.WorkerID] = true
			}
			workers[spread] = len(used)
		}
		if cores[true] != cores[false] || workers[true] < workers[false] {
			t.Fatalf("spread: %d cores on %d workers; not spread: %d cores on %d workers", cores[true], workers[true], cores[false], workers[false])
		}
	})
}

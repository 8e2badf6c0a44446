package scheduler_test

import (
	"slices"
	"testing"

	"github.com/firesteel/firesteel/fsm"
)

// dynamic is an application as StandaloneDynamicAllocationSuite has it: 2 workers of 10 cores and 2048 MiB, and a driver
// that keeps the target it has asked for. The suite's cases 32 to 35 are here as far as they are the master's part: the
// driver lowers its target before it kills (CoarseGrainedSchedulerBackend.killExecutors).
type dynamic struct {
	*cluster
	id     string
	target int
}

func newDynamic(t *testing.T, cores, maxCores int) *dynamic {
	c := newCluster(t, settings(byID))
	c.workers(2, 10, 2048)
	d := &dynamic{cluster: c, target: fsm.Unlimited}
	d.id = c.app(fsm.Profile{Cores: cores, MemoryMB: 256, Target: fsm.Unlimited}, maxCores)
	c.pass()
	return d
}

func (d *dynamic) more(n int) {
	d.target += n
	d.request(d.id, fsm.Profile{Target: d.target})
	d.pass()
}

// shrink kills so many executors, or all with n < 0, and lowers the target by as many.
func (d *dynamic) shrink(n int) {
	var ids []int
	for _, e := range d.live(d.id) {
		if n < 0 || len(ids) < n {
			ids = append(ids, e.ID)
		}
	}
	if d.target == fsm.Unlimited {
		d.target = len(d.live(d.id)) // what the driver starts to count from
	}
	d.target = max(d.target-len(ids), 0)
	d.request(d.id, fsm.Profile{Target: d.target})
	d.pass()
	d.kill(d.id, ids...)
	d.pass()
}

func (d *dynamic) want(step string, cores ...int) {
	d.t.Helper()
	var got []int
	for _, e := range d.live(d.id) {
		got = append(got, e.Cores)
	}
	slices.Sort(got)
	slices.Reverse(got)
	if !slices.Equal(got, cores) {
		d.t.Fatalf("%s: executors of %v cores, want %v", step, got, cores)
	}
}

func repeat(n, cores int) []int { return slices.Repeat([]int{cores}, n) }

func TestDynamicDefault(t *testing.T) { // case 32
	t.Parallel()
	d := newDynamic(t, 0, fsm.Unlimited)
	d.want("at the start", 10, 10)
	d.shrink(-1)
	d.want("all killed")
	d.more(1)
	d.want("+1", 10)
	d.more(1)
	d.want("+1", 10, 10)
	d.more(1)
	d.want("+1, no room", 10, 10)
	d.shrink(-1)
	d.want("all killed, target 1", 10)
	d.more(1000)
	d.want("+1000", 10, 10)
}

func TestDynamicMaxCoresWithinAWorker(t *testing.T) { // case 33
	t.Parallel()
	d := newDynamic(t, 0, 8)
	d.want("at the start", 4, 4)
	d.shrink(-1)
	d.want("all killed")
	d.more(1)
	d.want("+1: one executor takes all 8", 8)
	d.more(1)
	d.want("+1: no cores left", 8)
	d.shrink(-1)
	d.want("all killed, target 1", 8)
	d.more(1000)
	d.want("+1000", 8)
}

func TestDynamicMaxCoresBeyondAWorker(t *testing.T) { // case 33
	t.Parallel()
	d := newDynamic(t, 0, 16)
	d.want("at the start", 8, 8)
	d.shrink(-1)
	d.more(1)
	d.want("+1", 10)
	d.more(1)
	d.want("+1", 10, 6)
	d.more(1)
	d.want("+1", 10, 6)
}

func TestDynamicCoresPerExecutor(t *testing.T) { // case 34; 5 executors of 256 MiB and 2 cores each fill a worker
	t.Parallel()
	d := newDynamic(t, 2, fsm.Unlimited)
	d.want("at the start", repeat(10, 2)...)
	d.shrink(-1)
	d.want("all killed")
	for _, step := range []struct{ more, have int }{{1, 1}, {3, 4}, {10, 10}} {
		d.more(step.more)
		d.want("more", repeat(step.have, 2)...)
	}
	if d.target != 14 {
		t.Fatalf("target %d, want 14", d.target)
	}
	d.shrink(2)
	d.want("2 killed, target 12", repeat(10, 2)...)
	d.shrink(4)
	d.want("4 killed, target 8", repeat(8, 2)...)
}

func TestDynamicCoresPerExecutorWithMax(t *testing.T) { // case 34
	t.Parallel()
	d := newDynamic(t, 2, 8)
	d.want("at the start", repeat(4, 2)...)
	d.shrink(-1)
	d.want("all killed")
	d.more(6)
	d.want("+6", repeat(4, 2)...)
	d.shrink(-1)
	d.want("all killed, target 2", repeat(2, 2)...)
	d.shrink(-1)
	d.want("all killed, target 0")
}

func TestKillAndReplace(t *testing.T) { // case 35: killed without a lower target, an executor is replaced under a new id
	t.Parallel()
	d := newDynamic(t, 0, fsm.Unlimited)
	before := d.live(d.id)
	d.kill(d.id, before[0].ID)
	d.pass()
	d.want("one replaced", 10, 10)
	if ids := d.live(d.id); ids[len(ids)-1].ID != 2 {
		t.Errorf("the new executor has id %d, want 2", ids[len(ids)-1].ID)
	}
	d.kill(d.id, before[0].ID) // the same one again: nothing to kill
	if out := d.pass(); !out.Empty() {
		t.Errorf("killing an executor twice started another one: %+v", out.Plan)
	}
	d.want("still", 10, 10)
}

func TestInitialLimit(t *testing.T) { // case 35: dynamic allocation registers with a limit
	t.Parallel()
	c := newCluster(t, settings())
	c.workers(2, 10, 2048)
	id := c.app(fsm.Profile{MemoryMB: 256, Target: 0}, fsm.Unlimited)
	if out := c.pass(); !out.Empty() {
		t.Fatalf("an application with limit 0 was given executors: %+v", out.Plan)
	}
	c.request(id, fsm.Profile{Target: 1})
	c.pass()
	if got := len(c.live(id)); got != 1 {
		t.Errorf("%d executors at limit 1", got)
	}
}

// TestDecommissionedWorkersTakeNothing is case 30 as far as it is ours.
func TestDecommissionedWorkersTakeNothing(t *testing.T) {
	t.Parallel()
	d := newDynamic(t, 0, fsm.Unlimited)
	for _, id := range []string{"w1", "w2"} {
		d.apply(&fsm.DecommissionWorker{ID: id}, nil)
	}
	d.killAll(d.id)
	d.request(d.id, fsm.Profile{Target: 5})
	if out := d.pass(); !out.Empty() {
		t.Errorf("planned on decommissioned workers: %+v", out.Plan)
	}
}

// TestDecommissionFreesTheBudget: the cores of a decommissioned worker's executors are the application's again at once,
// and not the worker's.
func TestDecommissionFreesTheBudget(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings(byID))
	c.worker("w1", 10, 2048)
	id := c.app(fsm.Profile{Cores: 5, MemoryMB: 256, Target: fsm.Unlimited}, 10)
	c.pass()
	c.worker("w2", 10, 2048)
	if out := c.pass(); !out.Empty() {
		t.Fatalf("more than max cores: %+v", out.Plan)
	}
	for _, e := range c.live(id) {
		c.apply(&fsm.ExecutorStateChanged{AppID: id, ID: e.ID, State: fsm.ExecutorRunning}, nil)
	}
	c.apply(&fsm.DecommissionWorker{ID: "w1"}, nil)
	c.pass()
	if got := c.coresOn(); !slices.Equal(got, []int{10, 10}) {
		t.Errorf("cores on the workers %v, want the old executors and their replacements", got)
	}
	if n := len(c.live(id)); n != 4 {
		t.Errorf("%d executors, want 2 decommissioned and 2 new", n)
	}
}

// TestSecondExecutorOnTheSameWorker: without a core count a later pass may start another one where cores came free.
func TestSecondExecutorOnTheSameWorker(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.workers(1, 10, 2048)
	d := c.driver(fsm.Driver{Cores: 6, MemoryMB: 128})
	c.pass()
	id := c.app(fsm.Profile{MemoryMB: 256, Target: fsm.Unlimited}, fsm.Unlimited)
	c.pass()
	c.apply(&fsm.DriverStateChanged{ID: d, State: fsm.DriverFinished}, nil)
	c.pass()
	got := c.live(id)
	if len(got) != 2 || got[0].Cores != 4 || got[1].Cores != 6 {
		t.Errorf("executors %+v, want one of 4 and one of 6 cores", got)
	}
}

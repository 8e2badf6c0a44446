package scheduler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/fsm"
)

func addresses(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(prefix, i))
	}
	return out
}

func accelerated(gpus, fpgas int) func(*fsm.Worker) {
	return func(w *fsm.Worker) {
		w.Resources = map[string][]string{"gpu": addresses("g", gpus), "fpga": addresses("f", fpgas)}
	}
}

func three() []fsm.ResourceAmount {
	return []fsm.ResourceAmount{{Name: "fpga", Amount: 3}, {Name: "gpu", Amount: 3}}
}

// TestCustomResources is cases 12 and 13: a driver and an executor take 3+3 of 6+6 addresses each, without overlap, and
// all come back at their ends.
func TestCustomResources(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.worker("w1", 10, 4096, accelerated(6, 6))
	driver := c.driver(fsm.Driver{Cores: 1, MemoryMB: 128, Needs: three()})
	app := c.app(fsm.Profile{Cores: 1, MemoryMB: 128, Target: 5, Resources: three()}, fsm.Unlimited)
	c.pass() // Invariants sees to it that no address is given twice
	w, _ := c.state().Worker("w1")
	if w.ResourcesFree("gpu") != 0 || w.ResourcesFree("fpga") != 0 {
		t.Fatalf("free after the pass: %d gpu, %d fpga; want none", w.ResourcesFree("gpu"), w.ResourcesFree("fpga"))
	}
	if d, _ := c.state().Driver(driver); len(d.Resources["gpu"]) != 3 || len(d.Resources["fpga"]) != 3 {
		t.Errorf("the driver was given %v", d.Resources)
	}
	if got := c.live(app); len(got) != 1 || len(got[0].Resources["gpu"]) != 3 {
		t.Errorf("executors: %+v; there is room for one", got)
	}
	c.apply(&fsm.DriverStateChanged{ID: driver, State: fsm.DriverFinished}, nil)
	c.apply(&fsm.FinishApplication{AppID: app, State: fsm.AppFinished}, nil)
	w, _ = c.state().Worker("w1")
	if len(w.ResourcesUsed) != 0 || w.CoresUsed != 0 {
		t.Errorf("still used after both ended: %v, %d cores", w.ResourcesUsed, w.CoresUsed)
	}
}

// TestCustomResourcesBound: the addresses bound the executors of a worker, across applications of one pass.
func TestCustomResourcesBound(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.worker("w1", 16, 16384, accelerated(4, 0))
	c.worker("w2", 16, 16384, accelerated(3, 0))
	c.worker("w3", 16, 16384)
	two := fsm.Profile{Cores: 1, MemoryMB: 128, Target: fsm.Unlimited, Resources: []fsm.ResourceAmount{{Name: "gpu", Amount: 2}}}
	one := two
	one.Resources = []fsm.ResourceAmount{{Name: "gpu", Amount: 1}}
	first, second, third := c.app(two, fsm.Unlimited), c.app(one, fsm.Unlimited), c.app(one, fsm.Unlimited)
	c.pass()
	if a, b, d := len(c.live(first)), len(c.live(second)), len(c.live(third)); a != 3 || b != 1 || d != 0 {
		t.Errorf("executors: %d, %d, %d; want 3, 1, 0", a, b, d)
	}
}

// TestUnknownResource: a profile that asks for a resource that no worker has never fits, and is said to.
func TestUnknownResource(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.worker("w1", 16, 16384, accelerated(4, 0))
	c.app(fsm.Profile{Cores: 1, MemoryMB: 128, Target: 1, Resources: []fsm.ResourceAmount{{Name: "tpu", Amount: 1}}}, fsm.Unlimited)
	out := c.pass()
	if !out.Empty() || len(out.Unplaced) != 1 || !out.Unplaced[0].Never || !strings.Contains(out.Unplaced[0].Reason, "1 of tpu") {
		t.Errorf("outcome: %+v", out)
	}
}

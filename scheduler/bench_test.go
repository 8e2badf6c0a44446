package scheduler_test

import (
	"fmt"
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/scheduler"
)

const (
	benchWorkers = 5000
	benchApps    = 20000
)

// benchCluster has 5,000 workers of 16 cores and 64 GiB, and 20,000 applications that have all 4 cores each that there are.
// wanting: the applications would take more if there were room.
func benchCluster(b *testing.B, wanting bool) *cluster {
	b.Helper()
	c := newCluster(b, settings())
	for i := range benchWorkers {
		c.worker(fmt.Sprintf("worker-%05d", i), 16, 64<<10)
	}
	most := 4
	if wanting {
		most = 64
	}
	var plan fsm.ApplyPlan
	for i := range benchApps {
		c.app(fsm.Profile{Cores: 4, MemoryMB: 4096, Target: fsm.Unlimited}, most)
		plan.Executors = append(plan.Executors, fsm.Placement{AppSeq: uint64(i + 1), WorkerID: fmt.Sprintf("worker-%05d", i/4), Cores: 4})
	}
	var applied fsm.PlanApplied
	c.apply(&plan, &applied)
	if applied.Refused != 0 {
		b.Fatalf("%d placements refused", applied.Refused)
	}
	return c
}

// BenchmarkPass is one pass after one change at 5,000 workers and 20,000 running applications. The aim is 5 ms.
func BenchmarkPass(b *testing.B) {
	for _, bc := range []struct {
		name    string
		wanting bool
		change  func(c *cluster)
		want    int // placements
	}{
		{"NewAppOnAFullCluster", false, func(c *cluster) {
			c.app(fsm.Profile{Cores: 4, MemoryMB: 4096, Target: fsm.Unlimited}, 8)
		}, 0},
		{"ExecutorReplaced", false, func(c *cluster) {
			c.apply(&fsm.ExecutorStateChanged{AppID: "app-9000", ID: 0, State: fsm.ExecutorExited, MaxRetries: 10}, nil)
		}, 1},
		{"AppEndsAllOthersWantMore", true, func(c *cluster) {
			c.apply(&fsm.FinishApplication{AppID: "app-9000", State: fsm.AppFinished}, nil)
		}, 1},
		// The worst that was thought of: there is room, and nobody can use it, so everybody must be looked at.
		{"WorkersOfAnotherBuildJoinAllWantMore", true, func(c *cluster) {
			for i := range 500 {
				c.worker(fmt.Sprintf("other-%05d", i), 16, 64<<10, func(w *fsm.Worker) { w.Builds = []string{"another"} })
			}
		}, 0},
		{"WorkersJoinAllWantMore", true, func(c *cluster) {
			for i := range 500 {
				c.worker(fmt.Sprintf("more-%05d", i), 16, 64<<10)
			}
		}, 2000},
		{"NewAppTakesTheWholeEmptyHalf", false, func(c *cluster) {
			for i := range 5000 {
				c.worker(fmt.Sprintf("more-%05d", i), 16, 64<<10)
			}
			c.app(fsm.Profile{Cores: 4, MemoryMB: 4096, Target: fsm.Unlimited}, fsm.Unlimited)
		}, 20000},
	} {
		b.Run(bc.name, func(b *testing.B) {
			c := benchCluster(b, bc.wanting)
			bc.change(c)
			s := c.state()
			b.ReportAllocs()
			for b.Loop() {
				out := scheduler.Plan(s, c.set, scheduler.Input{Seed: 1})
				if len(out.Plan.Executors) != bc.want {
					b.Fatalf("%d placements, want %d", len(out.Plan.Executors), bc.want)
				}
			}
		})
	}
}

// BenchmarkBurst is 20,000 applications that come at once to 5,000 empty workers.
func BenchmarkBurst(b *testing.B) {
	c := newCluster(b, settings())
	for i := range benchWorkers {
		c.worker(fmt.Sprintf("worker-%05d", i), 16, 64<<10)
	}
	for range benchApps {
		c.app(fsm.Profile{Cores: 4, MemoryMB: 4096, Target: fsm.Unlimited}, 4)
	}
	s := c.state()
	b.ReportAllocs()
	for b.Loop() {
		if out := scheduler.Plan(s, c.set, scheduler.Input{Seed: 1}); len(out.Plan.Executors) != benchApps {
			b.Fatalf("%d placements, want %d", len(out.Plan.Executors), benchApps)
		}
	}
}

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

// benchCluster has 20,000 applications of 4 cores each, and workers that have just enough for them, and room for spare
// more of their executors each. wanting: the applications would take more if there were room.
func benchCluster(b *testing.B, workers, spare int, wanting bool) *cluster {
	b.Helper()
	c := newCluster(b, settings())
	each := benchApps / workers
	for i := range workers {
		c.worker(fmt.Sprintf("worker-%05d", i), 4*(each+spare), (each+spare)*16<<10)
	}
	most := 4
	if wanting {
		most = 64
	}
	var plan fsm.ApplyPlan
	for i := range benchApps {
		c.app(fsm.Profile{Cores: 4, MemoryMB: 4096, Target: fsm.Unlimited}, most)
		plan.Executors = append(plan.Executors, fsm.Placement{AppSeq: uint64(i + 1), WorkerID: fmt.Sprintf("worker-%05d", i/each), Cores: 4})
	}
	var applied fsm.PlanApplied
	c.apply(&plan, &applied)
	if applied.Refused != 0 {
		b.Fatalf("%d placements refused", applied.Refused)
	}
	return c
}

// BenchmarkPass is one pass after one change at 20,000 running applications. The aim: at most 5 ms with 5,000 workers, and
// at most twice what it takes with 500.
func BenchmarkPass(b *testing.B) {
	newApp := func(c *cluster) { c.app(fsm.Profile{Cores: 4, MemoryMB: 4096, Target: fsm.Unlimited}, 8) }
	for _, bc := range []struct {
		name    string
		spare   int
		wanting bool
		change  func(c *cluster)
		want    int // placements
	}{
		{"NewAppOnAFullCluster", 0, false, newApp, 0},
		{"NewAppWhereThereIsRoom", 2, false, newApp, 2},
		{"ExecutorReplaced", 0, false, func(c *cluster) {
			c.apply(&fsm.ExecutorStateChanged{AppID: "app-9000", ID: 0, State: fsm.ExecutorExited, MaxRetries: 10}, nil)
		}, 1},
		{"AppEndsAllOthersWantMore", 0, true, func(c *cluster) {
			c.apply(&fsm.FinishApplication{AppID: "app-9000", State: fsm.AppFinished}, nil)
		}, 1},
		// There is room, and nobody can use it.
		{"WorkersOfAnotherBuildJoinAllWantMore", 0, true, func(c *cluster) {
			for i := range 50 {
				c.worker(fmt.Sprintf("other-%05d", i), 16, 64<<10, func(w *fsm.Worker) { w.Builds = []string{"another"} })
			}
		}, 0},
		// The worst that was thought of: nobody but the last of all can use it, so everybody must be looked at.
		{"OnlyTheLastOfAllHasRoom", 0, true, func(c *cluster) {
			c.worker("other", 1, 4096)
			c.app(fsm.Profile{Cores: 1, MemoryMB: 4096, Target: 1}, 8)
		}, 1},
		{"WorkersJoinAllWantMore", 0, true, func(c *cluster) {
			for i := range 50 {
				c.worker(fmt.Sprintf("more-%05d", i), 16, 64<<10)
			}
		}, 200},
	} {
		for _, workers := range []int{500, benchWorkers} {
			b.Run(fmt.Sprintf("%s/%dWorkers", bc.name, workers), func(b *testing.B) {
				c := benchCluster(b, workers, bc.spare, bc.wanting)
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
}

// BenchmarkWholeHalf is one application that takes 20,000 executors on 5,000 new workers.
func BenchmarkWholeHalf(b *testing.B) {
	c := benchCluster(b, benchWorkers, 0, false)
	for i := range 5000 {
		c.worker(fmt.Sprintf("more-%05d", i), 16, 64<<10)
	}
	c.app(fsm.Profile{Cores: 4, MemoryMB: 4096, Target: fsm.Unlimited}, fsm.Unlimited)
	s := c.state()
	b.ReportAllocs()
	for b.Loop() {
		if out := scheduler.Plan(s, c.set, scheduler.Input{Seed: 1}); len(out.Plan.Executors) != benchApps {
			b.Fatalf("%d placements, want %d", len(out.Plan.Executors), benchApps)
		}
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

// BenchmarkWaitingDrivers is one pass while drivers wait that fit nowhere, though there is room. The aim: what waits costs
// a pass nothing in proportion, where it wants the same few things.
func BenchmarkWaitingDrivers(b *testing.B) {
	for _, bc := range []struct {
		name   string
		spare  int
		memory func(i int) int
	}{
		{"TooLarge", 2, func(int) int { return 1 << 20 }},
		{"TooLargeAllDifferent", 2, func(i int) int { return 1<<20 + i }},
		{"TooLargeOfTen", 2, func(i int) int { return 1<<20 + i%10 }},
		{"FullCluster", 0, func(int) int { return 512 }},
	} {
		for _, workers := range []int{500, benchWorkers} {
			for _, drivers := range []int{1, 5000, 20000} {
				b.Run(fmt.Sprintf("%s/%dWorkers/%dDrivers", bc.name, workers, drivers), func(b *testing.B) {
					c := benchCluster(b, workers, bc.spare, false)
					for i := range drivers {
						c.driver(fsm.Driver{Cores: 1, MemoryMB: bc.memory(i)})
					}
					s := c.state()
					b.ReportAllocs()
					for b.Loop() {
						if out := scheduler.Plan(s, c.set, scheduler.Input{Seed: 1}); !out.Empty() {
							b.Fatalf("%d placements", len(out.Plan.Drivers))
						}
					}
				})
			}
		}
	}
}

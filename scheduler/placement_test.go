package scheduler_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/firesteel/firesteel/fsm"
)

// TestPlacement is the table of MasterSuite's 18 placement cases, spread out and not: 3 workers of 10 cores and 512 MiB.
func TestPlacement(t *testing.T) {
	t.Parallel()
	const unlimited = fsm.Unlimited
	cases := []struct {
		name              string
		memory, cores     int
		max, limit        int
		spread, notSpread []int
	}{
		{"basic", 128, 0, unlimited, unlimited, []int{10, 10, 10}, []int{10, 10, 10}},
		{"memory for one executor each", 384, 0, unlimited, unlimited, []int{10, 10, 10}, []int{10, 10, 10}},
		{"max cores 8", 128, 0, 8, unlimited, []int{3, 3, 2}, []int{8, 0, 0}},
		{"max cores 16", 128, 0, 16, unlimited, []int{6, 5, 5}, []int{10, 6, 0}},
		{"cores per executor 2, bound by memory", 128, 2, unlimited, unlimited, []int{8, 8, 8}, []int{8, 8, 8}},
		{"cores per executor 3", 32, 3, unlimited, unlimited, []int{9, 9, 9}, []int{9, 9, 9}},
		{"cores per executor 2, max cores 4", 32, 2, 4, unlimited, []int{2, 2, 0}, []int{4, 0, 0}},
		{"cores per executor 2, max cores 20", 32, 2, 20, unlimited, []int{8, 6, 6}, []int{10, 10, 0}},
		{"cores per executor 3, max cores 20", 32, 3, 20, unlimited, []int{6, 6, 6}, []int{9, 9, 0}},
		{"executor limit 0", 32, 0, unlimited, 0, []int{0, 0, 0}, []int{0, 0, 0}},
		{"executor limit 2", 32, 0, unlimited, 2, []int{10, 10, 0}, []int{10, 10, 0}},
		{"executor limit 5", 32, 0, unlimited, 5, []int{10, 10, 10}, []int{10, 10, 10}},
		{"executor limit 0, max cores 16", 32, 0, 16, 0, []int{0, 0, 0}, []int{0, 0, 0}},
		{"executor limit 2, max cores 16", 32, 0, 16, 2, []int{8, 8, 0}, []int{10, 6, 0}},
		{"executor limit 5, max cores 16", 32, 0, 16, 5, []int{6, 5, 5}, []int{10, 6, 0}},
		{"executor limit 0, cores per executor 4", 32, 4, unlimited, 0, []int{0, 0, 0}, []int{0, 0, 0}},
		{"executor limit 2, cores per executor 4", 32, 4, unlimited, 2, []int{4, 4, 0}, []int{8, 0, 0}},
		{"executor limit 5, cores per executor 4", 32, 4, unlimited, 5, []int{8, 8, 4}, []int{8, 8, 4}},
		{"executor limit 2, cores per executor 4, max cores 18", 32, 4, 18, 2, []int{4, 4, 0}, []int{8, 0, 0}},
		{"executor limit 5, cores per executor 4, max cores 18", 32, 4, 18, 5, []int{8, 4, 4}, []int{8, 8, 0}},
	}
	for _, tc := range cases {
		for _, spread := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/spread=%v", tc.name, spread), func(t *testing.T) {
				t.Parallel()
				set := settings(byID)
				set.SpreadOutApps = spread
				c := newCluster(t, set)
				c.workers(3, 10, 512)
				id := c.app(fsm.Profile{MemoryMB: tc.memory, Cores: tc.cores, Target: tc.limit}, tc.max)
				c.pass()
				want := tc.spread
				if !spread {
					want = tc.notSpread
				}
				if got := c.coresOn(); !slices.Equal(got, want) {
					t.Errorf("cores on the workers: %v, want %v", got, want)
				}
				checkExecutorSizes(t, c, id, tc.cores)
				if again := c.pass(); !again.Empty() {
					t.Errorf("a second pass placed more: %+v", again.Plan)
				}
			})
		}
	}
}

// checkExecutorSizes: executors of the asked size, or one for each worker where none was asked.
func checkExecutorSizes(t *testing.T, c *cluster, appID string, cores int) {
	t.Helper()
	perWorker := map[string]int{}
	for _, e := range c.live(appID) {
		perWorker[e.WorkerID]++
		if cores > 0 && e.Cores != cores {
			t.Errorf("executor %d has %d cores, asked were %d", e.ID, e.Cores, cores)
		}
		if cores == 0 && perWorker[e.WorkerID] > 1 {
			t.Errorf("worker %s runs %d executors of an application that gave no core count", e.WorkerID, perWorker[e.WorkerID])
		}
	}
}

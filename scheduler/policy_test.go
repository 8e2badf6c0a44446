package scheduler_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/scheduler"
)

// TestWorkerSelection is case 20: each policy puts the one executor on the worker that it prefers. Workers differ in
// free, not in total, capacity.
func TestWorkerSelection(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		policy scheduler.Policy
		want   string
	}{
		{scheduler.CoresFreeAsc, "w3"}, {scheduler.CoresFreeDesc, "w4"},
		{scheduler.MemoryFreeAsc, "w4"}, {scheduler.MemoryFreeDesc, "w2"},
		{scheduler.WorkerID, "w1"},
	} {
		t.Run(tc.policy.String(), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, settings(func(s *scheduler.Settings) { s.WorkerSelectionPolicy = tc.policy }))
			c.worker("w2", 6, 9000)
			c.worker("w4", 20, 3000)
			c.worker("w1", 6, 4000)
			c.worker("w3", 30, 8000)
			for _, use := range []struct {
				worker        string
				cores, memory int
			}{{"w3", 26, 3000}, {"w1", 1, 100}} {
				id := c.driver(fsm.Driver{Cores: use.cores, MemoryMB: use.memory})
				c.apply(&fsm.ApplyPlan{Drivers: []fsm.DriverPlacement{{DriverID: id, WorkerID: use.worker}}}, nil)
			}
			id := c.app(fsm.Profile{Cores: 1, MemoryMB: 128, Target: 1}, fsm.Unlimited)
			c.pass()
			if got := c.live(id); len(got) != 1 || got[0].WorkerID != tc.want {
				t.Errorf("placed on %s, want %s", got[0].WorkerID, tc.want)
			}
		})
	}
}

// TestTies: equal workers are taken by ascending id, and by descending id where the policy reverses the whole order.
func TestTies(t *testing.T) {
	t.Parallel()
	for policy, want := range map[scheduler.Policy][]string{
		scheduler.CoresFreeAsc: {"w1", "w2"}, scheduler.CoresFreeDesc: {"w3", "w2"},
		scheduler.MemoryFreeAsc: {"w1", "w2"}, scheduler.MemoryFreeDesc: {"w3", "w2"},
		scheduler.WorkerID: {"w1", "w2"},
	} {
		c := newCluster(t, settings(func(s *scheduler.Settings) { s.WorkerSelectionPolicy = policy }))
		c.workers(3, 10, 512)
		id := c.app(fsm.Profile{Cores: 1, MemoryMB: 128, Target: 2}, fsm.Unlimited)
		c.pass()
		var got []string
		for _, e := range c.live(id) {
			got = append(got, e.WorkerID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: placed on %v, want %v", policy, got, want)
		}
	}
}

// TestOrderFollowsThePass: what an earlier application of the same pass was given counts for the order of a later one.
func TestOrderFollowsThePass(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.workers(3, 10, 4096)
	one := fsm.Profile{Cores: 4, MemoryMB: 128, Target: 1}
	var ids []string
	for range 3 {
		ids = append(ids, c.app(one, fsm.Unlimited))
	}
	c.pass()
	for i, want := range []string{"w3", "w2", "w1"} {
		if got := c.live(ids[i]); got[0].WorkerID != want {
			t.Errorf("application %d: on %s, want %s", i, got[0].WorkerID, want)
		}
	}
}

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	for p := scheduler.CoresFreeDesc; p <= scheduler.WorkerID; p++ {
		for _, s := range []string{p.String(), strings.ToLower(p.String()), " " + p.String() + " "} {
			if got, err := scheduler.ParsePolicy(s); err != nil || got != p {
				t.Errorf("ParsePolicy(%q) = %v, %v", s, got, err)
			}
		}
	}
	for _, s := range []string{"", "CORES", "CORES_FREE_DESC_"} {
		if _, err := scheduler.ParsePolicy(s); err == nil || !strings.Contains(err.Error(), "MEMORY_FREE_ASC") {
			t.Errorf("ParsePolicy(%q): %v; the error must name the choices", s, err)
		}
	}
}

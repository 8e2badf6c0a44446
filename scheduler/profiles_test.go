package scheduler_test

import (
	"testing"

	"github.com/firesteel/firesteel/fsm"
)

// profileCluster is the cluster and the application of MasterSuite's tests of several resource profiles: 3 workers of 2
// cores and 512 MiB, a default profile without cores, and four more.
func profileCluster(t *testing.T, maxCores int) (*cluster, map[int]int) {
	c := newCluster(t, settings())
	c.workers(3, 2, 512)
	id := c.app(fsm.Profile{MemoryMB: 128, Target: 0}, maxCores)
	c.request(id,
		fsm.Profile{ID: 4, Cores: 1, MemoryMB: 128, Target: 2},
		fsm.Profile{ID: 0, Target: 1},
		fsm.Profile{ID: 1, Cores: 3, MemoryMB: 128, Target: 1},
		fsm.Profile{ID: 2, Cores: 1, MemoryMB: 1024, Target: 1},
		fsm.Profile{ID: 3, Cores: 1, MemoryMB: 256, Target: 1},
	)
	c.pass()
	count := map[int]int{}
	for _, e := range c.live(id) {
		count[e.Profile]++
		if want := map[int]int{0: 128, 3: 256, 4: 128}[e.Profile]; e.MemoryMB != want {
			t.Errorf("an executor of profile %d has %d MiB, want %d", e.Profile, e.MemoryMB, want)
		}
	}
	return c, count
}

// TestProfiles is case 15: profiles that no worker can hold get none, the others what they asked for.
func TestProfiles(t *testing.T) {
	t.Parallel()
	_, got := profileCluster(t, fsm.Unlimited)
	if got[0] != 1 || got[1] != 0 || got[2] != 0 || got[3] != 1 || got[4] != 2 {
		t.Errorf("executors by profile: %v", got)
	}
}

// TestProfilesShareMaxCores is case 16: the application's cores are shared by its profiles in ascending order.
func TestProfilesShareMaxCores(t *testing.T) {
	t.Parallel()
	_, got := profileCluster(t, 4)
	if got[0] != 1 || got[3] != 1 || got[4] != 1 || len(got) != 3 {
		t.Errorf("executors by profile: %v", got)
	}
}

// TestProfileInherits is case 17: cores and memory come from the default profile, custom resources do not.
func TestProfileInherits(t *testing.T) {
	t.Parallel()
	c := newCluster(t, settings())
	c.worker("w1", 8, 8192, func(w *fsm.Worker) { w.Resources = map[string][]string{"gpu": {"0"}, "fpga": {"f0"}} })
	c.worker("w2", 8, 8192)
	def := fsm.Profile{Cores: 2, MemoryMB: 700, Target: 0, Resources: []fsm.ResourceAmount{{Name: "gpu", Amount: 1}}}
	id := c.app(def, fsm.Unlimited)
	c.request(id,
		fsm.Profile{ID: 1, Target: 2},
		fsm.Profile{ID: 2, Target: 2, Resources: []fsm.ResourceAmount{{Name: "gpu", Amount: 1}, {Name: "fpga", Amount: 1}}},
	)
	p, _ := c.mustApp(id).Profile(2)
	if p.Resources[0].Name != "fpga" || p.Resources[1].Name != "gpu" {
		t.Errorf("custom requirements are not sorted by name: %v", p.Resources)
	}
	c.pass()
	workers := map[int]map[string]int{}
	for _, e := range c.live(id) {
		if e.Cores != 2 || e.MemoryMB != 700 {
			t.Errorf("an executor of profile %d has %d cores, %d MiB; want the default profile's 2, 700", e.Profile, e.Cores, e.MemoryMB)
		}
		if workers[e.Profile] == nil {
			workers[e.Profile] = map[string]int{}
		}
		workers[e.Profile][e.WorkerID]++
	}
	if workers[1]["w1"] != 1 || workers[1]["w2"] != 1 {
		t.Errorf("profile 1 needs no gpu and was placed on %v", workers[1])
	}
	if workers[2]["w1"] != 1 || len(workers[2]) != 1 {
		t.Errorf("profile 2 fits once, on w1; it was placed on %v", workers[2])
	}
}

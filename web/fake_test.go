package web

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// Dates are printed in the zone of the process.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// The moments of facts' example: 2026-01-02 03:05:00.777 UTC and its surroundings, in milliseconds.
const (
	submitted = int64(1767323100777)
	now       = submitted + 51234
)

type fakeMaster struct {
	machine *fsm.Machine
	leading bool
	beats   map[string]int64
	index   uint64
	barrier func(context.Context) error // nil: passes at once
}

func (f *fakeMaster) State() *fsm.State { return f.machine.State() }
func (f *fakeMaster) ReadBarrier(ctx context.Context) error {
	if f.barrier == nil {
		return nil
	}
	return f.barrier(ctx)
}
func (f *fakeMaster) Leading() bool                 { return f.leading }
func (f *fakeMaster) URL() string                   { return "spark://m1.example:7077" }
func (f *fakeMaster) LastHeartbeat(id string) int64 { return f.beats[id] }
func (f *fakeMaster) Cluster() Cluster {
	return Cluster{ClusterID: "c-1", Leader: "m1", Term: 7, GossipKey: true, FailureTolerance: 1, Voters: 3, Masters: []MasterInfo{
		{ID: "m1", Spark: "h1:7077", Web: "http://h1:8080", RPC: "h1:7078", Gossip: "h1:7946", Raft: "h1:7078", Leader: true, Alive: true, Member: true, Voter: true, Healthy: true},
		{ID: "m2", RPC: "h2:7078", Raft: "h2:7078", Member: true, Voter: true, Lag: 3, Problem: "it does not answer"},
	}}
}

func newFake(t *testing.T, leading bool) *fakeMaster {
	t.Helper()
	return &fakeMaster{leading: leading, beats: map[string]int64{}, machine: fsm.New(fsm.Config{Fatal: func(err error) { panic(err) }})}
}

// do carries out commands, none of which may be refused.
func (f *fakeMaster) do(t *testing.T, cmds ...fsm.Command) {
	t.Helper()
	for _, c := range cmds {
		f.index++
		result := f.machine.Apply(f.index, 1, [][]byte{fsm.Encode(c, "")})[0]
		if err := fsm.DecodeResult(result, nil); err != nil {
			t.Fatalf("%T: %v", c, err)
		}
	}
	if err := f.State().Invariants(); err != nil {
		t.Fatal(err)
	}
}

// busy has one of everything: a worker with a GPU half used, one that is drained, one that is lost; applications that run,
// wait, have finished and were killed; drivers that run, wait and have ended.
func busy(t *testing.T, leading bool) *fakeMaster {
	t.Helper()
	f := newFake(t, leading)
	worker := func(id, host string, cores, memory int, res map[string][]string) *fsm.RegisterWorker {
		return &fsm.RegisterWorker{Worker: fsm.Worker{
			ID: id, Host: host, Port: 41001, Cores: cores, MemoryMB: memory, WebUIURL: "http://" + host + ":8081", Kind: fsm.WorkerGo,
			Builds: []string{"b"}, Resources: res, Incarnation: "i", Registered: submitted - 1000,
		}}
	}
	app := func(name string, n, cores int, at int64, needs ...fsm.ResourceAmount) *fsm.RegisterApplication {
		return &fsm.RegisterApplication{
			App: fsm.App{
				Name: name, User: "etl", MaxCores: cores, Build: "b", DriverHost: "d", DriverPort: n, Submitted: at,
				Profiles: []fsm.Profile{{Cores: 4, MemoryMB: 1024, Resources: needs, Target: 1}},
			},
			ID: fsm.IDParts{Prefix: "app-20260102030500-", Width: 4}, Retained: 10,
		}
	}
	driver := &fsm.SubmitDriver{
		Driver: fsm.Driver{Cores: 1, MemoryMB: 1024, MainClass: "org.acme.Nightly", Build: "b", Submitted: submitted - 2277, Needs: []fsm.ResourceAmount{{Name: "gpu", Amount: 1}}},
		ID:     fsm.IDParts{Prefix: "driver-20260102030458-", Width: 4},
	}
	f.do(t,
		worker("worker-1", "10.0.0.7", 16, 64512, map[string][]string{"gpu": {"0", "1"}, "fpga": {"f"}}),
		worker("worker-2", "10.0.0.8", 8, 4096, nil), worker("worker-3", "10.0.0.9", 4, 2048, nil),
		app(`nightly "x" <y>`, 1, 4, submitted, fsm.ResourceAmount{Name: "gpu", Amount: 1}), app("waiting", 2, 8, submitted+1),
		app("done", 3, 8, submitted+2), app("killed", 4, 8, submitted+3),
		driver, driver, driver,
		&fsm.ApplyPlan{
			Executors: []fsm.Placement{{AppSeq: 1, WorkerID: "worker-1", Cores: 4}},
			Drivers:   []fsm.DriverPlacement{{DriverID: "driver-20260102030458-0000", WorkerID: "worker-1"}}, At: submitted + 10,
		},
	)
	apps := []string{}
	for a := range f.State().Apps() {
		apps = append(apps, a.ID)
	}
	f.do(t,
		&fsm.ExecutorStateChanged{AppID: apps[0], ID: 0, State: fsm.ExecutorRunning, At: submitted + 20, MaxRetries: 10, WorkerID: "worker-1"},
		&fsm.FinishApplication{AppID: apps[2], State: fsm.AppFinished, At: submitted + 1002, Retained: 10},
		&fsm.FinishApplication{AppID: apps[3], State: fsm.AppKilled, At: submitted + 2003, Retained: 10},
		&fsm.KillDriver{ID: "driver-20260102030458-0002", At: submitted + 30, Retained: 10},
		&fsm.DecommissionWorker{ID: "worker-2", At: submitted + 40},
		&fsm.WorkerLost{ID: "worker-3", At: submitted + 50, Reason: "gone", Retained: 10},
	)
	f.beats = map[string]int64{"worker-1": submitted + 45000}
	return f
}

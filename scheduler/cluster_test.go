package scheduler_test

import (
	"fmt"
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/scheduler"
)

const build = "spark-test"

// cluster drives a real state machine and plans on its states.
type cluster struct {
	t     testing.TB
	m     *fsm.Machine
	set   scheduler.Settings
	index uint64
	seed  uint64
}

func newCluster(t testing.TB, set scheduler.Settings) *cluster {
	return &cluster{t: t, set: set, m: fsm.New(fsm.Config{Fatal: func(err error) { t.Fatal(err) }})}
}

// apply carries out one command; it must not be refused.
func (c *cluster) apply(cmd fsm.Command, out any) {
	c.t.Helper()
	c.index++
	if err := fsm.DecodeResult(c.m.Apply(c.index, 1, [][]byte{fsm.Encode(cmd, "")})[0], out); err != nil {
		c.t.Fatalf("%T: %v", cmd, err)
	}
}

func (c *cluster) worker(id string, cores, memory int, change ...func(*fsm.Worker)) {
	c.t.Helper()
	w := fsm.Worker{ID: id, Host: "host-" + id, Port: 7000, Cores: cores, MemoryMB: memory, Builds: []string{build}, Kind: fsm.WorkerGo, Incarnation: "1"}
	for _, f := range change {
		f(&w)
	}
	c.apply(&fsm.RegisterWorker{Worker: w}, nil)
}

// workers adds workers w1, w2, ... of one size.
func (c *cluster) workers(n, cores, memory int) {
	c.t.Helper()
	for i := range n {
		c.worker(fmt.Sprintf("w%d", i+1), cores, memory)
	}
}

func (c *cluster) app(def fsm.Profile, maxCores int, change ...func(*fsm.App)) string {
	c.t.Helper()
	a := fsm.App{Name: "app", MaxCores: maxCores, Build: build, DriverHost: "driver", DriverPort: int(c.index) + 1, Profiles: []fsm.Profile{def}}
	for _, f := range change {
		f(&a)
	}
	var out fsm.AppRegistered
	c.apply(&fsm.RegisterApplication{App: a, ID: fsm.IDParts{Prefix: "app-", Width: 4}}, &out)
	return out.AppID
}

func (c *cluster) driver(d fsm.Driver) string {
	c.t.Helper()
	if d.Build == "" {
		d.Build = build
	}
	var out fsm.DriverSubmittedResult
	c.apply(&fsm.SubmitDriver{Driver: d, ID: fsm.IDParts{Prefix: "driver-", Width: 4}}, &out)
	return out.DriverID
}

// pass plans, applies the plan, and checks that all of it fitted and that the state is sound.
func (c *cluster) pass() scheduler.Outcome {
	c.t.Helper()
	return c.passExcluding(nil)
}

func (c *cluster) passExcluding(exclude func(string) bool) scheduler.Outcome {
	c.t.Helper()
	c.seed++
	out := scheduler.Plan(c.m.State(), c.set, scheduler.Input{Seed: c.seed, Exclude: exclude, Warn: true})
	var applied fsm.PlanApplied
	c.apply(&out.Plan, &applied)
	if applied.Refused != 0 {
		c.t.Fatalf("%d lines of a fresh plan were refused: %+v", applied.Refused, out.Plan)
	}
	if err := c.m.State().Invariants(); err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *cluster) state() *fsm.State { return c.m.State() }

func (c *cluster) mustApp(id string) *fsm.App {
	c.t.Helper()
	a, ok := c.state().App(id)
	if !ok {
		c.t.Fatalf("application %s is gone", id)
	}
	return a
}

// coresOn are the cores in use on each worker, by worker id.
func (c *cluster) coresOn() []int {
	var out []int
	for w := range c.state().Workers() {
		out = append(out, w.CoresUsed)
	}
	return out
}

// live are the application's executors that are not finished.
func (c *cluster) live(appID string) (out []*fsm.Executor) {
	for e := range c.state().Executors(c.mustApp(appID)) {
		if !e.State.Finished() {
			out = append(out, e)
		}
	}
	return out
}

func (c *cluster) request(appID string, targets ...fsm.Profile) {
	c.t.Helper()
	c.apply(&fsm.RequestExecutors{AppID: appID, Targets: targets}, nil)
}

func (c *cluster) kill(appID string, ids ...int) {
	c.t.Helper()
	c.apply(&fsm.KillExecutors{AppID: appID, IDs: ids}, nil)
}

func (c *cluster) killAll(appID string) {
	c.t.Helper()
	var ids []int
	for _, e := range c.live(appID) {
		ids = append(ids, e.ID)
	}
	c.kill(appID, ids...)
}

func settings(change ...func(*scheduler.Settings)) scheduler.Settings {
	s := scheduler.DefaultSettings()
	for _, f := range change {
		f(&s)
	}
	return s
}

// byID makes the policy's order the order of the workers' ids, which Spark's own placement tests count in.
func byID(s *scheduler.Settings) { s.WorkerSelectionPolicy = scheduler.WorkerID }

package fsm

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// randomMachine drives two machines with the same bytes, of which one is now and then replaced by its own snapshot, and
// the model beside them.
type randomMachine struct {
	straight, other *Machine
	model           model
	index           uint64
	sub             *Subscription
	follower        *follower
	ports           int
}

func newRandomMachine(t *rapid.T) *randomMachine {
	fatal := Config{Fatal: func(err error) { t.Fatalf("fatal: %v", err) }}
	r := &randomMachine{straight: New(fatal), other: New(fatal), model: model{maxRetries: 3}}
	var s *State
	s, r.sub = r.straight.Subscribe()
	r.follower = follow(s)
	return r
}

var (
	workerNames = []string{"w1", "w2", "w3", "w4"}
	lives       = []string{"first", "second", "third"}
)

func drawID(t *rapid.T, prefix string, n int) string {
	return fmt.Sprintf("%s%04d", prefix, rapid.IntRange(max(0, n-6), n).Draw(t, prefix))
}

func (r *randomMachine) drawReport(t *rapid.T) *WorkerReport {
	c := &WorkerReport{ID: rapid.SampledFrom(workerNames).Draw(t, "worker")}
	for e := range r.straight.State().ExecutorsOn(c.ID) {
		if rapid.IntRange(0, 3).Draw(t, "listed") > 0 {
			c.Executors = append(c.Executors, ReportedExecutor{e.AppID, e.ID, ExecutorRunning})
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "drivers") {
		c.Drivers = append(c.Drivers, drawID(t, "driver-", r.model.driverNumber))
	}
	return c
}

func (r *randomMachine) drawExecutorReport(t *rapid.T) *ExecutorStateChanged {
	c := &ExecutorStateChanged{
		AppID: drawID(t, "app-", r.model.appNumber), ID: rapid.IntRange(0, 4).Draw(t, "executor"), MaxRetries: 3, Retained: 5,
		State: rapid.SampledFrom([]ExecutorState{ExecutorRunning, ExecutorRunning, ExecutorExited, ExecutorFailed, ExecutorKilled, ExecutorLost}).Draw(t, "state"),
	}
	if c.State == ExecutorExited {
		code := rapid.IntRange(0, 1).Draw(t, "exit")
		c.ExitStatus = &code
	}
	return c
}

func (r *randomMachine) drawPlan(t *rapid.T) *ApplyPlan {
	c := &ApplyPlan{}
	for range rapid.IntRange(0, 4).Draw(t, "executors") {
		c.Executors = append(c.Executors, Placement{
			AppSeq: uint64(rapid.IntRange(max(1, r.model.appNumber-5), r.model.appNumber+1).Draw(t, "app")), Profile: rapid.IntRange(0, 1).Draw(t, "profile"),
			WorkerID: rapid.SampledFrom(workerNames).Draw(t, "worker"), Cores: rapid.IntRange(0, 3).Draw(t, "cores"),
		})
	}
	for range rapid.IntRange(0, 2).Draw(t, "drivers") {
		c.Drivers = append(c.Drivers, DriverPlacement{drawID(t, "driver-", r.model.driverNumber), rapid.SampledFrom(workerNames).Draw(t, "worker")})
	}
	return c
}

// draw makes one command that has a fair chance to mean something.
func (r *randomMachine) draw(t *rapid.T) Command {
	worker := func() string { return rapid.SampledFrom(workerNames).Draw(t, "worker") }
	switch rapid.SampledFrom([]Type{
		TypeRegisterWorker, TypeRegisterWorker, TypeWorkerLost, TypeWorkerReport, TypeDecommissionWorker, TypeDecommissionHosts, TypeRecommissionWorker, TypePruneWorkers, TypeSuspectWorker, TypeSetBrake, TypeRegisterApplication,
		TypeRegisterApplication, TypeFinishApplication, TypeRequestExecutors, TypeKillExecutors, TypeExecutorStateChanged, TypeExecutorStateChanged,
		TypeExecutorStateChanged, TypeApplyPlan, TypeApplyPlan, TypeApplyPlan, TypeSubmitDriver, TypeKillDriver, TypeDriverStateChanged, TypeLoseDriver, TypeReleaseDriver,
	}).Draw(t, "command") {
	case TypeRegisterWorker:
		w := testWorker(worker())
		w.Incarnation = rapid.SampledFrom(lives).Draw(t, "life")
		w.Kind = rapid.SampledFrom([]WorkerKind{WorkerGo, WorkerGo, WorkerJVM}).Draw(t, "kind")
		w.Host = "h" + rapid.SampledFrom(workerNames).Draw(t, "host")
		w.DriverLeaseMS = rapid.SampledFrom([]int64{0, 1000}).Draw(t, "lease")
		w.Cores, w.MemoryMB = rapid.IntRange(1, 8).Draw(t, "cores"), rapid.IntRange(1, 8).Draw(t, "memory")*128
		return &RegisterWorker{Worker: w, ReplaceAddress: rapid.Bool().Draw(t, "replace"), Damping: drawDamping(t), Drain: rapid.SampledFrom([]Drain{DrainNone, DrainNone, DrainKept, DrainAsked}).Draw(t, "drain"), PastSilent: rapid.Bool().Draw(t, "past")}
	case TypeWorkerLost:
		return &WorkerLost{ID: worker(), Incarnation: rapid.SampledFrom(append([]string{""}, lives...)).Draw(t, "life"), Retained: 5, At: drawTime(t), Damping: drawDamping(t), Silent: rapid.Bool().Draw(t, "silent")}
	case TypeWorkerReport:
		return r.drawReport(t)
	case TypeDecommissionWorker:
		return &DecommissionWorker{ID: worker(), Incarnation: rapid.SampledFrom(append([]string{""}, lives...)).Draw(t, "life")}
	case TypeDecommissionHosts:
		return &DecommissionHosts{Hosts: []string{"HW" + rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "host")}}
	case TypeRecommissionWorker:
		return &RecommissionWorker{ID: worker()}
	case TypePruneWorkers:
		return &PruneWorkers{Before: 1 << 40}
	case TypeSuspectWorker:
		return &SuspectWorker{ID: worker(), Since: drawTime(t), Reason: "silent", At: drawTime(t), Damping: drawDamping(t)}
	case TypeSetBrake:
		return &SetBrake{Brake{Since: drawTime(t), Until: drawTime(t)}}
	case TypeRegisterApplication:
		if rapid.IntRange(0, 3).Draw(t, "new") > 0 {
			r.ports++
		}
		return &RegisterApplication{ID: appIDs, App: testApp(r.ports+1, func(a *App) {
			a.MaxCores = rapid.SampledFrom([]int{2, 6, Unlimited}).Draw(t, "max cores")
			a.Profiles[0] = Profile{Cores: rapid.IntRange(0, 2).Draw(t, "cores"), MemoryMB: 128, Target: rapid.SampledFrom([]int{0, 2, Unlimited}).Draw(t, "target")}
		})}
	case TypeFinishApplication:
		return &FinishApplication{AppID: drawID(t, "app-", r.model.appNumber), State: AppFinished, Retained: 5}
	case TypeRequestExecutors:
		return &RequestExecutors{AppID: drawID(t, "app-", r.model.appNumber), Targets: []Profile{{
			ID: rapid.IntRange(0, 1).Draw(t, "profile"), Cores: rapid.IntRange(0, 2).Draw(t, "cores"), Target: rapid.IntRange(0, 4).Draw(t, "target"),
		}}}
	case TypeKillExecutors:
		return &KillExecutors{AppID: drawID(t, "app-", r.model.appNumber), IDs: rapid.SliceOfN(rapid.IntRange(0, 4), 0, 3).Draw(t, "ids")}
	case TypeExecutorStateChanged:
		return r.drawExecutorReport(t)
	case TypeApplyPlan:
		return r.drawPlan(t)
	case TypeSubmitDriver:
		return &SubmitDriver{ID: driverIDs, Driver: Driver{
			Cores: rapid.IntRange(1, 3).Draw(t, "cores"), MemoryMB: 128, Build: testBuild, Supervise: rapid.Bool().Draw(t, "supervise"),
		}}
	case TypeKillDriver:
		return &KillDriver{ID: drawID(t, "driver-", r.model.driverNumber), Retained: 5}
	case TypeLoseDriver:
		return &LoseDriver{ID: drawID(t, "driver-", r.model.driverNumber), Retained: 5}
	case TypeReleaseDriver:
		return &ReleaseDriver{ID: drawID(t, "driver-", r.model.driverNumber), Hold: rapid.IntRange(1, 3).Draw(t, "hold")}
	}
	return &DriverStateChanged{
		ID: drawID(t, "driver-", r.model.driverNumber), Retained: 5, State: rapid.SampledFrom([]DriverState{DriverFinished, DriverFailed, DriverKilled}).Draw(t, "state"),
	}
}

// apply gives one log entry of some commands to both machines and to the model, and compares all of them.
func (r *randomMachine) apply(t *rapid.T) {
	var cmds []Command
	var entry [][]byte
	for range rapid.IntRange(1, 4).Draw(t, "commands in the entry") {
		c := r.draw(t)
		cmds = append(cmds, c)
		entry = append(entry, Encode(c, ""))
	}
	r.index++
	before := r.straight.State()
	digest := before.Digest()
	a, b := r.straight.Apply(r.index, 1, entry), r.other.Apply(r.index, 1, entry)
	for i, c := range cmds {
		want := r.model.apply(c)
		if got := RefusalCode(DecodeResult(a[i], nil)); got != want {
			t.Fatalf("%T %+v is answered with code %d, by the model with %d", c, c, got, want)
		}
		if !bytes.Equal(a[i], b[i]) {
			t.Fatalf("%T: the machines answer %x and %x", c, a[i], b[i])
		}
	}
	if before.Digest() != digest {
		t.Fatalf("an earlier state has changed")
	}
}

func (r *randomMachine) check(t *rapid.T) {
	s := r.straight.State()
	if err := s.Invariants(); err != nil {
		t.Fatal(err)
	}
	if err := r.model.compare(s); err != nil {
		t.Fatal(err)
	}
	if s.Digest() != r.other.State().Digest() {
		t.Fatal("the two machines differ")
	}
	if apps := s.completedApps.Len(); apps > 5 {
		t.Fatalf("%d completed applications kept, the setting is 5", apps)
	}
	if r.index > 0 && s.Index() != r.index {
		t.Fatalf("the state stands at %d, applied was %d", s.Index(), r.index)
	}
}

// TestRandomCommands: whatever comes in whatever order, the invariants hold, the answers and the state are the model's,
// the events lead to the state, two machines stay equal, and one that goes through snapshots does not differ.
func TestRandomCommands(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRandomMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"": r.check,
			"apply": func(rt *rapid.T) {
				r.apply(rt)
				if err := r.follower.catchUp(context.Background(), r.sub, r.index); err != nil {
					rt.Fatal(err)
				}
			},
			"snapshot and restore": func(t *rapid.T) {
				var buf bytes.Buffer
				if err := r.other.State().Write(&buf); err != nil {
					t.Fatal(err)
				}
				if err := r.other.Restore(&buf); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

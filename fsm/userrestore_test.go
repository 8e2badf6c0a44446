package fsm

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// snapshot is what an operator has saved of this cluster.
func (h *harness) snapshot() []byte {
	h.t.Helper()
	return snapshotOf(h.t, h.m.State())
}

func snapshotOf(t interface{ Fatal(...any) }, s *State) []byte {
	var buf bytes.Buffer
	if err := s.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// restoreCommands are those of a restore, in pieces of some bytes.
func restoreCommands(snapshot []byte, piece int, change ...func(*RestoreState)) []Command {
	var out []Command
	at := int64(0)
	for p := range slices.Chunk(snapshot, piece) {
		out = append(out, &StageRestore{ID: "r", Offset: at, Data: p})
		at += int64(len(p))
	}
	sum := sha256.Sum256(snapshot)
	c := &RestoreState{ID: "r", Size: at, SHA256: sum[:], At: 5000, RetainedApps: 5, RetainedDrivers: 5}
	for _, f := range change {
		f(c)
	}
	return append(out, c)
}

func (h *harness) restore(snapshot []byte, change ...func(*RestoreState)) (out StateRestored) {
	h.t.Helper()
	cmds := restoreCommands(snapshot, 100, change...)
	for _, c := range cmds[:len(cmds)-1] {
		h.do(c, nil)
	}
	_, events := h.m.Subscribe()
	defer events.Close()
	h.do(cmds[len(cmds)-1], &out)
	_, evs, err := events.Next(h.t.Context())
	if err != nil || evs[len(evs)-1].Kind != StateReplaced {
		h.t.Fatalf("the duties are told %+v, %v", evs, err)
	}
	if h.m.State().RestoreStaged() != "" {
		h.t.Error("the pieces are still there")
	}
	return out
}

func keepLive(c *RestoreState) { c.Keep = true }

func onCluster(h *harness, id string) *harness {
	h.do(&SetCluster{ID: id, Voters: 3}, nil)
	return h
}

// All masters have lost their disks: a new cluster takes the old one's state, and what ran through it goes on.
func TestRestoreIntoANewCluster(t *testing.T) {
	t.Parallel()
	old := onCluster(newHarness(t), "old")
	old.worker("w1", func(w *Worker) { w.Resources = map[string][]string{"gpu": {"0", "1"}} })
	over := old.app(1)
	old.do(&FinishApplication{AppID: over.ID, State: AppFinished, At: 10}, nil)
	app := old.app(2)
	old.report(app, old.place(app, "w1", "w1")[0], ExecutorRunning)
	running, waiting, ended := old.driver(func(d *Driver) { d.Needs = []ResourceAmount{{"gpu", 1}} }), old.driver(supervised), old.driver()
	old.placeDriver(running, "w1")
	old.do(&KillDriver{ID: ended, At: 11}, nil)
	old.do(&SubmitDriver{Driver: Driver{Cores: 1, MemoryMB: 1, Submitted: 12}, ID: driverIDs, Key: "k", KeepMS: 1000}, nil)
	old.do(&RemoveMaster{ID: "m1"}, nil)

	h := onCluster(newHarness(t), "new")
	if got, want := h.restore(old.snapshot()), (StateRestored{Workers: 1, Apps: 1, Drivers: 3, CompletedApps: 1, CompletedDrivers: 1}); got != want {
		t.Errorf("restored %+v, want %+v", got, want)
	}
	s := h.m.State()
	if s.ClusterID() != "new" || s.MasterRemoved("m1") || s.Index() != h.index {
		t.Errorf("cluster %s at %d; m1 removed: %v", s.ClusterID(), s.Index(), s.MasterRemoved("m1"))
	}
	back := h.getApp(app.ID)
	if back.Running != 1 || back.Cores != 2 || h.executor(back, 0).State != ExecutorRunning || string(back.Description) != "description" {
		t.Errorf("%+v", back)
	}
	if ids := h.place(back, "w1"); ids[0] < 1000 {
		t.Errorf("a new executor has the id %d, which may have been given after the snapshot", ids[0])
	}
	if d := h.getDriver(running); d.State != DriverRunning || d.WorkerID != "w1" || len(d.Resources["gpu"]) != 1 {
		t.Errorf("%+v", d)
	}
	if d := h.getDriver(waiting); d.State != DriverSubmitted || !d.Supervise {
		t.Errorf("%+v", d)
	}
	if d, ok := s.CompletedDriver(ended); !ok || d.State != DriverKilled {
		t.Errorf("%+v", d)
	}
	if h.lastApp().App.ID != over.ID {
		t.Errorf("%+v", h.lastApp())
	}
	var again DriverSubmittedResult
	h.do(&SubmitDriver{Driver: Driver{Cores: 1, MemoryMB: 1, Submitted: 500}, ID: driverIDs, Key: "k", KeepMS: 1000}, &again)
	if !again.Duplicate {
		t.Error("a submission that was taken before makes a second driver")
	}
	if id := h.driver(); id <= again.DriverID {
		t.Errorf("the id %s was given before", id)
	}
	// The worker comes and lists what the snapshot knows: nothing is killed.
	var out WorkerReconciled
	h.do(&WorkerReport{ID: "w1", Executors: []ReportedExecutor{{app.ID, 0, ExecutorRunning}}, Drivers: []string{running}}, &out)
	if len(out.Kill)+len(out.KillDrivers) > 0 {
		t.Errorf("%+v", out)
	}
}

// A cluster that lives takes a snapshot of its own past.
func TestRestoreIntoALivingCluster(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		h := onCluster(newHarness(t), "c")
		h.worker("w1")
		h.worker("w2")
		both, since := h.app(1), h.app(2)
		h.place(both, "w1")
		waited := h.driver()
		moved := h.driver(supervised)
		h.placeDriver(moved, "w1")
		past := h.snapshot()

		h.do(&FinishApplication{AppID: since.ID, State: AppFinished, At: 20}, nil)
		h.placeDriver(waited, "w2")
		h.do(&DriverStateChanged{ID: waited, State: DriverFinished, At: 21}, nil)
		h.do(&DecommissionWorker{ID: "w2", At: 22}, nil)
		h.place(both, "w1")
		newApp, newDriver := h.app(3), h.driver()
		h.place(newApp, "w1")
		h.placeDriver(newDriver, "w1")

		want := StateRestored{EndedApps: 1, EndedDrivers: 1}
		var change []func(*RestoreState)
		if keep {
			want, change = StateRestored{}, append(change, keepLive)
		}
		if got := h.restore(past, change...); got != want {
			t.Errorf("restored %+v, want %+v", got, want)
		}
		if a := h.getApp(both.ID); a.Cores != 2 || a.NextExecID != 2 {
			t.Errorf("what lives and was known is changed: %+v", a)
		}
		if _, live := h.m.State().App(since.ID); live {
			t.Error("an application that has ended lives again")
		}
		if d, ok := h.m.State().CompletedDriver(waited); !ok || d.State != DriverFinished {
			t.Errorf("a driver that has finished would run again: %+v", d)
		}
		if h.getWorker("w2").State != WorkerDecommissioned {
			t.Error("a drained worker is given work")
		}
		if h.getDriver(moved).State != DriverRunning {
			t.Error("a driver that runs was touched")
		}
		_, live := h.m.State().App(newApp.ID)
		_, runs := h.m.State().Driver(newDriver)
		if live != keep || runs != keep {
			t.Errorf("what came after the snapshot lives: %v %v, to be kept: %v", live, runs, keep)
		}
		if d, ok := h.m.State().CompletedDriver(newDriver); !keep && (!ok || d.State != DriverKilled || !strings.Contains(d.Exception, "restored")) {
			t.Errorf("%+v", d)
		}
		if a := h.lastApp().App; !keep && (a.ID != newApp.ID || a.State != AppKilled || len(a.DriverRef) == 0) {
			t.Errorf("its driver cannot be told: %+v", a)
		}
	}
}

// What the snapshot has on workers that are full, or whose address is another's, is gone; nothing is oversold.
func TestRestoreWhereOthersAreNow(t *testing.T) {
	t.Parallel()
	old := onCluster(newHarness(t), "c")
	old.worker("w1", func(w *Worker) { w.Cores = 2 })
	old.worker("w2")
	full, replaced := old.app(1), old.app(2)
	old.place(full, "w1", "w1")
	old.place(replaced, "w2")
	plain, kept := old.driver(), old.driver(supervised)
	old.placeDriver(plain, "w2")
	old.placeDriver(kept, "w2")
	starter := old.driver()
	old.placeDriver(starter, "w2")
	started := old.app(4, func(a *App) { a.DriverID = starter })

	h := onCluster(newHarness(t), "d")
	h.worker("w1", func(w *Worker) { w.Cores = 2 })
	h.worker("w3", func(w *Worker) { w.Host = "host-w2" })
	var mine AppRegistered
	h.do(&RegisterApplication{App: testApp(2), ID: IDParts{Prefix: "mine-"}}, &mine) // at the address of replaced's driver
	h.place(h.getApp(mine.AppID), "w1")
	h.restore(old.snapshot(), keepLive)
	if a := h.getApp(full.ID); a.Cores != 1 || a.Profiles[0].Live != 1 || h.executor(a, 0).State != ExecutorLaunching || h.executor(a, 1).State != ExecutorLost {
		t.Errorf("one of two executors has room: %+v", a)
	}
	if w := h.getWorker("w1"); w.CoresUsed != 2 {
		t.Errorf("%d of 2 cores used", w.CoresUsed)
	}
	if a := h.getApp(mine.AppID); a.Cores != 1 {
		t.Errorf("%+v", a)
	}
	for c := range h.m.State().CompletedApps() {
		if c.App.ID == replaced.ID && !strings.Contains(c.App.Message, "has its driver's address") {
			t.Errorf("%+v", c.App)
		}
	}
	if _, live := h.m.State().App(replaced.ID); live {
		t.Error("two applications have one driver")
	}
	if d, ok := h.m.State().CompletedDriver(plain); !ok || d.State != DriverError {
		t.Errorf("%+v", d)
	}
	if d := h.getDriver(kept); d.State != DriverRelaunching || d.HoldMS != 0 {
		t.Errorf("%+v", d)
	}
	if a := h.lastApp().App; a.ID != started.ID || a.State != AppFailed {
		t.Errorf("its driver is over: %+v", a)
	}
	if _, ok := h.m.State().Worker("w2"); ok {
		t.Error("two workers have one address")
	}
}

func TestRestoreIsRefused(t *testing.T) {
	t.Parallel()
	h := onCluster(newHarness(t), "c")
	h.app(1)
	good := h.snapshot()
	cmds := restoreCommands(good, 100)
	word := cmds[len(cmds)-1].(*RestoreState)
	h.refused(CodeInvalid, word) // nothing is staged
	h.do(cmds[0], nil)
	h.refused(CodeInvalid, word) // not all of it
	h.refused(CodeInvalid, &StageRestore{ID: "r", Offset: 7, Data: []byte("x")})
	h.refused(CodeInvalid, &StageRestore{ID: "another", Offset: 100, Data: []byte("x")})
	h.do(&StageRestore{}, nil)
	if h.m.State().RestoreStaged() != "" {
		t.Error("it is not given up")
	}
	for what, bad := range map[string][]byte{"cut": good[:len(good)-1], "changed": append(append([]byte{}, good[:60]...), append([]byte{good[60] ^ 1}, good[61:]...)...), "empty": {0}} {
		cmds := restoreCommands(bad, 1<<20)
		h.do(cmds[0], nil)
		if err := h.try(cmds[1]); RefusalCode(err) != CodeInvalid || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", what, err)
		}
	}
	h.do(cmds[0], nil)
	for _, c := range cmds[1 : len(cmds)-1] {
		h.do(c, nil)
	}
	h.refused(CodeInvalid, &RestoreState{ID: "r", Size: word.Size, SHA256: []byte("wrong")})
	h.do(word, nil)
}

// A master that takes a snapshot of Raft's between the pieces carries the restore out as the others do.
func TestRestoreSurvivesASnapshotInBetween(t *testing.T) {
	t.Parallel()
	h := onCluster(newHarness(t), "c")
	h.worker("w1")
	past := h.snapshot()
	h.app(1)
	cmds := restoreCommands(past, 50)
	for _, c := range cmds[:len(cmds)/2] {
		h.do(c, nil)
	}
	other := h.restored()
	for _, x := range []*harness{h, other} {
		for _, c := range cmds[len(cmds)/2:] {
			x.do(c, nil)
		}
	}
	if h.m.State().Digest() != other.m.State().Digest() {
		t.Error("the two differ")
	}
	if h.m.State().AppCount() != 0 {
		t.Error("it was not carried out")
	}
}

// Whatever was saved, and whatever the cluster is by then, its own future or another cluster with the same ids: the state is
// sound afterwards, the same on two masters, and goes on.
func TestRestoreOfRandomSnapshots(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := newRandomMachine(t), newRandomMachine(t)
		steps := func(r *randomMachine) {
			for range rapid.IntRange(0, 25).Draw(t, "entries") {
				r.apply(t)
			}
		}
		steps(a)
		saved := snapshotOf(t, a.straight.State())
		into := a
		if rapid.Bool().Draw(t, "foreign") {
			into = b
		}
		steps(into)
		keep := rapid.Bool().Draw(t, "keep")
		cmds := restoreCommands(saved, 4096, func(c *RestoreState) { c.Keep = keep })
		for range 10 {
			cmds = append(cmds, into.draw(t))
		}
		for _, c := range cmds {
			into.index++
			entry := [][]byte{Encode(c, "")}
			x, y := into.straight.Apply(into.index, 1, entry), into.other.Apply(into.index, 1, entry)
			if !bytes.Equal(x[0], y[0]) {
				t.Fatalf("%T: the machines answer %x and %x", c, x[0], y[0])
			}
			if err := DecodeResult(x[0], nil); err != nil && (c.Type() == TypeStageRestore || c.Type() == TypeRestoreState) {
				t.Fatalf("%T: %v", c, err)
			}
			if err := into.straight.State().Invariants(); err != nil {
				t.Fatalf("after %T: %v", c, err)
			}
		}
		if into.straight.State().Digest() != into.other.State().Digest() {
			t.Fatal("the two machines differ")
		}
	})
}

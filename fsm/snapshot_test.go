package fsm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
)

// richState is a machine with something of everything.
func richState(t testing.TB) *harness {
	h := newHarness(t)
	h.do(&SetCluster{ID: "cluster", Voters: 5}, nil)
	h.do(&RemoveMaster{ID: "m4", At: 1}, nil)
	h.worker("w1", func(w *Worker) { w.Resources = map[string][]string{"gpu": {"0", "1"}, "fpga": {"f"}} })
	h.worker("w2")
	h.worker("dead")
	h.worker("drained")
	gone := h.app(1)
	h.place(gone, "w1", "w2")
	h.do(&FinishApplication{AppID: gone.ID, State: AppKilled}, nil)
	a := h.app(2, func(a *App) { a.Profiles[0].Resources = []ResourceAmount{{"gpu", 1}} })
	h.report(a, h.place(a, "w1")[0], ExecutorRunning)
	b := h.app(3)
	ids := h.place(b, "w2", "w2", "dead", "drained")
	h.report(b, ids[0], ExecutorExited, 1)
	h.do(&RequestExecutors{AppID: b.ID, Targets: []Profile{{ID: 2, Target: 4}}}, nil)
	h.placeDriver(h.driver(supervised), "dead")
	running := h.driver()
	h.placeDriver(running, "w2")
	h.do(&KillDriver{ID: running}, nil)
	h.do(&KillDriver{ID: h.driver()}, nil)
	h.do(&WorkerLost{ID: "dead", Reason: "test"}, nil)
	h.do(&DecommissionWorker{ID: "drained"}, nil)
	if err := h.request("remembered", &SubmitDriver{Driver: Driver{Cores: 1, MemoryMB: 1}, ID: driverIDs}, nil); err != nil {
		t.Fatal(err)
	}
	return h
}

func snapshot(t testing.TB, s *State) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := s.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// A restored machine is the same, and goes on the same way.
func TestSnapshotRestore(t *testing.T) {
	t.Parallel()
	h := richState(t)
	r := h.restored()
	if h.m.State().Digest() != r.m.State().Digest() {
		t.Fatal("the restored state differs")
	}
	if err := r.m.State().Invariants(); err != nil {
		t.Fatal(err)
	}
	if a, b := snapshot(t, h.m.State()), snapshot(t, r.m.State()); !bytes.Equal(a, b) {
		t.Error("two snapshots of the same state differ")
	}
	for _, c := range []Command{
		&RegisterApplication{App: testApp(9), ID: appIDs}, &ExecutorStateChanged{AppID: "app-0001", ID: 0, State: ExecutorExited, MaxRetries: 1},
		&ApplyPlan{Executors: []Placement{{AppSeq: 3, WorkerID: "w1", Cores: 1}}, Drivers: []DriverPlacement{{"driver-0000", "w1"}}},
		&SubmitDriver{Driver: Driver{Cores: 1, MemoryMB: 1}, ID: driverIDs}, &WorkerLost{ID: "w2"}, &DecommissionWorker{ID: "w1"},
		&PruneWorkers{Before: 1 << 40}, &FinishApplication{AppID: "app-0002", State: AppFinished, Retained: 1}, &ClearCompleted{},
	} {
		errA, errB := h.try(c), r.try(c)
		if RefusalCode(errA) != RefusalCode(errB) || h.m.State().Digest() != r.m.State().Digest() {
			t.Fatalf("after %T the restored machine differs (%v, %v)", c, errA, errB)
		}
	}
}

func TestEmptySnapshot(t *testing.T) {
	t.Parallel()
	s, err := ReadSnapshot(bytes.NewReader(snapshot(t, New(Config{}).State())))
	if err != nil || s.Digest() != New(Config{}).State().Digest() {
		t.Errorf("%v", err)
	}
}

// Every cut and every changed byte is found, and the machine keeps what it had.
func TestBrokenSnapshots(t *testing.T) {
	t.Parallel()
	h := richState(t)
	good := snapshot(t, h.m.State())
	before := h.m.State()
	refuse := func(what string, at int, b []byte) {
		if err := h.m.Restore(bytes.NewReader(b)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%s at byte %d of %d: %v, want ErrMalformed", what, at, len(good), err)
		}
	}
	for i := range good {
		refuse("cut", i, good[:i])
		changed := bytes.Clone(good)
		changed[i] ^= 0x40
		refuse("changed", i, changed)
	}
	refuse("longer", len(good), append(bytes.Clone(good), 0))
	refuse("twice", len(good), append(bytes.Clone(good), good...))
	if h.m.State() != before {
		t.Error("a broken snapshot changed the state")
	}
}

// framed makes a snapshot of records whose checksums and digest are right.
func framed(t testing.TB, records ...func() (byte, []byte)) []byte {
	var buf bytes.Buffer
	sum := sha256.New()
	for _, r := range records {
		kind, body := r()
		if err := writeFrame(&buf, sum, kind, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeFrame(&buf, sum, recordEnd, sum.Sum(nil)); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func record(kind byte, v any) func() (byte, []byte) {
	return func() (byte, []byte) { return kind, marshal(v) }
}

func TestUnsoundSnapshots(t *testing.T) {
	t.Parallel()
	header := record(recordHeader, snapshotHeader{Format: snapshotFormat})
	for name, b := range map[string][]byte{
		"nothing but an end":          framed(t),
		"no header":                   framed(t, record(recordWorker, testWorker("w"))),
		"two headers":                 framed(t, header, header),
		"unknown kind":                framed(t, header, record(77, 1)),
		"not a record":                framed(t, header, record(recordApp, "text")),
		"application without profile": framed(t, header, record(recordApp, App{ID: "a", Seq: 1})),
		"nil application":             framed(t, header, record(recordApp, nil)),
		"completed without record":    framed(t, header, record(recordCompletedApp, CompletedApp{EndSeq: 1})),
		"completed with a nil":        framed(t, header, record(recordCompletedApp, CompletedApp{App: &App{}, Executors: []*Executor{nil}})),
	} {
		if _, err := ReadSnapshot(bytes.NewReader(b)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
	newer := framed(t, record(recordHeader, snapshotHeader{Format: snapshotFormat + 1}))
	if _, err := ReadSnapshot(bytes.NewReader(newer)); !errors.Is(err, errFormat) {
		t.Errorf("another format: %v", err)
	}
}

// FuzzReadSnapshot: whatever is read must be usable without a panic and be written again as it was. Raw bytes rarely get
// past the checksums, so every input is tried as the body of a record of each kind, too.
func FuzzReadSnapshot(f *testing.F) {
	f.Add(snapshot(f, richState(f).m.State()), byte(recordApp))
	f.Add(marshal(testApp(1)), byte(recordApp))
	f.Add(marshal(testWorker("w")), byte(recordWorker))
	f.Add(marshal(Executor{AppSeq: 1, ID: 2, WorkerID: "w", State: ExecutorRunning}), byte(recordExecutor))
	f.Add(marshal(Driver{ID: "d", WorkerID: "w", State: DriverRunning}), byte(recordDriver))
	f.Add(marshal(CompletedApp{App: &App{ID: "a"}, Executors: []*Executor{{}}}), byte(recordCompletedApp))
	f.Add(marshal(request{ID: "r", Result: []byte("x")}), byte(recordRequest))
	f.Fuzz(func(t *testing.T, b []byte, kind byte) {
		header := record(recordHeader, snapshotHeader{Format: snapshotFormat})
		for _, in := range [][]byte{b, framed(t, header, func() (byte, []byte) { return kind, b })} {
			s, err := ReadSnapshot(bytes.NewReader(in))
			if err != nil {
				if !errors.Is(err, ErrMalformed) && !errors.Is(err, errFormat) {
					t.Fatalf("an error of no known kind: %v", err)
				}
				continue
			}
			_ = s.Invariants()
			again, err := ReadSnapshot(bytes.NewReader(snapshot(t, s)))
			if err != nil || again.Digest() != s.Digest() {
				t.Fatalf("read again: %v", err)
			}
		}
	})
}

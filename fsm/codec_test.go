package fsm

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// fatalMachine collects what it was stopped for.
func fatalMachine() (*Machine, *[]error) {
	var errs []error
	return New(Config{Fatal: func(err error) { errs = append(errs, err) }}), &errs
}

func TestUnknownCommandStops(t *testing.T) {
	t.Parallel()
	m, errs := fatalMachine()
	b := Encode(&ClearCompleted{}, "r")
	b[0], b[1] = 0x7f, 0xff
	before := m.State()
	m.Apply(1, 1, [][]byte{Encode(&SetCluster{ID: "c"}, ""), b})
	if len(*errs) != 1 || !errors.Is((*errs)[0], ErrUnknownCommand) {
		t.Fatalf("stopped for %v, want ErrUnknownCommand", *errs)
	}
	if m.State() != before {
		t.Error("an entry that was not understood changed the state")
	}
	if err := Check(b); !errors.Is(err, ErrUnknownCommand) {
		t.Errorf("Check: %v", err)
	}
}

func TestIgnorableCommandIsSkipped(t *testing.T) {
	t.Parallel()
	m, errs := fatalMachine()
	b := Encode(&ClearCompleted{}, "r")
	b[0], b[1], b[2] = 0x7f, 0xff, flagIgnorable
	res := m.Apply(1, 1, [][]byte{b, Encode(&SetCluster{ID: "c"}, "")})
	if len(*errs) != 0 || m.State().ClusterID() != "c" || DecodeResult(res[0], nil) != nil {
		t.Errorf("stopped for %v, cluster %q, result %x", *errs, m.State().ClusterID(), res[0])
	}
	if err := Check(b); !errors.Is(err, ErrUnknownCommand) {
		t.Errorf("Check lets a door forward a command that nobody knows: %v", err)
	}
}

func TestMalformedCommandStops(t *testing.T) {
	t.Parallel()
	good := Encode(&SetCluster{ID: "cluster"}, "request")
	for name, b := range map[string][]byte{
		"empty": nil, "header cut": good[:3], "request id cut": good[:6], "body cut": good[:len(good)-1], "trailing": append(bytes.Clone(good), 0),
		"no body": good[:headerSize+len("request")], "wrong type": append(bytes.Clone(good[:headerSize+7]), 0x61, 'x'),
	} {
		m, errs := fatalMachine()
		m.Apply(1, 1, [][]byte{b})
		if len(*errs) != 1 || !errors.Is((*errs)[0], ErrMalformed) {
			t.Errorf("%s: stopped for %v, want ErrMalformed", name, *errs)
		}
		if err := Check(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Check: %v", name, err)
		}
	}
}

// A command that is too long is refused: the log must go on, and every record must fit a snapshot.
func TestLongCommandIsRefused(t *testing.T) {
	t.Parallel()
	m, errs := fatalMachine()
	b := Encode(&RegisterApplication{App: testApp(1, func(a *App) { a.Description = make([]byte, MaxCommand) })}, "")
	res := m.Apply(1, 1, [][]byte{b})
	if code := RefusalCode(DecodeResult(res[0], nil)); code != CodeInvalid || len(*errs) != 0 || m.State().AppCount() != 0 {
		t.Errorf("code %d, stopped for %v", code, *errs)
	}
	if Check(b) == nil {
		t.Error("Check takes it")
	}
}

// Text from the wire need not be UTF-8 (a Java string may hold half a surrogate pair): it must not stop the masters.
func TestTextThatIsNoUTF8(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	bad := "half a pair \xed\xa0\x80 and \xff"
	in := testApp(1, func(a *App) { a.Name = bad })
	if err := Check(Encode(&RegisterApplication{App: in}, bad)); err != nil {
		t.Fatal(err)
	}
	var out AppRegistered
	if err := h.request(bad, &RegisterApplication{App: in, ID: IDParts{Exact: bad}}, &out); err != nil || out.AppID != bad {
		t.Fatalf("id %q, %v", out.AppID, err)
	}
	if a, ok := h.restored().m.State().App(bad); !ok || a.Name != bad {
		t.Error("not found after a restore")
	}
}

// commands are one of each, with every field that matters set.
func commands() []Command {
	exit := 3
	return []Command{
		&RegisterWorker{Worker: testWorker("w", func(w *Worker) { w.Resources = map[string][]string{"gpu": {"0", "1"}} }), ReplaceAddress: true, Damping: testDamping(), Drain: DrainAsked, PastSilent: true},
		&WorkerLost{"w", "first", 4, "reason", 10, testDamping(), true},
		&WorkerReport{"w", "first", []ReportedExecutor{{"app-0000", 0, ExecutorRunning}}, []string{"driver-0000"}, 3},
		&DecommissionWorker{"w", 3, "first"}, &PruneWorkers{3},
		&SuspectWorker{"w", "first", 2, "silent", 3, testDamping()}, &SetBrake{Brake{1, 2, 3, 4, true}},
		&RecommissionWorker{"w", 3}, &DecommissionHosts{[]string{"HOST-w"}, 3},
		&RegisterApplication{testApp(1), appIDs, 200},
		&FinishApplication{"app-0000", AppFinished, "m", 5, 10, "driver", 1, true},
		&RequestExecutors{"app-0000", []Profile{{ID: 1, Target: 3, Resources: []ResourceAmount{{"gpu", 1}}}}},
		&KillExecutors{"app-0000", []int{0, 7}, 3},
		&ExecutorStateChanged{"app-0000", 0, ExecutorExited, "m", &exit, 3, 10, 200, "w"},
		&ApplyPlan{[]Placement{{1, 0, "w", 1}}, []DriverPlacement{{"driver-0000", "w"}}, 4},
		&SubmitDriver{Driver{Cores: 1, MemoryMB: 2, Supervise: true, Needs: []ResourceAmount{{"gpu", 1}}}, driverIDs, "key", 5},
		&KillDriver{"driver-0000", 3, 10}, &DriverStateChanged{"driver-0000", DriverFailed, "e", 3, 10, "w"},
		&ClearCompleted{}, &LoseDriver{"driver-0000", "w", "r", 3, 10}, &ReleaseDriver{"driver-0000", 4, 2}, &SetCluster{"c", 3},
		&SetAutopilot{Autopilot{Voters: 3, StabilizationMs: 1, DeadAfterMs: 2, Off: true}}, &RemoveMaster{"m1", 5}, &AdmitMaster{"m1"},
		&StageRestore{"r", 5, []byte("piece")}, &RestoreState{ID: "r", Size: 5, SHA256: []byte("sum"), At: 6, Keep: true, RetainedApps: 7, RetainedDrivers: 8},
	}
}

func TestCommandsRoundTrip(t *testing.T) {
	t.Parallel()
	seen := map[Type]bool{}
	for _, c := range commands() {
		d, err := decode(Encode(c, "request"))
		if err != nil || d.requestID != "request" || !reflect.DeepEqual(d.cmd, c) {
			t.Errorf("%T: %+v, %v", c, d, err)
		}
		seen[c.Type()] = true
	}
	for n := range Type(1000) {
		if (commandOf(n) != nil) != seen[n] {
			t.Errorf("command %d is known to one of commandOf and this table only", n)
		}
	}
	if long := strings.Repeat("x", 300); !bytes.Equal(Encode(&ClearCompleted{}, long), Encode(&ClearCompleted{}, long[:MaxRequestID])) {
		t.Error("a long request id is not cut")
	}
}

// TestTypesAreForever: a number in the log means the same in every release.
func TestTypesAreForever(t *testing.T) {
	t.Parallel()
	want := []Type{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 20, 30, 31, 32, 33, 34, 35, 40, 41, 42, 43, 44, 45}
	for i, c := range commands() {
		if c.Type() != want[i] {
			t.Errorf("%T has number %d, want %d", c, c.Type(), want[i])
		}
	}
}

// FuzzCommand: whatever Check takes is carried out without a panic or a stop, keeps the invariants, comes out the same on
// a second machine, and survives a snapshot.
func FuzzCommand(f *testing.F) {
	for _, c := range commands() {
		f.Add(Encode(c, "r"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if Check(b) != nil {
			return
		}
		run := func() *State {
			h := newHarness(t)
			h.worker("w", func(w *Worker) { w.Resources = map[string][]string{"gpu": {"0", "1"}} })
			a := h.app(1)
			h.place(a, "w")
			h.placeDriver(h.driver(), "w")
			h.driver()
			res := h.m.Apply(h.index+1, 1, [][]byte{b})
			var refusal *Refusal
			if err := DecodeResult(res[0], nil); err != nil && !errors.As(err, &refusal) {
				t.Fatal(err)
			}
			return h.m.State()
		}
		s := run()
		if err := s.Invariants(); err != nil {
			t.Fatal(err)
		}
		if run().Digest() != s.Digest() {
			t.Fatal("two machines differ")
		}
		var buf bytes.Buffer
		if err := s.Write(&buf); err != nil {
			t.Fatal(err)
		}
		again, err := ReadSnapshot(&buf)
		if err != nil || again.Digest() != s.Digest() {
			t.Fatalf("restored: %v", err)
		}
	})
}

package fsm

import (
	"bytes"
	"slices"
	"testing"
)

const leaseMS = 5000

func leased(w *Worker) { w.DriverLeaseMS = leaseMS }

// heldDriver is a supervised driver whose worker, w1, was lost without a trace, after one earlier loss.
func heldDriver(h *harness) (id, run string) {
	h.worker("w0", leased)
	h.worker("w1", leased)
	id = h.driver(supervised)
	h.placeDriver(id, "w0")
	h.do(&WorkerLost{ID: "w0", At: 1}, nil)
	h.placeDriver(id, "w1")
	run = h.getDriver(id).RunID
	h.do(&WorkerLost{ID: "w1", At: 2, Silent: true}, nil)
	return id, run
}

func TestRunsHaveIDsOfTheirOwn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, run := heldDriver(h)
	d := h.getDriver(id)
	if id != "driver-0000" || run != "driver-0001" || !slices.Equal(d.Runs, []string{run}) || d.Attempt != 2 {
		t.Errorf("driver %s: %+v", id, d)
	}
	if h.getDriver(run).ID != id || h.restored().getDriver(run).ID != id {
		t.Error("not found by its run")
	}
	if next := h.driver(); next != "driver-0002" {
		t.Errorf("the next driver is %s: ids of runs and of drivers are one sequence", next)
	}
	h.refused(CodeUnknownDriver, &DriverStateChanged{ID: id, State: DriverFinished}) // of the first run
	h.do(&DriverStateChanged{ID: run, State: DriverFinished, Retained: 5}, nil)
	for _, any := range []string{id, run} {
		if d, ok := h.m.State().CompletedDriver(any); !ok || d.ID != id || d.State != DriverFinished {
			t.Errorf("%s: %+v", any, d)
		}
		if _, ok := h.m.State().Driver(any); ok {
			t.Errorf("%s is live", any)
		}
	}
}

func TestRunIDKeepsTheFormOfTheDrivers(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"driver-20261121-0007": "driver-20261121-0042", "d7-x": "d42-x", "mine": "mine-42",
	} {
		d := &Driver{ID: id}
		p := d.idParts()
		if got := p.with(42); got != want {
			t.Errorf("after %s comes %s, want %s", id, got, want)
		}
	}
}

// A driver whose last run may be alive is not placed, until its worker's lease was waited out or the worker says so.
func TestHeldDriver(t *testing.T) {
	t.Parallel()
	place := func(h *harness, id string) bool {
		h.worker("w2")
		var out PlanApplied
		h.do(&ApplyPlan{Drivers: []DriverPlacement{{id, "w2"}}}, &out)
		return out.Started == 1
	}
	for name, c := range map[string]struct {
		then   func(h *harness, run string)
		placed bool
	}{
		"nothing": {func(*harness, string) {}, false},
		"waited":  {func(h *harness, run string) { h.do(&ReleaseDriver{ID: run, Hold: 1}, nil) }, true},
		"of another run": {func(h *harness, run string) {
			h.refused(CodeUnknownDriver, &ReleaseDriver{ID: "driver-0000", Hold: 1})
			h.refused(CodeUnknownDriver, &LoseDriver{ID: "driver-0000"})
		}, false},
		"its end is reported": {func(h *harness, run string) { h.do(&LoseDriver{ID: run, WorkerID: "w1"}, nil) }, true},
		"not by its worker":   {func(h *harness, run string) { h.refused(CodeUnknownDriver, &LoseDriver{ID: run, WorkerID: "w2"}) }, false},
		"its worker runs it no more": {func(h *harness, run string) {
			h.worker("w1", leased)
			h.do(&WorkerReport{ID: "w1"}, nil)
		}, true},
		"a new life of its worker": {func(h *harness, run string) {
			h.worker("w1", leased, func(w *Worker) { w.Incarnation = "second" })
			h.do(&WorkerReport{ID: "w1"}, nil)
		}, true},
		"a new life of its worker, while nobody knows of the old one": {func(h *harness, run string) {
			h.do(&RegisterWorker{Worker: testWorker("w1", leased, func(w *Worker) { w.Incarnation = "second" }), PastSilent: true}, nil)
			h.do(&WorkerReport{ID: "w1"}, nil)
		}, false},
		"another worker's list": {func(h *harness, run string) {
			h.worker("w0", leased)
			h.do(&WorkerReport{ID: "w0"}, nil)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			id, run := heldDriver(h)
			if d := h.getDriver(id); d.State != DriverRelaunching || d.HoldMS != leaseMS || d.WorkerID != "w1" {
				t.Errorf("%+v", d)
			}
			c.then(h, run)
			if placed := place(h, id); placed != c.placed {
				t.Errorf("placed: %v", placed)
			}
		})
	}
}

// A worker that comes back within the lease keeps its driver, unless it has no room for it any more.
func TestHeldDriverIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, room := range []bool{true, false} {
		h := newHarness(t)
		id, run := heldDriver(h)
		h.worker("w1", leased, func(w *Worker) {
			if !room {
				w.MemoryMB = 1
			}
		})
		var out WorkerReconciled
		h.do(&WorkerReport{ID: "w1", Drivers: []string{run, "driver-9999"}}, &out)
		d := h.getDriver(id)
		if room {
			if d.State != DriverRunning || d.RunID != run || d.HoldMS != 0 || h.getWorker("w1").CoresUsed != d.Cores || !slices.Equal(out.KillDrivers, []string{"driver-9999"}) {
				t.Errorf("%+v, killed %v", d, out.KillDrivers)
			}
			h.refused(CodeUnknownDriver, &ReleaseDriver{ID: run, Hold: 1}) // the leader that waited comes too late
			continue
		}
		if d.State != DriverRelaunching || d.HoldMS == 0 || !slices.Equal(out.KillDrivers, []string{run, "driver-9999"}) {
			t.Errorf("without room: %+v, killed %v", d, out.KillDrivers)
		}
	}
}

// A worker that comes and goes has its driver held each time for the whole time: a leader's wait for an earlier hold ends no
// later one.
func TestHoldsAreToldApart(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, run := heldDriver(h)
	h.worker("w1", leased)
	h.do(&WorkerReport{ID: "w1", Drivers: []string{run}}, nil)
	h.do(&WorkerLost{ID: "w1", Silent: true}, nil)
	if d := h.getDriver(id); d.Holds != 2 || d.HoldMS == 0 {
		t.Fatalf("%+v", d)
	}
	h.refused(CodeUnknownDriver, &ReleaseDriver{ID: run, Hold: 1})
	if d := h.getDriver(id); d.HoldMS == 0 {
		t.Errorf("%+v", d)
	}
	h.do(&ReleaseDriver{ID: run, Hold: 2}, nil)
}

// A new life of a worker whose old one may be alive, cut off somewhere, loses its drivers as a silent worker does.
func TestNewLifeBesideASilentOne(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{true, false} {
		h := newHarness(t)
		h.worker("w1", leased)
		id := h.driver(supervised)
		h.placeDriver(id, "w1")
		h.do(&RegisterWorker{Worker: testWorker("w1", leased, func(w *Worker) { w.Incarnation, w.Host = "second", "elsewhere" }), PastSilent: silent}, nil)
		h.do(&WorkerReport{ID: "w1"}, nil)
		if d := h.getDriver(id); d.State != DriverRelaunching || (d.HoldMS > 0) != silent {
			t.Errorf("silent %t: %+v", silent, d)
		}
		h.worker("w1", leased) // the first life was only cut off, and takes its id back
		h.do(&WorkerReport{ID: "w1", Drivers: []string{id}}, nil)
		if d := h.getDriver(id); silent && d.State != DriverRunning {
			t.Errorf("taken back: %+v", d)
		}
	}
}

// What a JVM worker ran is launched again at once, as the original does: it promises nothing.
func TestNoHoldWithoutAPromise(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w1")
	id := h.driver(supervised)
	h.placeDriver(id, "w1")
	h.do(&WorkerLost{ID: "w1", Silent: true}, nil)
	if d := h.getDriver(id); d.HoldMS != 0 || d.State != DriverRelaunching {
		t.Errorf("%+v", d)
	}
}

// A waiting driver can be killed while its last run may be alive: that run is ended by its worker.
func TestKillHeldDriver(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id, run := heldDriver(h)
	h.do(&KillDriver{ID: run, Retained: 5}, nil)
	if d := h.lastDriver(); d.ID != id || d.State != DriverKilled || d.HoldMS != 0 {
		t.Errorf("%+v", d)
	}
}

func TestApplicationsEndWithTheirDriver(t *testing.T) {
	t.Parallel()
	for end, want := range map[DriverState]AppState{DriverFinished: AppFinished, DriverKilled: AppKilled, DriverFailed: AppFailed, DriverError: AppFailed} {
		h := newHarness(t)
		h.worker("w1")
		id := h.driver()
		h.placeDriver(id, "w1")
		a := h.app(1, func(a *App) { a.DriverID = id })
		other := h.app(2, func(a *App) { a.DriverID = "driver of another cluster" })
		if a.DriverID != id || other.DriverID != "" {
			t.Errorf("linked to %q and %q", a.DriverID, other.DriverID)
		}
		if linked := slices.Collect(h.restored().m.State().AppsOfDriver(h.getDriver(id))); len(linked) != 1 || linked[0].ID != a.ID {
			t.Errorf("after a restore: %v", linked)
		}
		h.do(&DriverStateChanged{ID: id, State: end}, nil)
		if got := h.lastApp(); got.App.ID != a.ID || got.App.State != want {
			t.Errorf("driver %s: application %+v", end, got.App)
		}
		h.refused(CodeInvalid, &RegisterApplication{App: testApp(3, func(a *App) { a.DriverID = id }), ID: appIDs})
	}
}

// Only the present run of a driver may register applications, and those of the last one end when it is known to be over.
func TestApplicationsOfRuns(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w1", leased)
	id := h.driver(supervised)
	h.placeDriver(id, "w1")
	a := h.app(1, func(a *App) { a.DriverID = id })
	h.do(&WorkerLost{ID: "w1", Silent: true}, nil)
	if _, ok := h.m.State().App(a.ID); !ok {
		t.Error("the application of a run that may be alive has ended")
	}
	h.do(&ReleaseDriver{ID: id, At: 7, Hold: 1}, nil)
	if got := h.lastApp(); got.App.ID != a.ID || got.App.State != AppFailed || got.App.Ended != 7 {
		t.Errorf("%+v", got.App)
	}
	h.worker("w2")
	h.placeDriver(id, "w2")
	h.refused(CodeInvalid, &RegisterApplication{App: testApp(2, func(a *App) { a.DriverID = id }), ID: appIDs})
	if b := h.app(3, func(a *App) { a.DriverID = h.getDriver(id).RunID }); b.DriverID != id {
		t.Errorf("linked to %q", b.DriverID)
	}
}

func TestSubmissionKeys(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	submit := func(key string, at, keep int64) (out DriverSubmittedResult) {
		h.do(&SubmitDriver{Driver: Driver{Cores: 1, MemoryMB: 1, Submitted: at}, ID: driverIDs, Key: key, KeepMS: keep}, &out)
		return out
	}
	first := submit("k", 100, 50)
	h.do(&KillDriver{ID: first.DriverID}, nil)
	h.do(&ClearCompleted{}, nil) // the key outlives its driver
	h.m = h.restored().m
	if again := submit("k", 149, 50); !again.Duplicate || again.DriverID != first.DriverID {
		t.Errorf("%+v, want %+v again", again, first)
	}
	if later := submit("k", 150, 50); later.Duplicate || later.DriverID == first.DriverID {
		t.Errorf("%+v after the key's time", later)
	}
	if a, b := submit("", 1, 50), submit("", 1, 50); a.DriverID == b.DriverID {
		t.Error("no key is no key")
	}
	h.refused(CodeInvalid, &SubmitDriver{Driver: Driver{Cores: 1, MemoryMB: 1}, Key: string(bytes.Repeat([]byte("k"), MaxDriverKey+1))})
}

func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	tx := emptyState().begin()
	for i := range maxDriverKeys + 3 {
		tx.keepKey(string(rune('a'+i%26))+string(seqKey(uint64(i))), "d", int64(i))
	}
	s := tx.commit()
	if s.driverKeys.Len() != maxDriverKeys || s.keyEnds.Len() != maxDriverKeys {
		t.Errorf("%d keys, %d ends", s.driverKeys.Len(), s.keyEnds.Len())
	}
	if _, k, _ := s.keyEnds.Root().Minimum(); k.Until != 3 {
		t.Errorf("the oldest that is left ends at %d", k.Until)
	}
}

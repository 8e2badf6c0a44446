package fsm

import (
	"slices"
	"testing"
)

func TestSubmitDriver(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, change := range []func(*Driver){
		func(d *Driver) { d.Cores = 0 }, func(d *Driver) { d.MemoryMB = -1 },
		func(d *Driver) { d.Needs = []ResourceAmount{{"gpu", -2}} }, func(d *Driver) { d.Needs = []ResourceAmount{{"gpu", 1}, {"gpu", 1}} },
	} {
		d := Driver{Cores: 1, MemoryMB: 1}
		change(&d)
		h.refused(CodeInvalid, &SubmitDriver{Driver: d, ID: driverIDs})
	}
	first, second := h.driver(), h.driver()
	if first != "driver-0000" || second != "driver-0001" {
		t.Errorf("ids %s, %s", first, second)
	}
	var order []string
	for d := range h.m.State().WaitingDrivers() {
		order = append(order, d.ID)
	}
	if !slices.Equal(order, []string{first, second}) {
		t.Errorf("queue %v, want the order of submission", order)
	}
}

// Master.receiveAndReply(RequestKillDriver): a waiting one is KILLED at once, a running one when its worker says so.
func TestKillDriver(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	waiting, running := h.driver(), h.driver()
	h.placeDriver(running, "w")
	var out DriverKillResult
	h.do(&KillDriver{ID: waiting, At: 5}, &out)
	if d := h.lastDriver(); !out.WasWaiting || d.ID != waiting || d.State != DriverKilled || d.Ended != 5 {
		t.Errorf("%+v, %+v", out, d)
	}
	out = DriverKillResult{}
	h.do(&KillDriver{ID: running}, &out)
	if d := h.getDriver(running); out.WasWaiting || d.State != DriverRunning || !d.KillAsked {
		t.Errorf("%+v, %+v: the wish must outlive the leader that took it", out, d)
	}
	h.do(&KillDriver{ID: running}, nil) // asked again
	h.do(&DriverStateChanged{ID: running, State: DriverKilled, At: 9}, nil)
	if d := h.lastDriver(); d.ID != running || d.State != DriverKilled || d.Ended != 9 {
		t.Errorf("%+v", d)
	}
	h.refused(CodeUnknownDriver, &KillDriver{ID: running})
	h.refused(CodeUnknownDriver, &KillDriver{ID: "never was"})
	if w := h.getWorker("w"); w.CoresUsed != 0 {
		t.Errorf("%d cores still used", w.CoresUsed)
	}
}

func TestDriverStateChanged(t *testing.T) {
	t.Parallel()
	for _, s := range []DriverState{DriverFinished, DriverFailed, DriverKilled, DriverError} {
		h := newHarness(t)
		h.worker("w", func(w *Worker) { w.Resources = map[string][]string{"gpu": {"0"}} })
		id := h.driver(func(d *Driver) { d.Needs = []ResourceAmount{{"gpu", 1}} })
		h.placeDriver(id, "w")
		if d := h.getDriver(id); d.State != DriverRunning || d.Attempt != 1 || d.Resources["gpu"][0] != "0" {
			t.Errorf("placed: %+v", d)
		}
		for _, bad := range []DriverState{0, DriverSubmitted, DriverRunning, DriverRelaunching, DriverUnknown, 99} {
			h.refused(CodeInvalid, &DriverStateChanged{ID: id, State: bad})
		}
		h.do(&DriverStateChanged{ID: id, State: s, Exception: "why", At: 4}, nil)
		if d := h.lastDriver(); d.State != s || d.Exception != "why" || d.Ended != 4 || d.Resources != nil {
			t.Errorf("ended: %+v", d)
		}
		if w := h.getWorker("w"); w.CoresUsed != 0 || w.ResourcesFree("gpu") != 1 {
			t.Errorf("worker %+v", w)
		}
		h.refused(CodeUnknownDriver, &DriverStateChanged{ID: id, State: s})
	}
}

// Master.removeWorker: unsupervised drivers end in ERROR; a supervised one waits again, here under its own id.
func TestDriversOfALostWorker(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w1")
	h.worker("w2")
	plain, kept, killed, newer := h.driver(), h.driver(supervised), h.driver(supervised), h.driver()
	for _, id := range []string{plain, kept, killed} {
		h.placeDriver(id, "w1")
	}
	h.do(&KillDriver{ID: killed}, nil)
	h.do(&WorkerLost{ID: "w1", At: 6}, nil)
	ended := map[string]DriverState{}
	for d := range h.m.State().CompletedDrivers() {
		ended[d.ID] = d.State
	}
	if len(ended) != 2 || ended[plain] != DriverError || ended[killed] != DriverKilled {
		t.Errorf("ended: %v; the plain one in ERROR, the one whose end was asked for KILLED", ended)
	}
	var queue []string
	for d := range h.m.State().WaitingDrivers() {
		queue = append(queue, d.ID)
	}
	if !slices.Equal(queue, []string{kept, newer}) {
		t.Errorf("queue %v: a driver that lost its worker keeps its place", queue)
	}
	h.placeDriver(kept, "w2")
	if d := h.getDriver(kept); d.Attempt != 2 || d.WorkerID != "w2" {
		t.Errorf("placed again: %+v", d)
	}
	var out WorkerReconciled
	h.worker("w1", func(w *Worker) { w.Incarnation = "second" })
	h.do(&WorkerReport{ID: "w1", Drivers: []string{kept}}, &out)
	if !slices.Equal(out.KillDrivers, []string{kept}) {
		t.Errorf("the stale copy on the old worker is not killed: %v", out.KillDrivers)
	}
}

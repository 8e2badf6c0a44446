package fsm

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func testDamping() *Damping {
	return &Damping{Weight: 2, Free: 4, Step: 2, FirstMs: 15_000, MaxMs: 300_000, DecayMs: 150_000}
}

func drawDamping(t *rapid.T) *Damping {
	if rapid.Bool().Draw(t, "no damping") {
		return nil
	}
	n := func(what string) int { return rapid.IntRange(-1, 5).Draw(t, what) }
	return &Damping{n("weight"), n("free"), n("step"), int64(n("first")), int64(n("max")), int64(n("decay"))}
}

func drawTime(t *rapid.T) int64 { return rapid.Int64Range(-1, 60).Draw(t, "time") }

func TestSuspicionIsKeptForTheNextLeader(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	before := h.getWorker("w")
	h.do(&SuspectWorker{ID: "w", Incarnation: "first", Since: 70, Reason: "silent", At: 80}, nil)
	for _, m := range []*Machine{h.m, h.restored().m} {
		if w, _ := m.State().Worker("w"); w.Watched() != (Watch{Suspected: 70, Reason: "silent"}) || w.State != WorkerAlive {
			t.Errorf("%+v", w.Watched())
		}
	}
	if before.Watch != nil {
		t.Error("an earlier state has changed")
	}
	h.do(&SuspectWorker{ID: "w", Reason: "late", At: 90}, nil)
	if w := h.getWorker("w"); w.Watch != nil {
		t.Errorf("a cleared suspicion leaves %+v", w.Watch)
	}
	h.refused(CodeUnknownWorker, &SuspectWorker{ID: "w", Incarnation: "second", Since: 1})
	h.refused(CodeUnknownWorker, &SuspectWorker{ID: "nobody", Since: 1})
	h.refused(CodeInvalid, &SuspectWorker{ID: "w", Since: -1})
	h.do(&SuspectWorker{ID: "w", Since: 95, Reason: "silent", At: 95}, nil)
	h.do(&WorkerLost{ID: "w", At: 100, Reason: "test"}, nil)
	if w := h.getWorker("w"); w.Watch != nil {
		t.Errorf("a dead worker is suspected: %+v", w.Watch)
	}
	h.refused(CodeUnknownWorker, &SuspectWorker{ID: "w", Since: 1})
}

// TestFlapsHoldBack: the third death within minutes holds a worker back, each further one for twice as long, up to the
// bound, and all of it outlives the worker's return.
func TestFlapsHoldBack(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	at := int64(1_000_000)
	for death, hold := range []int64{0, 0, 15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000} {
		h.worker("w", func(w *Worker) { w.Registered = at })
		at += 1000
		h.do(&WorkerLost{ID: "w", At: at, Reason: "test", Damping: testDamping()}, nil)
		want := int64(0)
		if hold > 0 {
			want = at + hold
		}
		back := h.worker("w", func(w *Worker) { w.Registered = at })
		if got := back.Watched().HeldUntil; got != want {
			t.Errorf("after death %d held until %d, want %d", death+1, got, want)
		}
	}
	w := h.getWorker("w").Watched()
	if n := w.FlapsNow(at+150_000, 150_000); n != 17 {
		t.Errorf("%d are left of 18 after one is forgotten", n)
	}
	if n := w.FlapsNow(at+18*150_000, 150_000); n != 0 {
		t.Errorf("%d are left when all should be forgotten", n)
	}
	if n := w.FlapsNow(at-1_000_000, 150_000); n != 18 {
		t.Errorf("%d are left where the clock went back", n)
	}
}

// TestRareDeathsAreForgotten: a worker that dies every ten minutes is never held back.
func TestRareDeathsAreForgotten(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for at := int64(1); at < 100*600_000; at += 600_000 {
		h.worker("w", func(w *Worker) { w.Registered = at })
		h.do(&WorkerLost{ID: "w", At: at, Reason: "test", Damping: testDamping()}, nil)
	}
	if w := h.getWorker("w").Watched(); w.HeldUntil != 0 || w.Flaps > 4 {
		t.Errorf("%+v", w)
	}
}

// TestFlapsFollowAWorker: a new life counts the death of the old one, and a worker whose id is new at an old address, as
// Spark's are, has the past of the one before. One that said goodbye has none.
func TestFlapsFollowAWorker(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	life := func(id, incarnation string) Worker {
		return testWorker(id, func(w *Worker) { w.Incarnation, w.Host, w.Registered = incarnation, "host", 10 })
	}
	h.do(&RegisterWorker{Worker: life("w", "1"), Damping: testDamping()}, nil)
	if w := h.getWorker("w"); w.Watch != nil {
		t.Errorf("a first life counts: %+v", w.Watch)
	}
	h.do(&RegisterWorker{Worker: life("w", "2"), Damping: testDamping()}, nil)
	h.do(&RegisterWorker{Worker: life("w", "2"), Damping: testDamping()}, nil) // a repetition
	if w := h.getWorker("w").Watched(); w.Flaps != 2 {
		t.Errorf("after one death: %+v", w)
	}
	h.do(&WorkerLost{ID: "w", At: 20, Reason: "goodbye"}, nil)
	h.do(&RegisterWorker{Worker: life("x", "1"), Damping: testDamping()}, nil)
	if w := h.getWorker("x").Watched(); w.Flaps != 2 {
		t.Errorf("the past of the address is lost: %+v", w)
	}
	h.do(&SuspectWorker{ID: "x", At: 30, Damping: &Damping{Weight: 1, Free: 4, Step: 2, FirstMs: 10, MaxMs: 20, DecayMs: 150_000}}, nil)
	if w := h.getWorker("x").Watched(); w.Flaps != 3 || w.Suspected != 0 {
		t.Errorf("a suspicion counts less than a death: %+v", w)
	}
}

func TestDampingCannotOverflow(t *testing.T) {
	t.Parallel()
	for _, d := range []Damping{
		{Weight: math.MaxInt, Step: 1, FirstMs: 1, MaxMs: math.MaxInt64, DecayMs: 1}, {Weight: math.MinInt, Free: math.MinInt, Step: 1, FirstMs: math.MaxInt64, MaxMs: 1, DecayMs: 1},
		{Weight: 3, Free: -1, Step: math.MaxInt, FirstMs: 1, MaxMs: 1, DecayMs: math.MinInt64}, {},
	} {
		w := Watch{}
		for _, at := range []int64{0, 1, math.MaxInt64, math.MinInt64} {
			w = w.flap(at, d)
			if w.Flaps < 0 || w.Flaps > maxFlaps || w.HeldUntil < 0 {
				t.Errorf("%+v at %d: %+v", d, at, w)
			}
		}
	}
}

func TestBrake(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	want := Brake{Since: 5, Until: 20, Suspects: 7, Workers: 9}
	h.do(&SetBrake{want}, nil)
	before := h.m.State()
	h.refused(CodeInvalid, &SetBrake{Brake{Since: 5, Until: 4}})
	if got := h.restored().m.State().Brake(); got != want {
		t.Errorf("restored: %+v", got)
	}
	h.do(&SetBrake{}, nil)
	if h.m.State().Brake() != (Brake{}) || before.Brake() != want {
		t.Errorf("released: %+v, before: %+v", h.m.State().Brake(), before.Brake())
	}
}

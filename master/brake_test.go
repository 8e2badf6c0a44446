package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("w%02d", i)
	}
	return out
}

// inspected gives the brake a leader that is sure of its lead, and masters that reach those workers.
func (w *trial) inspected(lead error, reached ...string) (given func() []string) {
	var to []string
	w.live.brake.inspect = func(_ context.Context, ids []string) inspection {
		i := inspection{lead: lead, asked: len(ids), reached: map[string]map[string]bool{"m2": {}, "m3": {}}}
		for _, id := range reached {
			if slices.Contains(ids, id) {
				i.reached["m2"][id] = true
			}
		}
		return i
	}
	w.live.brake.give = func(_ context.Context, master string) error {
		w.set(func() { to = append(to, master) })
		return nil
	}
	return func() []string {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.Clone(to)
	}
}

func (w *trial) dead() int {
	n := 0
	for wk := range w.State().Workers() {
		if wk.State == fsm.WorkerDead {
			n++
		}
	}
	return n
}

// TestFewLossesNeedNoBrake: three of ten at once are lost as fast as one.
func TestFewLossesNeedNoBrake(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ids := names(10)
		w := newTrial(t, ids...)
		w.inspected(nil)
		w.beat(ids...)
		time.Sleep(10 * time.Second)
		w.freeze(ids[:3]...)
		time.Sleep(3 * time.Second)
		if w.dead() != 3 || w.State().Brake().Since != 0 {
			t.Errorf("%d are lost; brake %+v", w.dead(), w.State().Brake())
		}
		w.stop()
	})
}

// TestBrake: of a lost rack nobody is declared lost at first, nothing is placed there, and after the hold all are.
func TestBrakeHoldsAndGoesOn(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ids := names(20)
		w := newTrial(t, ids...)
		w.inspected(nil)
		w.beat(ids...)
		time.Sleep(10 * time.Second)
		frozen := time.Now()
		w.freeze(ids[:8]...)
		time.Sleep(defaultBrake.hold)
		b := w.State().Brake()
		if w.dead() != 0 || b.Since == 0 || b.Until-b.Since != defaultBrake.hold.Milliseconds() || b.Suspects < 5 || b.Workers != 20 {
			t.Errorf("%d are lost; brake %+v", w.dead(), b)
		}
		for i, id := range ids {
			if w.live.avoided(id) != (i < 8) || (w.watch(id).Suspected != 0) != (i < 8) {
				t.Errorf("%s is avoided: %v, %+v", id, w.live.avoided(id), w.watch(id))
			}
		}
		for w.dead() < 8 {
			time.Sleep(100 * time.Millisecond)
		}
		if d := time.Since(frozen); d > defaultBrake.hold+6*time.Second {
			t.Errorf("a lost rack was noticed after %s", d)
		}
		time.Sleep(time.Minute)
		if w.State().Brake() != (fsm.Brake{}) || w.dead() != 8 {
			t.Errorf("%d are lost; brake %+v", w.dead(), w.State().Brake())
		}
		w.freeze(ids[9]) // and a single loss is seen soon again
		time.Sleep(3 * time.Second)
		if w.dead() != 9 {
			t.Error("a later loss was not noticed")
		}
		w.stop()
	})
}

// TestBrakeEndsWhenTheyAnswer: an outage of the network of ten seconds costs no worker.
func TestBrakeEndsWhenTheyAnswer(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ids := names(20)
		w := newTrial(t, ids...)
		w.inspected(nil)
		w.beat(ids...)
		time.Sleep(10 * time.Second)
		w.freeze(ids...)
		time.Sleep(10 * time.Second)
		w.thaw(ids...)
		time.Sleep(time.Second)
		if w.dead() != 0 || w.State().Brake() != (fsm.Brake{}) {
			t.Errorf("%d are lost; brake %+v", w.dead(), w.State().Brake())
		}
		for _, id := range ids {
			if watch := w.watch(id); w.live.avoided(id) || watch.Suspected != 0 || watch.Flaps != 0 {
				t.Errorf("%s: avoided %v, %+v", id, w.live.avoided(id), watch)
			}
		}
		w.stop()
	})
}

// TestUnconfirmedLeaderDeclaresNobody: where the lead cannot be confirmed, no time is long enough.
func TestUnconfirmedLeaderDeclaresNobody(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ids := names(10)
		w := newTrial(t, ids...)
		w.inspected(errors.New("no majority"))
		w.beat(ids...)
		time.Sleep(10 * time.Second)
		w.freeze(ids...)
		time.Sleep(10 * time.Minute)
		w.stop()
		if len(w.verdicts()) != 0 {
			t.Errorf("%v", w.verdicts())
		}
	})
}

// TestReachedByAnotherMaster: a leader that alone does not reach its workers gives way, once; where it has to go on it
// spares the workers that another master reaches, for spark.worker.timeout at most.
func TestReachedByAnotherMaster(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ids := names(10)
		w := newTrial(t, ids...)
		given := w.inspected(nil, ids[:8]...)
		w.beat(ids...)
		time.Sleep(10 * time.Second)
		w.freeze(ids...)
		time.Sleep(defaultBrake.hold + 10*time.Second)
		if !slices.Equal(given(), []string{"m2"}) || !w.State().Brake().HandedOver {
			t.Errorf("handed over to %v; brake %+v", given(), w.State().Brake())
		}
		if w.state("w08") != fsm.WorkerDead || w.state("w09") != fsm.WorkerDead || w.dead() != 2 {
			t.Errorf("%d are lost, want the two that nobody reaches", w.dead())
		}
		time.Sleep(defaultBrake.longest)
		if w.dead() != 10 {
			t.Errorf("%d are lost, want all in the end", w.dead())
		}
		if len(given()) != 1 {
			t.Errorf("handed over to %v", given())
		}
		w.stop()
	})
}

// TestBrakeOutlivesItsLeader: the next leader knows whom not to use, holds verdicts no longer than the first would have,
// and does not hand over again.
func TestBrakeOutlivesItsLeader(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ids := names(10)
		w := newTrial(t, ids...)
		w.inspected(nil, ids...)
		w.beat(ids...)
		time.Sleep(10 * time.Second)
		w.freeze(ids[:5]...)
		time.Sleep(5 * time.Second)
		first := w.State().Brake()
		w.stop()
		w.set(func() { w.lines = map[string]bool{} }) // none has found the new leader yet
		w.lead()
		given := w.inspected(nil)
		w.set(func() {
			for _, id := range ids[5:] {
				w.lines[id] = true
			}
		})
		w.beat(ids[5:]...)
		time.Sleep(time.Millisecond)
		for _, id := range ids[:5] {
			if !w.live.avoided(id) {
				t.Errorf("%s is used by the next leader", id)
			}
		}
		time.Sleep(time.Until(time.UnixMilli(first.Until)) - 300*time.Millisecond)
		if w.dead() != 0 || !first.HandedOver || w.State().Brake().Since != first.Since {
			t.Errorf("%d are lost; brake %+v, before %+v", w.dead(), w.State().Brake(), first)
		}
		time.Sleep(6 * time.Second)
		if w.dead() != 5 || len(given()) != 0 {
			t.Errorf("%d are lost, handed over to %v", w.dead(), given())
		}
		w.stop()
	})
}

// TestBrakeOfAFarClock: a brake that a leader with a wrong clock has set ends all the same.
func TestBrakeOfAFarClock(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.stop()
		far := time.Now().Add(1000 * time.Hour).UnixMilli()
		w.do(&fsm.SetBrake{Brake: fsm.Brake{Since: far, Until: far + 15000, Suspects: 9, Workers: 9}}, nil)
		w.lead()
		w.inspected(nil)
		w.beat("w1")
		time.Sleep(graceTime + time.Second)
		if w.State().Brake() != (fsm.Brake{}) {
			t.Errorf("%+v", w.State().Brake())
		}
		w.stop()
	})
}

// TestBrakeThatCannotBeKeptIsKeptLater: the log may not take it at first.
func TestBrakeThatCannotBeKeptIsKeptLater(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ids := names(10)
		w := newTrial(t, ids...)
		w.inspected(nil)
		fails := 3
		w.live.brake.save = func(_ context.Context, b fsm.Brake) error {
			if fails--; fails >= 0 {
				return errors.New("no quorum")
			}
			return w.try(&fsm.SetBrake{Brake: b}, nil)
		}
		w.beat(ids...)
		time.Sleep(10 * time.Second)
		w.freeze(ids...)
		time.Sleep(8 * time.Second)
		if w.State().Brake().Since == 0 {
			t.Error("it was not kept")
		}
		w.stop()
	})
}

// TestOneAfterTheOther: workers that die and come back one after the other are no mass loss.
func TestOneAfterTheOther(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ids := names(4)
		w := newTrial(t, ids...)
		w.live.damping.off = true
		w.inspected(nil)
		w.beat(ids...)
		time.Sleep(10 * time.Second)
		for i := range 12 {
			began := time.Now()
			w.die(ids[i%4])
			if d := time.Since(began); d > 2900*time.Millisecond || w.State().Brake().Since != 0 {
				t.Errorf("death %d took %s; brake %+v", i+1, d, w.State().Brake())
			}
			time.Sleep(500 * time.Millisecond)
		}
		w.stop()
	})
}

package master

import (
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// die lets a worker die and come back at once.
func (w *trial) die(id string) {
	w.t.Helper()
	old, _ := w.State().Worker(id)
	w.freeze(id)
	for w.state(id) != fsm.WorkerDead {
		time.Sleep(10 * time.Millisecond)
	}
	w.thaw(id)
	next := *old
	next.Registered = now()
	w.do(&fsm.RegisterWorker{Worker: next}, nil)
	w.live.begins(id, next.Incarnation, 500*time.Millisecond)
}

// TestDamping: a worker that dies time and again is held back from the third death on, for longer each time, from the
// moment of its return; a new leader knows it; in time all is forgotten.
func TestDamping(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1", "w2", "w3")
		w.beat("w1", "w2", "w3")
		time.Sleep(10 * time.Second)
		for death, hold := range []time.Duration{0, 0, 15 * time.Second, 30 * time.Second, 60 * time.Second} {
			w.die("w1")
			back := time.Now()
			if w.live.avoided("w1") != (hold > 0) {
				t.Fatalf("after death %d it is avoided: %v", death+1, w.live.avoided("w1"))
			}
			for w.live.avoided("w1") {
				time.Sleep(10 * time.Millisecond)
			}
			if d := time.Since(back); d > hold+time.Second || hold > 0 && d < hold-time.Second {
				t.Errorf("after death %d it was held back for %s", death+1, d)
			}
		}
		w.die("w1")
		w.stop()
		w.lead()
		w.beat("w1", "w2", "w3")
		time.Sleep(time.Millisecond)
		if !w.live.avoided("w1") {
			t.Error("a new leader uses it")
		}
		time.Sleep(defaultDamping.most)
		if w.live.avoided("w1") {
			t.Error("it is never used again")
		}
		time.Sleep(time.Hour)
		w.die("w1")
		if w.live.avoided("w1") {
			t.Error("nothing is forgotten in an hour")
		}
		w.stop()
	})
}

// TestDampingOfAll: where most flap, it is not their fault, and somebody has to do the work.
func TestDampingOfAll(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1", "w2", "w3")
		w.beat("w1", "w2", "w3")
		time.Sleep(10 * time.Second)
		for range 4 {
			w.die("w1")
			w.die("w2")
		}
		time.Sleep(2 * watchEvery)
		for _, id := range []string{"w1", "w2", "w3"} {
			if w.live.avoided(id) {
				t.Errorf("%s is held back: %+v", id, w.watch(id))
			}
		}
		w.stop()
	})
}

func TestDampingCanBeSwitchedOff(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1", "w2")
		w.live.damping.off = true
		w.beat("w1", "w2")
		time.Sleep(10 * time.Second)
		for range 5 {
			w.die("w1")
		}
		if w.live.avoided("w1") || w.watch("w1") != (fsm.Watch{}) {
			t.Errorf("avoided %v, %+v", w.live.avoided("w1"), w.watch("w1"))
		}
		w.stop()
	})
}

// TestPassingDoubts: six suspicions that passed weigh as much as three deaths.
func TestPassingDoubts(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1", "w2")
		w.beat("w1", "w2")
		time.Sleep(10 * time.Second)
		for i := range 5 {
			if w.live.avoided("w1") {
				t.Errorf("avoided after %d suspicions", i)
			}
			w.freeze("w1")
			time.Sleep(2 * time.Second) // one question fails, two would not have the time
			w.thaw("w1")
			time.Sleep(time.Second)
		}
		if !w.live.avoided("w1") || len(w.verdicts()) != 0 {
			t.Errorf("avoided %v, %+v, verdicts %v", w.live.avoided("w1"), w.watch("w1"), w.verdicts())
		}
		w.stop()
	})
}

func TestHoldOfAFarClock(t *testing.T) {
	t.Parallel()
	at := time.Now()
	for left, want := range map[time.Duration]bool{-time.Second: false, 0: false, time.Second: true, 5 * time.Minute: true, 5*time.Minute + time.Second: false, 1000 * time.Hour: false} {
		if got := defaultDamping.holds(fsm.Watch{HeldUntil: at.Add(left).UnixMilli()}, at); got != want {
			t.Errorf("held until %s from now: %v", left, got)
		}
	}
}

package master

import (
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// TestSuspectOfTheLastLeader is avoided from the first moment of a term, and judged sooner than one of whom nothing is known.
func TestSuspectOfTheLastLeader(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1", "w2", "w3")
		w.beat("w1", "w2", "w3")
		time.Sleep(10 * time.Second)
		w.freeze("w1", "w3")
		for w.watch("w1").Suspected == 0 || w.watch("w3").Suspected == 0 {
			time.Sleep(time.Millisecond)
		}
		since := w.watch("w1").Suspected
		w.stop()
		w.lead()
		began := time.Now()
		if !w.live.avoided("w1") || !w.live.avoided("w3") || w.live.avoided("w2") {
			t.Error("the new leader does not know what the last one knew")
		}
		w.thaw("w3")
		w.beat("w2")
		time.Sleep(500 * time.Millisecond)
		if w.live.avoided("w3") || w.watch("w3").Suspected != 0 || w.watch("w1").Suspected != since {
			t.Errorf("w3 answers: avoided %v, %+v; w1 %+v", w.live.avoided("w3"), w.watch("w3"), w.watch("w1"))
		}
		for w.state("w1") != fsm.WorkerDead {
			time.Sleep(time.Millisecond)
		}
		if d := time.Since(began); d < graceOfSuspects || d > graceOfSuspects+2500*time.Millisecond {
			t.Errorf("lost %s after the term began", d)
		}
		w.stop()
	})
}

// TestHintOfGossip: one that gossip misses is a suspect when it does not answer soon, and none when it does.
func TestHintOfGossip(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1", "w2")
		w.beat("w1", "w2")
		time.Sleep(10*time.Second + 10*time.Millisecond)
		w.freeze("w1")
		w.live.hint(w.ctx, "w1")
		w.live.hint(w.ctx, "w2")
		w.live.hint(w.ctx, "nobody")
		time.Sleep(hintLimit + time.Millisecond)
		if !w.live.avoided("w1") || w.live.avoided("w2") {
			t.Errorf("avoided: %v, %v", w.live.avoided("w1"), w.live.avoided("w2"))
		}
		time.Sleep(2 * time.Second)
		if w.state("w1") != fsm.WorkerDead || len(w.verdicts()) != 1 {
			t.Errorf("%v", w.verdicts())
		}
		w.stop()
	})
}

// TestNewLifeIsNoSuspect: what befell the last life of a worker is no reason to doubt the next one.
func TestNewLifeIsNoSuspect(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.beat("w1")
		time.Sleep(10 * time.Second)
		w.freeze("w1")
		time.Sleep(1500 * time.Millisecond)
		if !w.live.avoided("w1") {
			t.Fatal("not suspected")
		}
		old, _ := w.State().Worker("w1")
		next := *old
		next.Incarnation = "2"
		w.do(&fsm.RegisterWorker{Worker: next}, nil)
		w.thaw("w1")
		w.live.begins("w1", "2", 500*time.Millisecond)
		if w.live.avoided("w1") {
			t.Error("avoided")
		}
		time.Sleep(time.Minute)
		w.stop()
		if len(w.verdicts()) != 0 {
			t.Errorf("%v", w.verdicts())
		}
	})
}

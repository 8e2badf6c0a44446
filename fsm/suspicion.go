package fsm

import (
	"fmt"
	"math"
)

// Watch is what leaders have found out about the health of a worker: it is kept for the next leader. Nothing in here decides
// what happens to the worker; WorkerLost does.
type Watch struct {
	// Suspected is since when the leader has reason to doubt that the worker works, in milliseconds since the epoch; 0: none.
	Suspected int64  `cbor:"1,keyasint,omitempty"`
	Reason    string `cbor:"2,keyasint,omitempty"`
	// Flaps is the weight of what has befallen it, as of FlapsAt; it wears off with time (Damping.DecayMs).
	Flaps   int   `cbor:"3,keyasint,omitempty"`
	FlapsAt int64 `cbor:"4,keyasint,omitempty"`
	// HeldUntil is until when nothing new should be placed there, since it comes and goes; 0: no such time.
	HeldUntil int64 `cbor:"5,keyasint,omitempty"`
}

// Damping says what a death or suspicion of a worker means for its future. The leader that finds out brings it along.
type Damping struct {
	Weight  int   `cbor:"1,keyasint"`           // what it counts
	Free    int   `cbor:"2,keyasint,omitempty"` // up to this weight nothing happens
	Step    int   `cbor:"3,keyasint"`           // each further Step of weight doubles the time
	FirstMs int64 `cbor:"4,keyasint"`           // the first time for which it is held back
	MaxMs   int64 `cbor:"5,keyasint"`           // and the longest
	DecayMs int64 `cbor:"6,keyasint"`           // after which one of the weight is forgotten
}

// maxFlaps bounds Watch.Flaps, so that what is forgiven in time is forgiven in a bounded time.
const maxFlaps = 32

// SuspectWorker notes that the leader has begun or ceased to doubt a worker.
type SuspectWorker struct {
	ID          string `cbor:"1,keyasint"`
	Incarnation string `cbor:"2,keyasint,omitempty"` // only this life of it; empty = whichever
	Since       int64  `cbor:"3,keyasint,omitempty"` // ms since the epoch; 0: it is well
	Reason      string `cbor:"4,keyasint,omitempty"`
	At          int64  `cbor:"5,keyasint"`
	// Damping counts this as a flap; nil: it does not count.
	Damping *Damping `cbor:"6,keyasint,omitempty"`
}

// Brake is set while a leader holds verdicts back, since so many workers seem lost at once that it doubts itself.
type Brake struct {
	Since    int64 `cbor:"1,keyasint,omitempty"` // ms since the epoch; 0: no verdict is held
	Until    int64 `cbor:"2,keyasint,omitempty"` // after which they are given
	Suspects int   `cbor:"3,keyasint,omitempty"` // when it was set
	Workers  int   `cbor:"4,keyasint,omitempty"` // that were there then
	// HandedOver: the leader gave its place to a master that reaches what it does not itself. It is tried once.
	HandedOver bool `cbor:"5,keyasint,omitempty"`
}

// SetBrake replaces the brake.
type SetBrake struct {
	Brake Brake `cbor:"1,keyasint"`
}

// Type is the command's number in the log.
func (*SuspectWorker) Type() Type { return TypeSuspectWorker }

// Type is the command's number in the log.
func (*SetBrake) Type() Type { return TypeSetBrake }

// Brake is what the leader holds back; its Since is 0 where it holds nothing.
func (s *State) Brake() Brake {
	if s.c.Brake == nil {
		return Brake{}
	}
	return *s.c.Brake
}

// Watched is what leaders found out about the worker; zero where nothing is noted.
func (w *Worker) Watched() Watch {
	if w.Watch == nil {
		return Watch{}
	}
	return *w.Watch
}

// FlapsNow is what is left of the weight at a time.
func (w Watch) FlapsNow(at, decayMs int64) int {
	n, _ := w.decayed(at, decayMs)
	return n
}

// decayed forgets one for every whole DecayMs that has passed, and gives the time up to which that is accounted for.
func (w Watch) decayed(at, decayMs int64) (int, int64) {
	if w.Flaps <= 0 || decayMs <= 0 || at <= w.FlapsAt || w.FlapsAt <= 0 {
		return max(0, w.Flaps), max(at, w.FlapsAt)
	}
	gone := (at - w.FlapsAt) / decayMs
	if gone >= int64(w.Flaps) {
		return 0, at
	}
	return w.Flaps - int(gone), w.FlapsAt + gone*decayMs
}

// flap counts one more.
func (w Watch) flap(at int64, d Damping) Watch {
	n, since := w.decayed(at, d.DecayMs)
	if n == 0 {
		since = at
	}
	w.Flaps, w.FlapsAt = min(n+max(0, min(d.Weight, maxFlaps)), maxFlaps), since
	if over := w.Flaps - d.Free; over > 0 && d.FirstMs > 0 {
		hold := d.FirstMs
		for i := d.Step; i > 0 && i < over && hold < d.MaxMs; i += d.Step {
			hold = min(hold, math.MaxInt64/2) * 2
		}
		if until := at + min(hold, max(d.MaxMs, d.FirstMs)); until > w.HeldUntil && until > at {
			w.HeldUntil = until
		}
	}
	return w
}

// setWatch makes it the worker's; nothing noted is no record.
func (t *txn) setWatch(w *Worker, watch Watch) {
	w = editWorker(w)
	w.Watch = nil
	if watch != (Watch{}) {
		w.Watch = &watch
	}
	t.putWorker(w)
}

// countFlap counts what has just befallen a worker; d is nil where it does not count.
func (t *txn) countFlap(id string, at int64, d *Damping) {
	if w, ok := t.worker(id); ok && d != nil {
		t.setWatch(w, w.Watched().flap(at, *d))
	}
}

// worse is the one of two that holds a worker back for longer.
func (w Watch) worse(o Watch) Watch {
	if o.HeldUntil > w.HeldUntil || o.HeldUntil == w.HeldUntil && o.Flaps > w.Flaps {
		return o
	}
	return w
}

func (t *txn) suspectWorker(c *SuspectWorker) (any, *Refusal) {
	w, ok := t.worker(c.ID)
	if !ok || w.State == WorkerDead || c.Incarnation != "" && c.Incarnation != w.Incarnation {
		return nil, &Refusal{CodeUnknownWorker, fmt.Sprintf("worker %s is not registered in this life of it", c.ID)}
	}
	if c.Since < 0 {
		return nil, &Refusal{CodeInvalid, "a time below zero"}
	}
	watch := w.Watched()
	watch.Suspected, watch.Reason = c.Since, c.Reason
	if c.Since == 0 {
		watch.Reason = ""
	}
	t.setWatch(w, watch)
	t.countFlap(c.ID, c.At, c.Damping)
	return nil, nil
}

// endSuspicion is for a worker that is lost or begins a new life: what was doubted is over.
func (w Watch) endSuspicion() *Watch {
	w.Suspected, w.Reason = 0, ""
	if w == (Watch{}) {
		return nil
	}
	return &w
}

func (t *txn) setBrake(c *SetBrake) (any, *Refusal) {
	b := c.Brake
	if b.Since < 0 || b.Until < b.Since {
		return nil, &Refusal{CodeInvalid, "a brake that ends before it begins"}
	}
	t.c.Brake = nil
	if b.Since > 0 {
		t.c.Brake = &b
	}
	return nil, nil
}

func (s *State) checkWatch(w *Worker) error {
	watch := w.Watched()
	switch {
	case w.Watch != nil && watch == (Watch{}):
		return fmt.Errorf("worker %s has an empty record of its health", w.ID)
	case w.State == WorkerDead && watch.Suspected != 0:
		return fmt.Errorf("worker %s is DEAD and suspected", w.ID)
	case watch.Suspected < 0 || watch.Suspected == 0 && watch.Reason != "":
		return fmt.Errorf("worker %s is suspected since %d: %q", w.ID, watch.Suspected, watch.Reason)
	case watch.Flaps < 0 || watch.Flaps > maxFlaps:
		return fmt.Errorf("worker %s has flapped %d times", w.ID, watch.Flaps)
	}
	return nil
}

package fsm

import (
	"fmt"
	"strings"
)

// A drained worker is in state DECOMMISSIONED: nothing new is placed there, what runs goes on until its driver lets it go.
// It stays drained for the rest of its life, whoever leads and whatever it is taken for meanwhile, or until it is recommissioned.

// DecommissionWorker drains a worker (Master.decommissionWorker). One that is drained already is left as it is.
type DecommissionWorker struct {
	ID          string `cbor:"1,keyasint"`
	At          int64  `cbor:"2,keyasint"`           // ms since the epoch
	Incarnation string `cbor:"3,keyasint,omitempty"` // only this life of it; empty = whichever
}

// DecommissionHosts drains every worker that is registered at one of some hosts, whatever the case of their names
// (Master.decommissionWorkersOnHosts).
type DecommissionHosts struct {
	Hosts []string `cbor:"1,keyasint"`
	At    int64    `cbor:"2,keyasint"`
}

// HostsDecommissioned answers DecommissionHosts: how many workers there are, also those that were drained already.
type HostsDecommissioned struct {
	Workers int `cbor:"1,keyasint,omitempty"`
}

// RecommissionWorker ends the drain of a worker: it is ALIVE and given work again. What was decommissioned on it stays so.
// One that is not drained is left as it is. Spark's own Worker never takes work again, so it is refused (CodeInvalid).
type RecommissionWorker struct {
	ID string `cbor:"1,keyasint"`
	At int64  `cbor:"2,keyasint"`
}

// Drain is what a worker that registers says of itself.
type Drain uint8

const (
	// DrainNone: it takes work.
	DrainNone Drain = iota
	// DrainKept: it was drained at some time in this life, and has not heard that it was recommissioned. The state knows
	// whether it was, unless the state is older than the drain: one that an operator has restored.
	DrainKept
	// DrainAsked: it wishes to be drained, and no leader has told it yet that it is.
	DrainAsked
)

// Type is the command's number in the log.
func (*DecommissionWorker) Type() Type { return TypeDecommissionWorker }

// Type is the command's number in the log.
func (*DecommissionHosts) Type() Type { return TypeDecommissionHosts }

// Type is the command's number in the log.
func (*RecommissionWorker) Type() Type { return TypeRecommissionWorker }

func (t *txn) decommissionWorker(c *DecommissionWorker) (any, *Refusal) {
	w, ok := t.worker(c.ID)
	if !ok || w.State == WorkerDead || c.Incarnation != "" && c.Incarnation != w.Incarnation {
		return nil, &Refusal{CodeUnknownWorker, fmt.Sprintf("worker %s is not registered, or not in this life of it", c.ID)}
	}
	t.drain(w, c.At)
	return nil, nil
}

func (t *txn) decommissionHosts(c *DecommissionHosts) (any, *Refusal) {
	hosts := make(map[string]bool, len(c.Hosts))
	for _, h := range c.Hosts {
		hosts[strings.ToLower(h)] = true
	}
	var out HostsDecommissioned
	for _, w := range list(&t.workers, nil) {
		if w.State != WorkerDead && hosts[strings.ToLower(w.Host)] {
			t.drain(w, c.At)
			out.Workers++
		}
	}
	return out, nil
}

// drain: its executors are DECOMMISSIONED, which gives their cores back to the application and not to the worker. Those
// that have not started never will: no driver asks an executor to go that has not come to it yet.
func (t *txn) drain(w *Worker, at int64) {
	if w.State == WorkerDecommissioned {
		return
	}
	w = editWorker(w)
	w.State, w.Since, w.Undrained = WorkerDecommissioned, at, false
	t.putWorker(w)
	t.emit(Event{Kind: WorkerChanged, Worker: w})
	for _, e := range list(&t.onWorker, workerExecPrefix(w.ID)) {
		launching := e.State == ExecutorLaunching
		if e = t.decommissionExecutor(e, at); launching {
			t.endExecutor(e, ExecutorLost, "worker decommissioned before it ran", nil, at, false)
		}
	}
}

func (t *txn) recommissionWorker(c *RecommissionWorker) (any, *Refusal) {
	w, ok := t.worker(c.ID)
	switch {
	case !ok || w.State == WorkerDead && !w.Drained:
		return nil, &Refusal{CodeUnknownWorker, fmt.Sprintf("worker %s is not registered", c.ID)}
	case w.State != WorkerDecommissioned && !w.Drained:
		return nil, nil
	case w.Kind == WorkerJVM:
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("worker %s is Spark's own Worker, which takes no work for the rest of its life once it is decommissioned: restart it", c.ID)}
	}
	w = editWorker(w)
	w.Undrained = true
	if w.State == WorkerDead { // it may come back in the same life
		w.Drained = false
		t.putWorker(w)
		return nil, nil
	}
	w.State, w.Since = WorkerAlive, c.At
	t.putWorker(w)
	t.emit(Event{Kind: WorkerChanged, Worker: w})
	return nil, nil
}

// comesDrained tells whether a worker that is registered as new is drained from the start; old is its last record, if there
// is one. One that was taken for dead by mistake comes back in the same life, and as what it was.
func (c *RegisterWorker) comesDrained(old *Worker) bool {
	return old != nil && old.Incarnation == c.Worker.Incarnation && old.Drained || c.drains(old)
}

// drains tells whether a worker is to be drained by what it says itself.
func (c *RegisterWorker) drains(old *Worker) bool {
	undrained := old != nil && old.Incarnation == c.Worker.Incarnation && old.Undrained
	return c.Drain == DrainAsked || c.Drain == DrainKept && !undrained
}

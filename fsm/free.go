package fsm

import (
	"encoding/binary"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// What a scheduling pass begins with must not cost more in a large cluster than in a small one. So the state keeps the
// workers that could be given something in the order of their free cores, and what live applications ask for, each shape
// once, however many ask for it. Both follow from the records and are in no snapshot.

// offers tells whether something new could be placed on a worker at all.
func (w *Worker) offers() bool {
	return w != nil && w.State == WorkerAlive && w.CoresFree() > 0 && w.MemoryFreeMB() > 0
}

// freeKey orders workers by free cores, equal ones by id.
func freeKey(w *Worker) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(w.CoresFree())), w.ID...)
}

// putWorker makes w the record of its id.
func (t *txn) putWorker(w *Worker) {
	old, _ := t.workers.Insert([]byte(w.ID), w)
	t.indexWorker(old, w)
}

func (t *txn) deleteWorker(id string) {
	old, _ := t.workers.Delete([]byte(id))
	t.indexWorker(old, nil)
}

// indexWorker brings the indexes from one record of a worker to the next; either may be nil.
func (t *txn) indexWorker(old, w *Worker) {
	t.indexMakes(old, w)
	if old.offers() && !(w.offers() && w.CoresFree() == old.CoresFree()) {
		t.free.Delete(freeKey(old))
	}
	if w.offers() {
		t.free.Insert(freeKey(w), w)
	}
	if old != nil && old.State == WorkerDead {
		if key := addressKey(old.Host, old.Port); t.isDeadAt(key, old.ID) {
			t.dead.Delete(key)
		}
	}
	if w != nil && w.State == WorkerDead {
		t.dead.Insert(addressKey(w.Host, w.Port), w.ID)
	}
}

func (t *txn) isDeadAt(address []byte, id string) bool {
	at, ok := t.dead.Get(address)
	return ok && at == id
}

// Free walks the workers that could be given something.
type Free struct {
	up   *iradix.Iterator[*Worker]
	down *iradix.ReverseIterator[*Worker]
}

// FreeByCores gives the workers that are alive and have both cores and memory free, by ascending free cores and id; or,
// where mostFirst is set, in the exact opposite of that order.
func (s *State) FreeByCores(mostFirst bool) *Free {
	if mostFirst {
		return &Free{down: s.free.Root().ReverseIterator()}
	}
	return &Free{up: s.free.Root().Iterator()}
}

// Next is the next of them.
func (f *Free) Next() (w *Worker, ok bool) {
	if f.down != nil {
		_, w, ok = f.down.Previous()
		return w, ok
	}
	_, w, ok = f.up.Next()
	return w, ok
}

// FreeCount is how many there are.
func (s *State) FreeCount() int { return s.free.Len() }

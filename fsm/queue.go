package fsm

import iradix "github.com/hashicorp/go-immutable-radix/v2"

// Thousands of drivers may wait for what the cluster has not, and a scheduling pass must not look at each of them. So those
// that may be placed are filed by what they need, and those that are held by the worker that they wait for. Both follow
// from the records and are in no snapshot.

// shape is what a driver takes from a worker.
func (d *Driver) shape() Shape {
	return Shape{Build: d.Build, Cores: max(d.Cores, 1), MemoryMB: d.MemoryMB, Resources: d.Needs}
}

func queueKey(d *Driver) []byte { return append(d.shape().key(), seqKey(d.Seq)...) }

// enqueue makes d the record of a driver that waits.
func (t *txn) enqueue(d *Driver) {
	t.dequeue(d.Seq)
	t.waitingDrivers.Insert(seqKey(d.Seq), d)
	if d.HoldMS > 0 {
		t.heldDrivers.Insert(driverOnKey(d), d)
	} else {
		t.queuedDrivers.Insert(queueKey(d), d)
	}
}

// dequeue takes a driver out of those that wait, if it is one of them.
func (t *txn) dequeue(seq uint64) {
	d, ok := t.waitingDrivers.Delete(seqKey(seq))
	switch {
	case !ok:
	case d.HoldMS > 0:
		t.heldDrivers.Delete(driverOnKey(d))
	default:
		t.queuedDrivers.Delete(queueKey(d))
	}
}

// Queue is the drivers that wait for the same thing, in the order of their submission.
type Queue struct {
	Shape
	// First is the next of them; nil when there is none left.
	First *Driver
	rest  *iradix.Iterator[*Driver]
}

// Next goes on to the next driver.
func (q *Queue) Next() { _, q.First, _ = q.rest.Next() }

// Queues are the drivers that may be placed, those of each shape apart, whatever the number of drivers. Where there are more
// than `most` shapes, ok is false.
func (s *State) Queues(most int) (queues []Queue, ok bool) {
	it := s.queuedDrivers.Root().Iterator()
	for _, d, more := it.Next(); more; _, d, more = it.Next() {
		if len(queues) == most {
			return nil, false
		}
		q := Queue{Shape: d.shape(), rest: s.queuedDrivers.Root().Iterator()}
		key := q.key()
		q.rest.SeekPrefix(key)
		q.Next()
		queues = append(queues, q)
		it = s.queuedDrivers.Root().Iterator()
		it.SeekLowerBound(append(key, lastSeq...))
	}
	return queues, true
}

// lastSeq is behind every seqKey.
var lastSeq = append(seqKey(1<<64-1), 0)

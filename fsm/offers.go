package fsm

import (
	"encoding/binary"
	"iter"
	"slices"
)

// What the workers of a cluster are, apart from what runs on them, changes when workers come and go: so it is counted, and
// what no worker could ever take is known without a look at them. It follows from the records and is in no snapshot.

// indexMakes brings the counts from one record of a worker to the next; either may be nil.
func (t *txn) indexMakes(old, w *Worker) {
	was, is := old != nil && old.State == WorkerAlive, w != nil && w.State == WorkerAlive
	if was && is && old.MemoryMB == w.MemoryMB && slices.Equal(old.Builds, w.Builds) {
		return
	}
	if was {
		t.countMake(old, -1)
	}
	if is {
		t.countMake(w, 1)
	}
}

func (t *txn) countMake(w *Worker, by int) {
	count(&t.memories, memoryKey(w.MemoryMB), by)
	for _, b := range w.Builds {
		count(&t.builds, []byte(b), by)
	}
}

func memoryKey(mb int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(max(mb, 0))) }

// count adds to a counter, which is not kept at 0.
func count(tx *edit[int], key []byte, by int) {
	n, _ := tx.Get(key)
	if n += by; n == 0 {
		tx.Delete(key)
	} else {
		tx.Insert(key, n)
	}
}

// Builds are what the ALIVE workers run, each once, in the order of the text.
func (s *State) Builds() iter.Seq[string] {
	return func(yield func(string) bool) {
		it := s.builds.Root().Iterator()
		for b, _, ok := it.Next(); ok; b, _, ok = it.Next() {
			if !yield(string(b)) {
				return
			}
		}
	}
}

// RunsAnywhere tells whether an ALIVE worker runs a build.
func (s *State) RunsAnywhere(build string) bool {
	_, ok := s.builds.Get([]byte(build))
	return ok
}

// LargestMemoryMB is the most that an ALIVE worker has, free or not, in MiB; 0 where there is none.
func (s *State) LargestMemoryMB() int {
	key, _, ok := s.memories.Root().Maximum()
	if !ok {
		return 0
	}
	return int(binary.BigEndian.Uint64(key))
}

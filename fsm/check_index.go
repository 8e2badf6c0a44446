package fsm

import (
	"fmt"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// checkIndexes compares what scheduling passes begin with to the records that it follows from.
func (s *State) checkIndexes() (errs []error) {
	fail := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	free, dead := 0, 0
	builds, memories := map[string]int{}, map[string]int{}
	for w := range s.Workers() {
		if w.State == WorkerAlive {
			memories[string(memoryKey(w.MemoryMB))]++
			for _, b := range w.Builds {
				builds[b]++
			}
		}
		if w.offers() {
			free++
			if at, ok := s.free.Get(freeKey(w)); !ok || at != w {
				fail("worker %s is not found among those that have room", w.ID)
			}
		}
		if w.State == WorkerDead {
			dead++
			if id, ok := s.dead.Get(addressKey(w.Host, w.Port)); !ok || id != w.ID {
				fail("worker %s is dead, and at its address is %q", w.ID, id)
			}
		}
	}
	if s.free.Len() != free || s.dead.Len() != dead {
		fail("%d workers filed as having room, %d have; %d filed as dead, %d are", s.free.Len(), free, s.dead.Len(), dead)
	}
	errs = append(errs, checkCounts("builds", s.builds, builds)...)
	errs = append(errs, checkCounts("sizes of memory", s.memories, memories)...)
	errs = append(errs, s.checkQueues()...)
	counts := map[string]int{}
	for a := range s.Apps() {
		for i := range a.Profiles {
			if p := &a.Profiles[i]; a.wants(p) {
				counts[string(shapeOf(a.Build, p).key())]++
			}
		}
	}
	if s.wantedShapes.Len() != len(counts) {
		fail("%d shapes filed as wanted, %d are", s.wantedShapes.Len(), len(counts))
	}
	for key, n := range counts {
		if w, ok := s.wantedShapes.Get([]byte(key)); !ok || w.profiles != n {
			fail("shape %q is wanted by %d profiles, filed are %+v", key, n, w)
		}
	}
	return errs
}

func checkCounts(what string, filed *iradix.Tree[int], want map[string]int) (errs []error) {
	if filed.Len() != len(want) {
		errs = append(errs, fmt.Errorf("%d %s of workers are counted, there are %d", filed.Len(), what, len(want)))
	}
	for key, n := range want {
		if got, _ := filed.Get([]byte(key)); got != n {
			errs = append(errs, fmt.Errorf("%s: %q is counted for %d workers, of which there are %d", what, key, got, n))
		}
	}
	return errs
}

// checkQueues compares the waiting drivers to where they are filed.
func (s *State) checkQueues() (errs []error) {
	queued, held := 0, 0
	for d := range s.WaitingDrivers() {
		at, ok := s.queuedDrivers.Get(queueKey(d))
		if d.HoldMS > 0 {
			held++
			at, ok = s.heldDrivers.Get(driverOnKey(d))
		} else {
			queued++
		}
		if !ok || at != d {
			errs = append(errs, fmt.Errorf("driver %s waits, and is not found by what it waits for", d.ID))
		}
	}
	if s.queuedDrivers.Len() != queued || s.heldDrivers.Len() != held {
		errs = append(errs, fmt.Errorf("%d drivers are queued and %d held, filed are %d and %d", queued, held, s.queuedDrivers.Len(), s.heldDrivers.Len()))
	}
	return errs
}

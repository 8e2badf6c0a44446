package fsm

import "fmt"

// checkIndexes compares what scheduling passes begin with to the records that it follows from.
func (s *State) checkIndexes() (errs []error) {
	fail := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	free, dead := 0, 0
	for w := range s.Workers() {
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
	counts := map[string]int{}
	for a := range s.Apps() {
		for i := range a.Profiles {
			if p := &a.Profiles[i]; a.wants(p) {
				counts[string(shapeKey(a.Build, p))]++
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

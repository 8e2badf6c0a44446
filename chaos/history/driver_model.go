package history

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// driverState is what a cluster without faults would hold of one submission. It is a comparable value: reasons is a set.
type driverState struct {
	phase   phase // never evicted: the storm keeps all of them
	id      string
	placed  bool // it was on a worker once: it does not wait as a new one any more
	end     string
	reasons endReasons
}

// endReasons are the states in which the driver may have ended, by what was done.
type endReasons uint8

// endStates are those in which a driver can end.
var endStates = []string{"FINISHED", "FAILED", "KILLED", "ERROR"}

func reasonFor(state string) endReasons {
	i := slices.Index(endStates, state)
	if i < 0 {
		return 0
	}
	return 1 << i
}

// model of a driver. Its end is nobody's operation: the first read that shows it makes it, if there was a reason.
var driverModel = porcupine.Model{
	Init: func() any { return driverState{} },
	Step: func(state, in, _ any) (bool, any) {
		s := state.(driverState)
		switch in := in.(type) {
		case submit:
			if s.phase != absent {
				return in.id == "" || s.knows(in.id), s // the answer to a repetition
			}
			s.phase, s.id = active, in.id
			return true, s
		case toldID:
			ok := s.phase != absent && s.knows(in.id)
			s.id = in.id
			return ok, s
		case mayEnd:
			s.reasons |= reasonFor(in.state)
			return true, s
		case shown:
			return s.see(in.drivers)
		}
		return false, s
	},
	DescribeOperation: func(in, _ any) string { return fmt.Sprintf("%T%v", in, in) },
}

func (s driverState) knows(id string) bool { return s.id == "" || s.id == id }

func (s driverState) see(drivers []DriverSighting) (bool, any) {
	switch {
	case len(drivers) > 1:
		return false, s
	case len(drivers) == 0:
		return s.phase == absent, s
	}
	d := drivers[0]
	if s.phase == absent || !s.knows(d.ID) {
		return false, s
	}
	s.id = d.ID
	if d.Ended {
		ok := s.end == d.State || s.phase == active && s.reasons&reasonFor(d.State) != 0
		s.phase, s.end = ended, d.State
		return ok, s
	}
	ok := s.phase == active
	switch d.State {
	case "SUBMITTED":
		ok = ok && !s.placed
	case "RUNNING", "RELAUNCHING":
		s.placed = true
	default:
		ok = false
	}
	return ok, s
}

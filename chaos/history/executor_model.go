package history

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// executorState is what a cluster without faults would hold of one executor.
type executorState struct {
	worker   string // "" before anybody has seen it
	launched bool
	reason   bool // there is one for its end
	gone     bool // a read has shown that it ended
	givenUp  bool // it ended without a reason, and without having been started: it must not be started any more
}

var executorModel = porcupine.Model{
	Init: func() any { return executorState{} },
	Step: func(state, in, _ any) (bool, any) {
		s := state.(executorState)
		switch in := in.(type) {
		case launch:
			ok := !s.launched && !s.givenUp && s.on(in.worker)
			s.worker, s.launched = in.worker, true
			return ok, s
		case told:
			ok := s.on(in.worker)
			s.worker = in.worker
			return ok, s
		case running:
			return s.launched, s
		case over:
			return s.end()
		case killed:
			return s.on(in.worker) && s.reason, s
		case reason:
			s.reason = true
			return true, s
		case seen:
			return s.see(in.workers)
		case missing:
			return s.miss()
		}
		return false, s
	},
	DescribeOperation: func(in, _ any) string { return fmt.Sprintf("%T%v", in, in) },
}

// on tells whether it can be on that worker.
func (s executorState) on(worker string) bool { return s.worker == "" || s.worker == worker }

func (s executorState) see(workers []string) (bool, any) {
	ok := len(workers) == 1 && s.on(workers[0]) && !s.gone
	s.worker = workers[0]
	return ok, s
}

func (s executorState) miss() (bool, any) {
	if s.worker == "" {
		return true, s // not placed yet
	}
	s.gone = true
	return s.end()
}

// end tells whether it can have ended by now. A new leader that cannot know whether the last one had it started gives it
// up, and places another one.
func (s executorState) end() (bool, any) {
	if !s.reason && !s.launched {
		s.givenUp = true
	}
	return s.reason || !s.launched, s
}

// coresModel is a worker's cores: what is free, and who holds some.
func coresModel(cores int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return coresState{free: cores} },
		Step: func(state, in, _ any) (bool, any) {
			s := state.(coresState)
			switch in := in.(type) {
			case take:
				k := executorKey{in.app, in.id}
				if s.free < in.cores || slices.Contains(s.holders, k) {
					return false, s
				}
				return true, coresState{s.free - in.cores, append(slices.Clone(s.holders), k)}
			case free:
				k := executorKey{in.app, in.id}
				i := slices.Index(s.holders, k)
				if i < 0 {
					return false, s
				}
				return true, coresState{s.free + in.cores, slices.Delete(slices.Clone(s.holders), i, i+1)}
			}
			return false, s
		},
		Equal: func(a, b any) bool {
			x, y := a.(coresState), b.(coresState)
			return x.free == y.free && slices.Equal(x.holders, y.holders)
		},
		DescribeOperation: func(in, _ any) string { return fmt.Sprintf("%T%v", in, in) },
	}
}

type coresState struct {
	free    int
	holders []executorKey
}

package history

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// appState is what a cluster without faults would hold of one application.
type appState struct {
	phase phase
	id    string // "" while nobody has seen it
}

type phase int

const (
	absent  phase = iota
	active        // registered and not ended
	ended         // in the books as completed
	evicted       // ended, and old enough to be forgotten (spark.deploy.retainedApplications)
)

// model of an application. An operation without an answer, whose return is never, is always allowed: it is placed at the
// end if it was not carried out.
var appModel = porcupine.Model{
	Init: func() any { return appState{} },
	Step: func(state, in, _ any) (bool, any) {
		s := state.(appState)
		switch in := in.(type) {
		case register:
			return s.register(in.id)
		case answer:
			// The end may have come meanwhile: this was sent before it.
			return s.phase != absent && s.knows(in.id), s.named(in.id)
		case unregister, leave:
			if s.phase == active {
				s.phase = ended
			}
			return true, s
		case removed:
			return s.phase == ended || s.phase == evicted, s
		case sight:
			return s.see(in.apps)
		}
		return false, s
	},
	DescribeOperation: func(in, _ any) string { return fmt.Sprintf("%T%v", in, in) },
}

func (s appState) register(id string) (bool, any) {
	if s.phase != absent {
		return id == "", s // an answer that never came; otherwise twice is once too often
	}
	return true, appState{active, id}
}

func (s appState) see(apps []Sighting) (bool, any) {
	switch {
	case len(apps) > 1:
		return false, s
	case len(apps) == 0:
		if s.phase == ended {
			s.phase = evicted
		}
		return s.phase != active, s
	case !s.knows(apps[0].ID):
		return false, s
	case apps[0].Active:
		return s.phase == active, s.named(apps[0].ID)
	}
	return s.phase == ended, s.named(apps[0].ID)
}

func (s appState) knows(id string) bool { return s.id == "" || s.id == id }

func (s appState) named(id string) appState { s.id = id; return s }

package master

import (
	"io"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/raftnode"
)

// machine gives the state machine the face that raftnode asks for.
type machine struct{ *fsm.Machine }

var _ raftnode.Machine = machine{}

// Snapshot takes the present state: it is immutable, so there is nothing to copy and nothing to release.
func (m machine) Snapshot() (raftnode.MachineSnapshot, error) { return snapshot{m.State()}, nil }

type snapshot struct{ state *fsm.State }

func (s snapshot) Persist(w io.Writer) error { return s.state.Write(w) }
func (s snapshot) Release()                  {}

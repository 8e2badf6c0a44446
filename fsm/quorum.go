package fsm

import (
	"fmt"
	"slices"
)

// The bounds of what SetAutopilot and RemoveMaster take.
const (
	maxVoters         = 9
	maxMasterID       = 63
	maxRemovedMasters = 256 // the oldest is forgotten
)

// Quorum is what the operators want of the masters: how many vote, when the leader acts, and who was taken out for good.
type Quorum struct {
	Autopilot Autopilot       `cbor:"1,keyasint"`
	Removed   []RemovedMaster `cbor:"2,keyasint,omitempty"` // oldest first
}

// Autopilot is how the leader keeps the quorum whole. Zero fields mean the default.
type Autopilot struct {
	Voters          int   `cbor:"1,keyasint,omitempty"` // how many masters vote; odd; further ones are spares
	StabilizationMs int64 `cbor:"2,keyasint,omitempty"` // how long a spare must have been healthy before it may vote
	DeadAfterMs     int64 `cbor:"3,keyasint,omitempty"` // how long a voter must have been unhealthy before a spare takes its place
	Off             bool  `cbor:"4,keyasint,omitempty"` // the leader adds spares and changes nothing else
}

// RemovedMaster is one that an operator took out.
type RemovedMaster struct {
	ID string `cbor:"1,keyasint"`
	At int64  `cbor:"2,keyasint,omitempty"` // ms since the epoch
}

// SetAutopilot replaces the settings.
type SetAutopilot struct {
	Autopilot Autopilot `cbor:"1,keyasint"`
}

// RemoveMaster notes that an operator takes a master out for good: it is not added again, and its process ends.
type RemoveMaster struct {
	ID string `cbor:"1,keyasint"`
	At int64  `cbor:"2,keyasint,omitempty"`
}

// AdmitMaster takes RemoveMaster back: a master of that name has come with an empty disk, as a new one.
type AdmitMaster struct {
	ID string `cbor:"1,keyasint"`
}

// Type is the command's number in the log.
func (*SetAutopilot) Type() Type { return TypeSetAutopilot }

// Type is the command's number in the log.
func (*RemoveMaster) Type() Type { return TypeRemoveMaster }

// Type is the command's number in the log.
func (*AdmitMaster) Type() Type { return TypeAdmitMaster }

// Autopilot is how the leader should keep the quorum whole; zero where nobody has said.
func (s *State) Autopilot() Autopilot {
	if s.c.Quorum == nil {
		return Autopilot{}
	}
	return s.c.Quorum.Autopilot
}

// MasterRemoved tells whether an operator took the master out for good.
func (s *State) MasterRemoved(id string) bool {
	return s.c.Quorum != nil && slices.ContainsFunc(s.c.Quorum.Removed, func(r RemovedMaster) bool { return r.ID == id })
}

// editQuorum makes a copy the state's, to change: States share the one before.
func (t *txn) editQuorum() *Quorum {
	q := &Quorum{}
	if t.c.Quorum != nil {
		q.Autopilot, q.Removed = t.c.Quorum.Autopilot, slices.Clone(t.c.Quorum.Removed)
	}
	t.c.Quorum = q
	return q
}

func (t *txn) setAutopilot(c *SetAutopilot) (any, *Refusal) {
	a := c.Autopilot
	switch {
	case a.Voters < 0 || a.Voters > maxVoters || a.Voters > 0 && a.Voters%2 == 0:
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("%d voters: a quorum has 1, 3, 5, 7 or 9", a.Voters)}
	case a.StabilizationMs < 0 || a.DeadAfterMs < 0:
		return nil, &Refusal{CodeInvalid, "a time below zero"}
	}
	t.editQuorum().Autopilot = a
	return nil, nil
}

func (t *txn) removeMaster(c *RemoveMaster) (any, *Refusal) {
	if c.ID == "" || len(c.ID) > maxMasterID {
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("a master's id has 1 to %d characters", maxMasterID)}
	}
	q := t.editQuorum()
	q.Removed = append(slices.DeleteFunc(q.Removed, func(r RemovedMaster) bool { return r.ID == c.ID }), RemovedMaster{c.ID, c.At})
	q.Removed = q.Removed[max(0, len(q.Removed)-maxRemovedMasters):]
	return nil, nil
}

func (t *txn) admitMaster(c *AdmitMaster) (any, *Refusal) {
	q := t.editQuorum()
	q.Removed = slices.DeleteFunc(q.Removed, func(r RemovedMaster) bool { return r.ID == c.ID })
	return nil, nil
}

package fsm

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
)

// An operator's restore goes through the log as every other change does: the snapshot in pieces, then the word. Raft's own
// way to take a foreign snapshot (raft.Restore) puts it into the leader first; a leader that dies before the others have it
// would come back with a state that nobody else has. Here all masters carry the same restore out at the same index, or none.

// StageRestore brings a piece of a snapshot that is to be restored. Nothing is restored yet.
type StageRestore struct {
	ID     string `cbor:"1,keyasint,omitempty"` // of the restore; empty: what is staged is given up
	Offset int64  `cbor:"2,keyasint,omitempty"` // of the piece; 0 begins a restore and gives up what was staged before
	Data   []byte `cbor:"3,keyasint,omitempty"`
}

// RestoreState carries a staged restore out. See restoring for what it does.
type RestoreState struct {
	ID     string `cbor:"1,keyasint"`
	Size   int64  `cbor:"2,keyasint"` // of all pieces
	SHA256 []byte `cbor:"3,keyasint"`
	At     int64  `cbor:"4,keyasint"`
	// Keep ends nothing: what lives and is not in the snapshot goes on.
	Keep            bool `cbor:"5,keyasint,omitempty"`
	RetainedApps    int  `cbor:"6,keyasint"` // spark.deploy.retainedApplications
	RetainedDrivers int  `cbor:"7,keyasint"` // spark.deploy.retainedDrivers
}

// StateRestored answers RestoreState, by what was changed.
type StateRestored struct {
	Workers          int `cbor:"1,keyasint,omitempty"` // added, and so on
	Apps             int `cbor:"2,keyasint,omitempty"`
	Drivers          int `cbor:"3,keyasint,omitempty"`
	CompletedApps    int `cbor:"4,keyasint,omitempty"`
	CompletedDrivers int `cbor:"5,keyasint,omitempty"`
	EndedApps        int `cbor:"6,keyasint,omitempty"` // ended, since the snapshot does not know them
	EndedDrivers     int `cbor:"7,keyasint,omitempty"`
}

// Type is the command's number in the log.
func (*StageRestore) Type() Type { return TypeStageRestore }

// Type is the command's number in the log.
func (*RestoreState) Type() Type { return TypeRestoreState }

// maxStaged bounds what a restore may take of every master's memory. A state of 5,000 workers and 100,000 executors is 71 MB.
const maxStaged = 1 << 30

// staged is what has come of a snapshot that is to be restored. States share it: it is replaced, and only appended to.
type staged struct {
	id     string
	size   int64
	pieces [][]byte
}

// stagedPiece is its form in a snapshot of the state.
type stagedPiece struct {
	ID   string `cbor:"1,keyasint"`
	Data []byte `cbor:"2,keyasint,omitempty"`
}

func (s *staged) add(id string, data []byte) *staged {
	if s == nil || s.id != id {
		s = &staged{id: id}
	}
	return &staged{id: id, size: s.size + int64(len(data)), pieces: append(slices.Clip(s.pieces), slices.Clone(data))}
}

// RestoreStaged is the id of a restore that has begun to come; empty: none.
func (s *State) RestoreStaged() string {
	if s.staged == nil {
		return ""
	}
	return s.staged.id
}

func (s *State) visitStaged(visit func(kind byte, record any) error) error {
	if s.staged == nil {
		return nil
	}
	for _, p := range s.staged.pieces {
		if err := visit(recordStaged, stagedPiece{ID: s.staged.id, Data: p}); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) stageRestore(c *StageRestore) (any, *Refusal) {
	at := int64(0)
	if t.staged != nil && t.staged.id == c.ID {
		at = t.staged.size
	}
	switch {
	case c.ID == "":
		t.staged = nil
		return nil, nil
	case c.Offset == 0:
		t.staged = nil
	case c.Offset != at:
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("a piece of restore %s at %d, where %d bytes are staged: begin again", c.ID, c.Offset, at)}
	case at+int64(len(c.Data)) > maxStaged:
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("a snapshot of more than %d bytes", maxStaged)}
	}
	t.staged = t.staged.add(c.ID, c.Data)
	return nil, nil
}

// read gives the state that is staged for a restore, if all of it is there.
func (s *staged) read(c *RestoreState) (*State, *Refusal) {
	if s == nil || s.id != c.ID || s.size != c.Size {
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("restore %s of %d bytes is not staged: begin again", c.ID, c.Size)}
	}
	readers := make([]io.Reader, len(s.pieces))
	sum := sha256.New()
	for i, p := range s.pieces {
		readers[i] = bytes.NewReader(p)
		sum.Write(p)
	}
	if !bytes.Equal(sum.Sum(nil), c.SHA256) {
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("what is staged for restore %s is not what was sent: begin again", c.ID)}
	}
	state, err := ReadSnapshot(io.MultiReader(readers...))
	if err == nil {
		err = state.Invariants()
	}
	if err != nil {
		return nil, &Refusal{CodeInvalid, "the snapshot is damaged: " + err.Error()}
	}
	return state, nil
}

func (t *txn) restoreState(c *RestoreState) (any, *Refusal) {
	from, refusal := t.staged.read(c)
	if refusal != nil {
		return nil, refusal
	}
	t.staged = nil
	r := &restoring{txn: t, from: from, c: c, overApps: map[string]bool{}, overDrivers: map[string]bool{}}
	r.run()
	t.emit(Event{Kind: StateReplaced, Message: "restored by an operator"})
	return r.out, nil
}

package raftnode

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// Machine is the replicated state. Apply, Snapshot and Restore are never called at the same time; a snapshot's Persist runs
// beside Apply.
type Machine interface {
	// Apply executes the commands of one log entry in order and returns one result for each. It must be deterministic and
	// must neither keep nor change the commands' memory. The list may be empty.
	Apply(index, term uint64, cmds [][]byte) [][]byte
	// Snapshot returns at once with an immutable handle of the state.
	Snapshot() (MachineSnapshot, error)
	// Restore replaces the state by what Persist wrote; on an error the old state must remain.
	Restore(r io.Reader) error
}

// MachineSnapshot is the state as of one index.
type MachineSnapshot interface {
	Persist(w io.Writer) error
	// Release is called exactly once, whether Persist ran or not.
	Release()
}

// fsm adapts a Machine to hashicorp/raft: it unpacks entries and tracks what has been applied.
type fsm struct {
	machine Machine
	applied *progress
	fatal   func(error)
	broken  bool // an entry could not be applied: touch nothing any more
}

var _ raft.ConfigurationStore = (*fsm)(nil)

// errAppliedBefore answers an entry that the machine holds already; nobody waits for its results.
var errAppliedBefore = fmt.Errorf("%w: the entry was applied before", ErrUnavailable)

// Apply implements raft.FSM. The response is [][]byte, or an error if the machine has stopped.
func (f *fsm) Apply(entry *raft.Log) any {
	if f.broken {
		return ErrBadEntry
	}
	if entry.Index <= f.applied.index() {
		return errAppliedBefore
	}
	cmds, err := decodeEntry(entry.Data)
	if err != nil {
		return f.fail(fmt.Errorf("index %d, term %d: %w; this release is older than the log, or the log is damaged", entry.Index, entry.Term, err))
	}
	results := f.machine.Apply(entry.Index, entry.Term, cmds)
	if len(results) != len(cmds) {
		return f.fail(fmt.Errorf("index %d: the machine gave %d results for %d commands", entry.Index, len(results), len(cmds)))
	}
	f.applied.advance(entry.Index)
	return results
}

// fail stops the process, since skipping an entry would let the replicas diverge.
func (f *fsm) fail(err error) error {
	f.broken = true
	f.fatal(err)
	return err
}

// StoreConfiguration implements raft.ConfigurationStore; it keeps the applied index moving past membership entries.
func (f *fsm) StoreConfiguration(index uint64, _ raft.Configuration) {
	if !f.broken {
		f.applied.advance(index)
	}
}

// snapshotFormat is the first byte of a snapshot, followed by the applied index (uvarint) and the machine's own bytes. The
// file store around it keeps a checksum, which is verified before Restore sees a byte.
const snapshotFormat = 1

// Snapshot implements raft.FSM.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if f.broken {
		return nil, ErrBadEntry
	}
	snap, err := f.machine.Snapshot()
	if err != nil {
		return nil, err
	}
	return &fsmSnapshot{machine: snap, index: f.applied.index()}, nil
}

// Restore implements raft.FSM.
func (f *fsm) Restore(source io.ReadCloser) error {
	defer source.Close()
	r := bufio.NewReaderSize(source, 64<<10)
	format, err := r.ReadByte()
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	if format != snapshotFormat {
		return fmt.Errorf("snapshot format %d is unknown to this release, which writes %d", format, snapshotFormat)
	}
	index, err := binary.ReadUvarint(r)
	if err != nil {
		return fmt.Errorf("read snapshot index: %w", err)
	}
	if index < f.applied.index() {
		// raft installs whatever its leader sends. The state must not go back: readers were told what it held. raft gives
		// the entries in between once more, and Apply knows them.
		_, err := io.Copy(io.Discard, r)
		return err
	}
	if err := f.machine.Restore(r); err != nil {
		return fmt.Errorf("restore snapshot of index %d: %w", index, err)
	}
	f.broken = false
	f.applied.advance(index)
	return nil
}

type fsmSnapshot struct {
	machine MachineSnapshot
	index   uint64
}

// Persist implements raft.FSMSnapshot.
func (s *fsmSnapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.write(sink); err != nil {
		_ = sink.Cancel() // the write error is the one to tell
		return fmt.Errorf("write snapshot of index %d: %w", s.index, err)
	}
	return sink.Close()
}

func (s *fsmSnapshot) write(w io.Writer) error {
	buf := bufio.NewWriterSize(w, 64<<10)
	if _, err := buf.Write(binary.AppendUvarint([]byte{snapshotFormat}, s.index)); err != nil {
		return err
	}
	if err := s.machine.Persist(buf); err != nil {
		return err
	}
	return buf.Flush()
}

// Release implements raft.FSMSnapshot.
func (s *fsmSnapshot) Release() { s.machine.Release() }

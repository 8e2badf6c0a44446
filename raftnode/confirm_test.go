package raftnode

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/hashicorp/raft"
)

func TestConfirmationsCountOnlyWhatWasSentLater(t *testing.T) {
	t.Parallel()
	voters := []Server{{ID: "a", Voter: true}, {ID: "b", Voter: true}, {ID: "c", Voter: true}}
	var c confirmations
	before := c.mark()
	mark := c.mark()
	_, changed := c.count(voters, "a", 5, mark)
	c.answered("b", 5, before)
	select {
	case <-changed:
	default:
		t.Error("an answer wakes nobody")
	}
	if n, _ := c.count(voters, "a", 5, mark); n != 1 {
		t.Errorf("an answer to what was sent before the mark: %d of 3", n)
	}
	after := c.mark()
	c.answered("b", 4, after)
	if n, _ := c.count(voters, "a", 5, mark); n != 1 {
		t.Errorf("an answer of another term: %d of 3", n)
	}
	c.answered("b", 5, after)
	c.answered("b", 5, before) // comes late
	c.answered("d", 5, after)  // is no voter
	if n, _ := c.count(voters, "a", 5, mark); n != 2 {
		t.Errorf("an answer of b: %d of 3", n)
	}
	if n, _ := c.count(voters, "x", 5, mark); n != 1 {
		t.Errorf("a leader that is no voter counts itself: %d", n)
	}
}

// TestOldSnapshotDoesNotTurnBack: raft installs any snapshot of its leader, an old one too, and applies what follows again.
func TestOldSnapshotDoesNotTurnBack(t *testing.T) {
	t.Parallel()
	record := newRecorder()
	f := &fsm{machine: record, applied: &progress{}, fatal: func(err error) { t.Error(err) }}
	apply := func(index uint64, cmd string) any {
		return f.Apply(&raft.Log{Index: index, Term: 1, Data: encodeEntry([][]byte{[]byte(cmd)})})
	}
	apply(1, "a")
	snap, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var old sink
	if err := snap.Persist(&old); err != nil {
		t.Fatal(err)
	}
	apply(2, "b")
	if err := f.Restore(io.NopCloser(bytes.NewReader(old.Bytes()))); err != nil {
		t.Fatal(err)
	}
	if got := record.order(); !slices.Equal(got, []string{"a", "b"}) || f.applied.index() != 2 {
		t.Fatalf("after an old snapshot: %v at %d", got, f.applied.index())
	}
	if _, isErr := apply(2, "b").(error); !isErr || record.repeats != 0 || record.gap {
		t.Fatal("an entry was applied again")
	}
	apply(3, "c")
	if got := record.order(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Fatalf("%v", got)
	}
}

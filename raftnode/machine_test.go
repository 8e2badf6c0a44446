package raftnode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/hashicorp/raft"
)

func TestEntryRoundTrip(t *testing.T) {
	t.Parallel()
	for _, cmds := range [][][]byte{nil, {{}}, {[]byte("a")}, {[]byte("a"), {}, bytes.Repeat([]byte("b"), 300)}} {
		got, err := decodeEntry(encodeEntry(cmds))
		if err != nil || len(got) != len(cmds) {
			t.Fatalf("%d commands: got %d, %v", len(cmds), len(got), err)
		}
		for i := range cmds {
			if !bytes.Equal(got[i], cmds[i]) {
				t.Fatalf("command %d differs", i)
			}
		}
	}
}

func TestBadEntries(t *testing.T) {
	t.Parallel()
	for _, entry := range [][]byte{nil, {0}, {2, 1, 'a'}, {1, 2, 'a'}, {1, 0x80}, {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}} {
		if cmds, err := decodeEntry(entry); !errors.Is(err, ErrBadEntry) {
			t.Errorf("%x: %q, %v", entry, cmds, err)
		}
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(encodeEntry([][]byte{[]byte("one"), []byte("two")}))
	f.Add([]byte{1, 5})
	f.Fuzz(func(t *testing.T, entry []byte) {
		cmds, err := decodeEntry(entry)
		if err != nil {
			return
		}
		again, err := decodeEntry(encodeEntry(cmds))
		if err != nil || len(again) != len(cmds) {
			t.Fatalf("%d commands came back as %d, %v", len(cmds), len(again), err)
		}
	})
}

// stumbling is a machine that answers with one result too few.
type stumbling struct{ *recorder }

func (s stumbling) Apply(index, term uint64, cmds [][]byte) [][]byte {
	return s.recorder.Apply(index, term, cmds)[1:]
}

func TestUndecodableEntryStops(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		machine Machine
		entry   []byte
	}{
		"unknown format":   {newRecorder(), []byte{9}},
		"results missing":  {stumbling{newRecorder()}, encodeEntry([][]byte{[]byte("a")})},
		"truncated length": {newRecorder(), []byte{1, 7, 'a'}},
	} {
		var fatal error
		f := &fsm{machine: c.machine, applied: &progress{}, fatal: func(err error) { fatal = err }}
		if err, ok := f.Apply(&raft.Log{Index: 3, Term: 1, Data: c.entry}).(error); !ok || err == nil || fatal == nil {
			t.Errorf("%s: response %v, fatal %v", name, err, fatal)
		}
		// Nothing may be applied after it, and nothing may be remembered of it.
		if _, ok := f.Apply(&raft.Log{Index: 4, Term: 1, Data: encodeEntry([][]byte{[]byte("b")})}).(error); !ok {
			t.Errorf("%s: went on after a broken entry", name)
		}
		if _, err := f.Snapshot(); err == nil {
			t.Errorf("%s: a snapshot of a broken machine", name)
		}
		if f.applied.index() != 0 {
			t.Errorf("%s: applied index %d", name, f.applied.index())
		}
	}
}

// sink is a raft.SnapshotSink in memory.
type sink struct {
	bytes.Buffer
	limit             int // fail beyond it; 0: never
	closed, cancelled bool
}

func (s *sink) Write(p []byte) (int, error) {
	if s.limit > 0 && s.Len()+len(p) > s.limit {
		return 0, errors.New("no space left on device")
	}
	return s.Buffer.Write(p)
}
func (s *sink) Close() error  { s.closed = true; return nil }
func (s *sink) Cancel() error { s.cancelled = true; return nil }
func (s *sink) ID() string    { return "s" }

func TestSnapshotCarriesTheIndex(t *testing.T) {
	t.Parallel()
	newFSM := func() *fsm {
		return &fsm{machine: newRecorder(), applied: &progress{}, fatal: func(err error) { t.Error(err) }}
	}
	f := newFSM()
	f.Apply(&raft.Log{Index: 700, Term: 2, Data: encodeEntry([][]byte{[]byte("a"), []byte("b")})})
	snap, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var full sink
	if err := snap.Persist(&full); err != nil || !full.closed || full.cancelled {
		t.Fatalf("persist: %v, %+v", err, &full)
	}
	tiny := sink{limit: 10}
	if err := snap.Persist(&tiny); err == nil || tiny.closed || !tiny.cancelled {
		t.Fatalf("persist on a full disk: %v", err)
	}
	snap.Release()
	g := newFSM()
	if err := g.Restore(io.NopCloser(&full.Buffer)); err != nil || g.applied.index() != 700 {
		t.Fatalf("restore: %v, index %d", err, g.applied.index())
	}
	for _, bad := range []string{"", "\x07", "\x01", "\x01\x05{"} {
		if err := newFSM().Restore(io.NopCloser(bytes.NewBufferString(bad))); err == nil {
			t.Errorf("restored from %q", bad)
		}
	}
}

// A node that was away for longer than the log reaches back gets a snapshot, and all restart from snapshots.
func TestSnapshotToALaggingFollowerAndRestart(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, func(c *Config) { c.TrailingLogs = 1 })
	away := g.follower().ID()
	g.kill(away)
	var want []string
	for i := range 50 {
		cmd := fmt.Sprintf("c%d", i)
		g.propose(g.leader(), cmd)
		want = append(want, cmd)
	}
	for _, n := range g.all() {
		if err := n.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if first := g.leader().Stats(); first.Applied < 50 {
		t.Fatalf("stats %+v", first)
	}
	g.open(away)
	if got := g.same(); !slices.Equal(got, want) {
		t.Fatalf("commands %v", got)
	}
	for _, n := range g.all() {
		g.kill(n.ID())
	}
	for _, id := range []string{"m1", "m2", "m3"} {
		g.open(id)
	}
	g.propose(g.leader(), "last")
	if got := g.same(); !slices.Equal(got, append(want, "last")) {
		t.Fatalf("commands %v after the restart", got)
	}
}

package raftnode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// writtenDir is the data directory of a node that has taken commands and snapshots.
func writtenDir(t *testing.T) string {
	t.Helper()
	var dir string
	g := newGroup(t, 1, func(c *Config) { dir, c.Reserve, c.TrailingLogs = c.DataDir, -1, 20 })
	for i := range 120 {
		g.propose(g.find("m1"), fmt.Sprintf("command %d %s", i, strings.Repeat("x", i*7%900)))
		if i%50 == 49 {
			if err := g.find("m1").Snapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := g.find("m1").Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// contents opens the data directory and gives all that raft would read there.
func contents(dir string) (string, error) {
	cfg := &Config{ID: "m1", DataDir: dir, Reserve: -1, Logger: slog.New(slog.DiscardHandler)}
	s, own, err := openStorage(cfg, raftLogger(cfg.Logger))
	if err != nil {
		return "", err
	}
	defer s.closer.Close()
	var all strings.Builder
	fmt.Fprintln(&all, own)
	for _, key := range []string{"CurrentTerm", "LastVoteTerm", "LastVoteCand"} {
		value, err := s.stable.Get([]byte(key))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&all, "%s %x\n", key, value)
	}
	if err := entries(&all, s.logs); err != nil {
		return "", err
	}
	return all.String(), snapshots(&all, s.snaps)
}

func entries(w io.Writer, logs raft.LogStore) error {
	first, err := logs.FirstIndex()
	if err != nil {
		return err
	}
	last, err := logs.LastIndex()
	for i := first; i <= last && err == nil; i++ {
		var e raft.Log
		if err = logs.GetLog(i, &e); err == nil {
			fmt.Fprintf(w, "%d %d %d %q %x\n", e.Index, e.Term, e.Type, e.Data, e.Extensions)
		}
	}
	return err
}

func snapshots(w io.Writer, snaps raft.SnapshotStore) error {
	list, err := snaps.List()
	if err != nil || len(list) == 0 {
		return err
	}
	meta, r, err := snaps.Open(list[0].ID)
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Fprintf(w, "%+v\n", *meta)
	_, err = io.Copy(w, r)
	return err
}

// Whatever bit of the directory turns over, the node says so, or nothing that it reads has changed.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	dir := writtenDir(t)
	want, err := contents(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	var names []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[path], err = os.ReadFile(path)
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	refused, harmless := 0, 0
	for i := range 400 {
		path := names[rng.IntN(len(names))]
		if i%2 == 0 {
			path = filepath.Join(dir, logFile) // which is the largest
		}
		data := files[path]
		used := len(bytes.TrimRight(data, "\x00"))
		bit := rng.IntN(8 * used)
		damaged := bytes.Clone(data)
		damaged[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := contents(dir)
		switch {
		case err == nil && got == want:
			harmless++ // a free page, an older snapshot, the time of an entry
		case err == nil:
			t.Fatalf("bit %d of %s turned over: read other things without an error", bit, path)
		case errors.Is(err, ErrCorrupt) && strings.Contains(err.Error(), "move this directory away"), errors.Is(err, ErrDataDir), errors.Is(err, ErrForeignDataDir):
			refused++
		default:
			t.Fatalf("bit %d of %s turned over: %v", bit, path, err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Opening changes the file, so that a flip may meet a page that is free by now.
	t.Logf("%d refused, %d harmless", refused, harmless)
	if refused < 50 {
		t.Errorf("only %d flips were noticed", refused)
	}
}

func TestTornFiles(t *testing.T) {
	t.Parallel()
	dir := writtenDir(t)
	path := filepath.Join(dir, logFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 100, 4096, 5000, 8192, 16384, len(bytes.TrimRight(data, "\x00")) / 2} {
		if err := os.WriteFile(path, data[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := contents(dir); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", size, err)
		}
	}
}

// A log that lost its file while there is a snapshot beside it has lost its term and its vote.
func TestALostLogIsNoticed(t *testing.T) {
	t.Parallel()
	dir := writtenDir(t)
	if err := os.Remove(filepath.Join(dir, logFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := contents(dir); !errors.Is(err, ErrCorrupt) {
		t.Errorf("opened without its log: %v", err)
	}
}

// Directories of releases before checksums open, and get them with what is written.
func TestWithoutChecksums(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bolt, err := openBolt(filepath.Join(dir, logFile))
	if err != nil {
		t.Fatal(err)
	}
	old := &raft.Log{Index: 1, Term: 3, Data: []byte("old")}
	if err := errors.Join(bolt.StoreLog(old), bolt.SetUint64([]byte("CurrentTerm"), 3), bolt.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := claimIdentity(dir, "m1", "", false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []uint64{3, 4} {
		cfg := &Config{ID: "m1", DataDir: dir, Reserve: -1, Logger: slog.New(slog.DiscardHandler)}
		s, _, err := openStorage(cfg, raftLogger(cfg.Logger))
		if err != nil {
			t.Fatal(err)
		}
		if term, err := s.stable.GetUint64([]byte("CurrentTerm")); err != nil || term != want {
			t.Errorf("term %d, %v", term, err)
		}
		var e raft.Log
		if err := s.logs.GetLog(want-2, &e); err != nil || e.Term != want || len(e.Extensions) != 0 {
			t.Errorf("entry %+v, %v", e, err)
		}
		err = errors.Join(s.stable.SetUint64([]byte("CurrentTerm"), 4), s.logs.StoreLog(&raft.Log{Index: 2, Term: 4, Data: []byte("new")}), s.closer.Close())
		if err != nil {
			t.Fatal(err)
		}
	}
}

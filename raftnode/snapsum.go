package raftnode

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/raft"
)

// Names inside of raft's snapshot store.
const (
	snapshotsDir  = "snapshots"
	snapshotTmp   = ".tmp"
	snapshotMeta  = "meta.json"
	snapshotState = "state.bin"
	snapshotSum   = "meta.sum" // ours
)

// summedSnapshots adds to raft's store of snapshots what it lacks: a checksum of the description, which holds the members.
// The state has one there.
type summedSnapshots struct {
	raft.SnapshotStore
	dir string // data directory
}

// Create implements raft.SnapshotStore.
func (s *summedSnapshots) Create(version raft.SnapshotVersion, index, term uint64, members raft.Configuration, membersIndex uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.SnapshotStore.Create(version, index, term, members, membersIndex, trans)
	if err != nil {
		return nil, err
	}
	return &summedSink{sink, s.dir}, nil
}

type summedSink struct {
	raft.SnapshotSink
	dir string
}

// Close implements raft.SnapshotSink. The snapshot is good without the sum, only less guarded.
func (s *summedSink) Close() error {
	err := s.SnapshotSink.Close()
	if err == nil {
		_ = writeSum(filepath.Join(s.dir, snapshotsDir, s.ID()))
	}
	return err
}

func writeSum(dir string) error {
	meta, err := os.ReadFile(filepath.Join(dir, snapshotMeta))
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, snapshotSum))
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, metaSum(meta))
	return errors.Join(err, f.Sync(), f.Close())
}

func metaSum(meta []byte) string { return fmt.Sprintf("%08x\n", crc32.Checksum(meta, castagnoli)) }

// checkSnapshots removes what unfinished snapshots left, checks the newest finished one, and gives its index (0: there is
// none). Raft would pass over one that it cannot read and take an older one, which the log may not reach back to.
func checkSnapshots(dataDir string) (index uint64, err error) {
	dir := filepath.Join(dataDir, snapshotsDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var newest snapshotName
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if strings.HasSuffix(e.Name(), snapshotTmp) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return 0, err
			}
			continue
		}
		name, ok := parseSnapshotName(e.Name())
		if !ok {
			return 0, corrupt(dataDir, "the snapshot %s has no name of a snapshot", e.Name())
		}
		if name.newer(newest) {
			newest = name
		}
	}
	if newest.name == "" {
		return 0, nil
	}
	if err := checkSnapshot(filepath.Join(dir, newest.name), newest); err != nil {
		return 0, corrupt(dataDir, "snapshot %s: %v", newest.name, err)
	}
	return newest.index, nil
}

// snapshotName is term-index-milliseconds, as raft makes it.
type snapshotName struct {
	name               string
	term, index, stamp uint64
}

func parseSnapshotName(name string) (snapshotName, bool) {
	n := snapshotName{name: name}
	parts := strings.Split(name, "-")
	for i, field := range []*uint64{&n.term, &n.index, &n.stamp} {
		if len(parts) != 3 {
			return n, false
		}
		v, err := strconv.ParseUint(parts[i], 10, 64)
		if err != nil {
			return n, false
		}
		*field = v
	}
	return n, true
}

func (n snapshotName) newer(o snapshotName) bool {
	return slices.Compare([]uint64{n.term, n.index, n.stamp}, []uint64{o.term, o.index, o.stamp}) > 0
}

// checkSnapshot compares a snapshot with its sums and its name.
func checkSnapshot(dir string, name snapshotName) error {
	data, err := os.ReadFile(filepath.Join(dir, snapshotMeta))
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(dir, snapshotSum))
	if err == nil && string(sum) != metaSum(data) {
		return errors.New("the checksum of its description is wrong")
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) { // not there: a release before checksums, or a crash just then
		return err
	}
	var meta struct {
		raft.SnapshotMeta
		CRC []byte
	}
	if err := json.Unmarshal(data, &meta); err != nil {
		return fmt.Errorf("its description cannot be read: %w", err)
	}
	if meta.Index != name.index || meta.Term != name.term || meta.ID != name.name {
		return errors.New("its description is of another snapshot")
	}
	return checkState(filepath.Join(dir, snapshotState), meta.Size, meta.CRC)
}

func checkState(path string, size int64, sum []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := crc64.New(crc64.MakeTable(crc64.ECMA))
	n, err := io.Copy(hash, f)
	switch {
	case err != nil:
		return err
	case n != size:
		return fmt.Errorf("its state has %d bytes, not %d", n, size)
	case !slices.Equal(hash.Sum(nil), sum):
		return errors.New("the checksum of its state is wrong")
	}
	return nil
}

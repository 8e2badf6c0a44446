package raftnode

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	logFile           = "raft.db"
	newLogFile        = logFile + ".new"
	snapshotsKept     = 3
	lockTimeout       = 200 * time.Millisecond // enough for a sibling that is just closing
	logCacheEntries   = 64                     // times MaxBatchBytes bounds its memory
	dataDirPermission = 0o700
)

// storage is what a node keeps between runs.
type storage struct {
	logs   raft.LogStore
	stable raft.StableStore
	snaps  raft.SnapshotStore
	closer io.Closer
	guard  *guard // nil on stores that the caller brought
	space  *space // nil: not watched
}

// openStorage claims the data directory for the node, checks what is in it, and opens its log and snapshots. The log is synced
// on every write; the free list is kept in memory only, since bolt would rewrite all of it with every commit.
func openStorage(cfg *Config, logger hclog.Logger) (*storage, identity, error) {
	if err := makeDataDir(cfg.DataDir); err != nil {
		return nil, identity{}, err
	}
	own, err := claimIdentity(cfg.DataDir, cfg.ID, cfg.ClusterID, cfg.AwaitAdmission)
	if err != nil {
		return nil, identity{}, err
	}
	keys, snapshot, err := checkFiles(cfg.DataDir)
	if err != nil {
		return nil, identity{}, err
	}
	if (snapshot > 0 || own.ClusterID != "" && cfg.ClusterID == "") && !exists(filepath.Join(cfg.DataDir, logFile)) {
		return nil, identity{}, corrupt(cfg.DataDir, "%s is gone, and with it the term and the vote of this node", logFile)
	}
	space := openSpace(cfg.DataDir, cfg.Reserve, cfg.Logger)
	bolt, err := openLog(cfg.DataDir, space)
	if err != nil {
		return nil, identity{}, err
	}
	g := &guard{store: bolt, dir: cfg.DataDir, space: space}
	if err := checkLog(g, keys, snapshot); err != nil {
		return nil, identity{}, errors.Join(err, g.Close())
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(cfg.DataDir, snapshotsKept, logger)
	if err != nil {
		return nil, identity{}, errors.Join(fmt.Errorf("%w: open snapshots in %s: %w", ErrDataDir, cfg.DataDir, err), g.Close())
	}
	return &storage{logs: g, stable: g, snaps: &summedSnapshots{snaps, cfg.DataDir}, closer: g, guard: g, space: space}, own, nil
}

// makeDataDir makes the directory so that it is still there after a loss of power.
func makeDataDir(dir string) error {
	made := !exists(dir)
	err := os.MkdirAll(dir, dataDirPermission)
	if err == nil && made {
		err = syncDir(filepath.Dir(dir))
	}
	if err != nil {
		return fmt.Errorf("%w: cannot create %s: %w", ErrDataDir, dir, err)
	}
	return nil
}

// checkFiles checks the log file's pages and the newest snapshot, and gives the keys of the stable store and the snapshot's
// index. Nobody else may use them meanwhile.
func checkFiles(dir string) (keys []string, snapshot uint64, err error) {
	path := filepath.Join(dir, logFile)
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		keys, err = checkLogFile(dir, f)
	}
	if err == nil || errors.Is(err, os.ErrNotExist) {
		snapshot, err = checkSnapshots(dir)
	}
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrDataDirInUse) {
		err = fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	return keys, snapshot, err
}

func checkLogFile(dir string, f *os.File) (keys []string, err error) {
	if err := lockFile(f); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if keys, err = checkBolt(f, info.Size()); err != nil {
		return nil, corrupt(dir, "%s: %v", logFile, err)
	}
	return keys, nil
}

// lockFile takes the lock that bbolt takes; closing the file gives it back.
func lockFile(f *os.File) error {
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(lockTimeout / 10) { // nobody tells when a lock is free
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(deadline) {
			return inUse(f.Name())
		}
	}
}

func inUse(path string) error {
	return fmt.Errorf("%w: %s is locked; stop that process, or use another directory", ErrDataDirInUse, path)
}

// openLog opens the log file, and makes it if it is not there: under another name first, since a loss of power in between
// must not leave half a file.
func openLog(dir string, space *space) (*raftboltdb.BoltStore, error) {
	path := filepath.Join(dir, logFile)
	if !exists(path) {
		if err := makeLog(dir); err != nil {
			return nil, err
		}
	}
	bolt, err := openBolt(path)
	if err != nil && space != nil && isNoSpace(err) && space.ranOut(err) {
		bolt, err = openBolt(path)
	}
	return bolt, err
}

func makeLog(dir string) error {
	path := filepath.Join(dir, newLogFile)
	err := os.RemoveAll(path)
	if err == nil {
		var bolt *raftboltdb.BoltStore
		if bolt, err = openBolt(path); err == nil {
			err = bolt.Close()
		}
	}
	if err == nil {
		err = os.Rename(path, filepath.Join(dir, logFile))
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("%w: make %s: %w", ErrDataDir, filepath.Join(dir, logFile), err)
	}
	return nil
}

func openBolt(path string) (*raftboltdb.BoltStore, error) {
	var bolt *raftboltdb.BoltStore
	err := safely(func() (err error) {
		bolt, err = raftboltdb.New(raftboltdb.Options{
			Path:        path,
			BoltOptions: &bbolt.Options{Timeout: lockTimeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
		})
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, inUse(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: open %s: %w", ErrDataDir, path, err)
	}
	return bolt, nil
}

// checkLog checks every record: that the entries follow one another and reach back to the snapshot, and that the term
// belongs to them.
func checkLog(g *guard, keys []string, snapshot uint64) error {
	if err := checkKeys(g, keys); err != nil {
		return err
	}
	first, err := g.FirstIndex()
	if err != nil {
		return err
	}
	last, err := g.LastIndex()
	if err != nil || last == 0 {
		return err
	}
	if first > snapshot+1 {
		return corrupt(g.dir, "the log begins with entry %d, the newest snapshot ends with %d", first, snapshot)
	}
	var entry raft.Log
	for index := first; index <= last; index++ {
		entry = raft.Log{}
		err := g.GetLog(index, &entry)
		if errors.Is(err, raft.ErrLogNotFound) {
			if index <= snapshot { // raft leaves such a gap when it takes a snapshot from its leader
				continue
			}
			return corrupt(g.dir, "entry %d is missing", index)
		}
		if err != nil {
			return err
		}
	}
	term, err := g.GetUint64([]byte("CurrentTerm"))
	if err != nil && !isNotFound(err) {
		return err
	}
	if term < entry.Term {
		return corrupt(g.dir, "its term is %d, and its newest entry is of term %d", term, entry.Term)
	}
	return nil
}

// checkKeys checks the checksums of the stable store. A name that raft does not use was another one once.
func checkKeys(g *guard, keys []string) error {
	for _, key := range keys {
		name, sealed := strings.CutPrefix(key, sealedStart)
		if !sealed && !legacyKeys[key] {
			return corrupt(g.dir, "%s: nobody stores a value named %q", logFile, key)
		}
		if _, err := g.Get([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

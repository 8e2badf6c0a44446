package raftnode

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	logFile           = "raft.db"
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
}

// openStorage claims the data directory for the node and opens its log and snapshots. The log is synced on every write;
// the free list is kept in memory only, since bolt would rewrite all of it with every commit.
func openStorage(cfg *Config, logger hclog.Logger) (*storage, identity, error) {
	if err := os.MkdirAll(cfg.DataDir, dataDirPermission); err != nil {
		return nil, identity{}, fmt.Errorf("%w: cannot create %s: %w", ErrDataDir, cfg.DataDir, err)
	}
	own, err := claimIdentity(cfg.DataDir, cfg.ID, cfg.ClusterID, cfg.AwaitAdmission)
	if err != nil {
		return nil, identity{}, err
	}
	path := filepath.Join(cfg.DataDir, logFile)
	bolt, err := raftboltdb.New(raftboltdb.Options{
		Path:        path,
		BoltOptions: &bbolt.Options{Timeout: lockTimeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, identity{}, fmt.Errorf("%w: %s is locked; stop that process, or use another directory", ErrDataDirInUse, path)
	}
	if err != nil {
		return nil, identity{}, fmt.Errorf("%w: open %s: %w", ErrDataDir, path, err)
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(cfg.DataDir, snapshotsKept, logger)
	if err != nil {
		return nil, identity{}, errors.Join(fmt.Errorf("%w: open snapshots in %s: %w", ErrDataDir, cfg.DataDir, err), bolt.Close())
	}
	return &storage{logs: bolt, stable: bolt, snaps: snaps, closer: bolt}, own, nil
}

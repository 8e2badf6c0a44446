package worker

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/firesteel/firesteel/config"
)

// RunCleanup removes old application directories from the work directory every
// cfg.Interval until ctx ends (Spark: Worker's WorkDirCleanup). It returns at
// once if the cleanup is off.
func (e *Executors) RunCleanup(ctx context.Context, cfg config.Cleanup) {
	if !cfg.Enabled {
		return
	}
	ticker := time.NewTicker(cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := e.CleanWorkDir(ctx, now.Add(-cfg.AppDataTTL)); err != nil && ctx.Err() == nil {
				e.log.Warn("work directory could not be cleaned", "dir", e.cfg.WorkDir, "err", err)
			}
		}
	}
}

// CleanWorkDir removes every directory at the top of the work directory that
// belongs to no running executor and in which nothing changed since before.
func (e *Executors) CleanWorkDir(ctx context.Context, before time.Time) error {
	entries, err := os.ReadDir(e.cfg.WorkDir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		dir := filepath.Join(e.cfg.WorkDir, entry.Name())
		if !entry.IsDir() || e.runsAppOf(entry.Name()) {
			continue
		}
		fresh, err := changedSince(dir, before)
		if err == nil && !fresh && !e.runsAppOf(entry.Name()) { // the walk may have taken long
			e.log.Info("removing old application directory", "dir", dir)
			err = os.RemoveAll(dir)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (e *Executors) runsAppOf(appID string) bool {
	return len(e.infos(func(ent *entry) bool {
		return ent.info.Spec.AppID == appID && !ent.info.Report.State.Final()
	})) > 0
}

// changedSince tells whether anything in the tree, the directories included,
// is newer than the time.
func changedSince(dir string, before time.Time) (bool, error) {
	fresh := false
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !info.ModTime().Before(before) {
			fresh = true
			return fs.SkipAll
		}
		return err
	})
	return fresh, err
}

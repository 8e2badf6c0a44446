package worker

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/worker/workdir"
)

// cleaner keeps the work directory from filling the disk (Spark: Worker's WorkDirCleanup, which knows only the age). It
// deletes what this worker, or another one of the same work directory, has made and nobody uses any more:
//
//   - programs (jars, archives, Python files), which Spark copies for every executor, some time after the application or
//     driver ended; logs and what a program wrote itself stay;
//   - everything, when nothing in it has changed for spark.worker.cleanup.appDataTtl;
//   - earlier than that when the disk is nearly full: what ended first goes first, all but logs of all of them before the
//     first log.
type cleaner struct {
	life     *workdir.Life
	settings config.Cleanup
	// alive tells whether an application or driver lives on this worker.
	alive func(name string) bool
	// used gives the used share of the disk that a directory is on, from 0 to 1.
	used func(dir string) (float64, error)
	// clearDead takes over what workers that were killed left in the work directory.
	clearDead func()

	dir string // the work directory
	log *slog.Logger

	aged time.Time // of the last look at the age of everything
	told bool      // that the disk is above the watermark and nothing can be done
}

// lookEvery is how often the cleaner looks at the disk and for what has just ended; spark.worker.cleanup.interval is for the
// age of everything, which takes a walk over all files.
const lookEvery = time.Minute

// run cleans until ctx ends.
func (c *cleaner) run(ctx context.Context) {
	if err := c.life.EmptyTrash(); err != nil {
		c.log.Warn("what was being deleted when a worker was killed stays", "dir", c.dir, "error", err)
	}
	ticker := time.NewTicker(min(c.settings.Interval, lookEvery))
	defer ticker.Stop()
	c.aged = time.Now() // the first look at the age comes after one interval, as Spark's
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := c.look(ctx, now); err != nil && ctx.Err() == nil {
				c.log.Warn("work directory could not be cleaned", "dir", c.dir, "error", err)
			}
		}
	}
}

// look cleans what is due.
func (c *cleaner) look(ctx context.Context, now time.Time) error {
	errTouch := c.life.Touch(now)
	rested := now.Add(-c.settings.Grace)
	pending, errEnd := c.life.EndUnless(c.alive, now, rested)
	used, errDisk := c.used(c.dir)
	full := errDisk == nil && used >= c.settings.DiskHigh
	old := !now.Before(c.aged.Add(c.settings.Interval))
	err := errors.Join(errTouch, errEnd, errDisk)
	if !full {
		c.told = false
	}
	if !pending && !full && !old {
		return err
	}
	ended, errList := c.life.Ended()
	err = errors.Join(err, errList, c.strip(ctx, ended, rested))
	if old {
		c.aged = now
		c.clearDead()
		err = errors.Join(err, c.removeOld(ctx, ended, now.Add(-c.settings.AppDataTTL)))
	}
	if full {
		err = errors.Join(err, c.relieve(ctx, used, rested))
	}
	return err
}

// strip takes the programs out of what ended long enough ago.
func (c *cleaner) strip(ctx context.Context, ended []workdir.Entry, rested time.Time) error {
	var errs []error
	for _, e := range ended {
		if e.Stripped || e.Ended.After(rested) || ctx.Err() != nil {
			continue
		}
		paths, err := contents(e, isProgram)
		if err == nil {
			c.log.Debug("removing the programs of what ended", "dir", e.Dir, "ended", e.Ended, "files", len(paths))
			err = c.life.Strip(e, paths, true)
		}
		errs = append(errs, unlessUsed(err))
	}
	return errors.Join(errs...)
}

// removeOld removes directories in which nothing has changed since then.
func (c *cleaner) removeOld(ctx context.Context, ended []workdir.Entry, before time.Time) error {
	var errs []error
	for _, e := range ended {
		if ctx.Err() != nil {
			break
		}
		fresh, err := changedSince(e.Dir, before)
		if err == nil && !fresh {
			c.log.Info("removing old directory", "dir", e.Dir, "ended", e.Ended)
			err = c.life.Remove(e)
		}
		errs = append(errs, unlessUsed(err))
	}
	return errors.Join(errs...)
}

// relieve deletes until the disk is below the low watermark, but nothing that ended only just now.
func (c *cleaner) relieve(ctx context.Context, used float64, rested time.Time) error {
	ended, err := c.life.Ended()
	if err != nil {
		return err
	}
	var due []workdir.Entry
	for _, e := range ended {
		if !e.Ended.After(rested) {
			due = append(due, e)
		}
	}
	if len(due) == 0 {
		if !c.told {
			c.log.Warn("the disk of the work directory is nearly full, and nothing of ours may be deleted", "dir", c.dir, "used", used)
		}
		c.told = true
		return nil
	}
	c.log.Warn("the disk of the work directory is nearly full: what ended first is deleted before its time",
		"dir", c.dir, "used", used, "high", c.settings.DiskHigh, "low", c.settings.DiskLow, "candidates", len(due))
	for _, step := range []func(workdir.Entry) error{c.leaveLogs, c.life.Remove} {
		for _, e := range due {
			if used, err = c.used(c.dir); err != nil || used < c.settings.DiskLow || ctx.Err() != nil {
				return err
			}
			if err := unlessUsed(step(e)); err != nil {
				c.log.Warn("a directory could not be cleaned", "dir", e.Dir, "error", err)
			}
		}
	}
	return nil
}

func (c *cleaner) leaveLogs(e workdir.Entry) error {
	paths, err := contents(e, func(path string, d fs.DirEntry) bool { return !isLog(d) })
	if err != nil || len(paths) == 0 {
		return err
	}
	c.log.Info("removing all but logs", "dir", e.Dir, "ended", e.Ended, "files", len(paths))
	return c.life.Strip(e, paths, true)
}

func unlessUsed(err error) error {
	if errors.Is(err, workdir.ErrUsed) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// diskUsed is what df shows: the share of what ordinary users may use.
func diskUsed(dir string) (float64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	taken := st.Blocks - st.Bfree
	if all := taken + st.Bavail; all > 0 {
		return float64(taken) / float64(all), nil
	}
	return 0, nil
}

// changedSince tells whether anything in the tree, the directories included,
// is newer than the time (Spark: Utils.doesDirectoryContainAnyNewFiles).
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

// contents lists what is wanted of the files and directories at the top of an executor's or driver's directory.
func contents(e workdir.Entry, want func(path string, d fs.DirEntry) bool) ([]string, error) {
	dirs := []string{e.Dir}
	if e.Kind == workdir.Application {
		executors, err := os.ReadDir(e.Dir)
		if err != nil {
			return nil, err
		}
		dirs = dirs[:0]
		for _, x := range executors {
			if x.IsDir() {
				dirs = append(dirs, filepath.Join(e.Dir, x.Name()))
			}
		}
	}
	var paths []string
	for _, dir := range dirs {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, f := range files {
			if path := filepath.Join(dir, f.Name()); want(path, f) {
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}

package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/worker/guard"
	"github.com/firesteel/firesteel/worker/workdir"
)

// upkeep is what keeps a worker's machine clean: the guard of its processes, and the records of what it made.
type upkeep struct {
	guard *guard.Guard
	life  *workdir.Life // nil where the work directory cannot keep records
	// shuffle is nil without spark.shuffle.service.enabled.
	shuffle *ShuffleService
}

// beginUpkeep begins this life of the worker, and ends what an earlier one left running.
func (w *Worker) beginUpkeep() error {
	if err := prepareWorkDir(w.cfg.Spark.WorkDir); err != nil {
		return err
	}
	life, err := workdir.Open(w.cfg.Spark.WorkDir, w.id, w.log)
	if err != nil {
		w.log.Warn("no records can be kept: nothing of this worker is cleaned up, and what it runs may stay if it and its guardian are killed", "error", err)
		w.guard, err = guard.New(guard.Config{Logger: w.log})
		return err
	}
	w.life = life
	w.clearDead()
	w.guard, err = guard.New(guard.Config{Life: life.Name(), Records: life.Records(), Logger: w.log})
	return err
}

// clearDead kills what earlier lives of this work directory left running, and takes over what they made.
func (w *Worker) clearDead() {
	dead, err := w.life.Dead()
	if err != nil {
		w.log.Warn("what an earlier worker left is not looked for", "dir", w.cfg.Spark.WorkDir, "error", err)
	}
	for _, d := range dead {
		log := w.log.With("worker", d.Worker, "pid", d.PID)
		if d.Here {
			n, err := guard.Sweep(d.Records, d.Name)
			if err != nil {
				log.Warn("what a killed worker left running may go on", "error", err)
			}
			log.Info("a worker of this work directory was killed; what it left running is ended", "processes", n)
		}
		w.wg.Go(func() {
			defer d.Release()
			if w.cfg.Spark.Cleanup.Enabled && !removeScratch(w.ctx, d.Scratch, w.log.Warn) {
				return // next time
			}
			if err := d.Forget(); err != nil {
				log.Warn("the records of a killed worker stay", "error", err)
			}
		})
	}
}

// removeScratch removes what newScratch made in another life. It tells whether all of it is gone.
func removeScratch(ctx context.Context, dirs []string, warn func(string, ...any)) bool {
	all := true
	for _, dir := range dirs {
		if !strings.HasPrefix(filepath.Base(dir), scratchPrefix+"-") { // not a record of ours, whatever it is
			continue
		}
		if ctx.Err() != nil {
			return false
		}
		if err := os.RemoveAll(dir); err != nil {
			warn("a local directory of a killed worker cannot be removed", "dir", dir, "error", err)
			all = false
		}
	}
	return all
}

// keepUp runs until the worker stops.
func (w *Worker) keepUp() {
	if w.life == nil {
		return
	}
	if !w.cfg.Spark.Cleanup.Enabled {
		w.keepTouching()
		return
	}
	c := &cleaner{
		life: w.life, settings: w.cfg.Spark.Cleanup, alive: w.uses, used: diskUsed, clearDead: w.clearDead, dir: w.cfg.Spark.WorkDir, log: w.log,
	}
	c.run(w.ctx)
}

// keepTouching shows other workers of the work directory that this one lives: one on another machine cannot see its lock.
func (w *Worker) keepTouching() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case now := <-ticker.C:
			if err := w.life.Touch(now); err != nil {
				w.log.Warn("the work directory's records cannot be written", "error", err)
			}
		}
	}
}

// uses tells whether an application or driver lives on this worker.
func (w *Worker) uses(name string) bool { return w.executors.keeps(name) || w.drivers.runs(name) }

// startShuffleService does so if the worker is to have one. It comes after the executors' directories and before the worker
// registers.
func (w *Worker) startShuffleService(ctx context.Context) error {
	settings := w.cfg.Spark.Shuffle
	if !settings.Enabled {
		return nil
	}
	home, err := w.homes.shuffleHome(settings.Home)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrShuffleService, err)
	}
	properties := map[string]string{}
	for _, key := range w.cfg.Spark.Conf.Keys() {
		properties[key], _ = w.cfg.Spark.Conf.Raw(key)
	}
	w.shuffle, err = StartShuffleService(ctx, ShuffleConfig{
		Settings: settings, Home: home, Host: w.cfg.Spark.Host, Env: w.cfg.Env, Properties: properties, AuthSecret: w.cfg.Spark.AuthSecret,
		Dir: w.executors.dirs.roots[0], Spawner: w.executors.spawner, Logger: w.log,
	})
	return err
}

// shuffleHome gives the home that the shuffle service is of: the one that was chosen, else the newest, which serves older
// executors, too.
func (h *Homes) shuffleHome(chosen string) (string, error) {
	if chosen != "" {
		home, err := inspect(chosen)
		return home.Dir, err
	}
	return slices.MaxFunc(h.list, func(a, b releases.Home) int { return releases.CompareVersions(a.Version, b.Version) }).Dir, nil
}

// close ends this life. Everything that it ran and made has been ended and removed by then.
func (u *upkeep) close() error {
	var errs []error
	if u.guard != nil {
		errs = append(errs, u.guard.Close())
	}
	if u.life != nil {
		errs = append(errs, u.life.Close())
	}
	return errors.Join(errs...)
}

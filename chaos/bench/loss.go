package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/original"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/chaos/spark"
)

// A worker that falls silent: when is it DEAD in the books, and when was it given its last executor? Applications come all
// the while, each of which wants an executor on every worker.
//
// A worker that dies often is held back by design, so none is used more than lossesEach times: clusters are new after
// lossWorkers * lossesEach rounds. A new leader gives workers a time of grace, which is waited for.
const (
	lossWorkers = 4
	lossesEach  = 2
	grace       = 10 * time.Second
	// placeEvery is how often an application comes, and so how sharply the last placement is seen.
	placeEvery = 100 * time.Millisecond
)

var (
	deadBounds   = Bounds{P99: 4 * time.Second}
	placedBounds = Bounds{P99: 2 * time.Second}
)

// silence makes a worker silent, and lets it speak again.
type silence struct {
	do, undo func(w *cluster.Worker) error
}

var stopped = silence{
	do:   func(w *cluster.Worker) error { return w.Stop() },
	undo: func(w *cluster.Worker) error { return w.Cont() },
}

// losses are times from the silence on.
type losses struct{ dead, placed Samples }

func (b *Bench) oursLosses(ctx context.Context, cfg cluster.Config, s silence) (l losses, err error) {
	cfg.Workers, cfg.Homes = lossWorkers, []spark.Release{b.Release}
	cfg.Cores, cfg.Memory = 256, 256<<10 // room for all executors that end slowly
	table, err := b.table()
	if err != nil {
		return l, err
	}
	progress := b.progress(b.Losses)
	for done := 0; done < b.Losses; {
		err := b.withCluster(ctx, cfg, func(c *cluster.Cluster) error {
			if err := sleep(ctx, grace); err != nil {
				return err
			}
			for i := 0; i < lossWorkers*lossesEach && done < b.Losses; i++ {
				if err := l.round(ctx, c, c.Workers[i%lossWorkers], simapp.Config{Host: driverHost(cfg), Table: table, Cores: lossWorkers}, s); err != nil {
					return fmt.Errorf("round %d: %w", done+1, err)
				}
				done++
				progress(done)
			}
			return nil
		})
		if err != nil {
			return l, err
		}
	}
	return l, nil
}

func (l *losses) round(ctx context.Context, c *cluster.Cluster, w *cluster.Worker, driver simapp.Config, s silence) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	v, err := c.WaitWhole(ctx)
	if err != nil {
		return err
	}
	placing, err := startPlacing(ctx, c, w.ID, driver)
	if err != nil {
		return err
	}
	defer placing.close()
	if err := books.Poll(ctx, "an executor on "+w.ID, placing.placedAfter(time.Time{})); err != nil {
		return err
	}
	began := time.Now()
	if err := s.do(w); err != nil {
		return err
	}
	at, err := deadAt(ctx, v.Master.Web(), w.ID)
	placing.close()
	if back := s.undo(w); err != nil || back != nil {
		return errors.Join(err, back)
	}
	if placing.err != nil {
		return placing.err
	}
	l.dead = append(l.dead, at.Sub(began))
	l.placed = append(l.placed, max(0, placing.latest().Sub(began)))
	return nil
}

// deadAt waits until the books say that a worker is DEAD, or have it no longer.
func deadAt(ctx context.Context, web, id string) (time.Time, error) {
	err := books.Poll(ctx, id+" to be DEAD", func(ctx context.Context) error {
		b, err := books.Read(ctx, web)
		if err != nil {
			return err
		}
		if w, ok := b.Worker(id); ok && w.State != "DEAD" {
			return fmt.Errorf("it is %s", w.State)
		}
		return nil
	})
	return time.Now(), err
}

// placing registers applications one after the other, and notes when one was given an executor on a worker.
type placing struct {
	worker string
	driver simapp.Config
	stop   context.CancelFunc
	wg     sync.WaitGroup
	err    error // of the loop; to be read after close

	mu   sync.Mutex
	last time.Time
}

func startPlacing(ctx context.Context, c *cluster.Cluster, worker string, driver simapp.Config) (*placing, error) {
	java, err := idleJava(c.Run)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	driver.Environment = map[string]string{"JAVA_HOME": java}
	p := &placing{worker: worker, stop: stop, driver: driver}
	var masters []string
	for _, m := range c.Masters {
		masters = append(masters, m.Spark())
	}
	p.wg.Go(func() {
		for ctx.Err() == nil {
			if err := p.one(ctx, masters); err != nil && ctx.Err() == nil {
				p.err = err
				return
			}
		}
	})
	return p, nil
}

// one is an application that wants an executor of every worker, for the time of placeEvery.
func (p *placing) one(ctx context.Context, masters []string) error {
	app, err := simapp.New(p.driver)
	if err != nil {
		return err
	}
	defer app.Close()
	if _, _, err := app.Register(ctx, "placing", masters, placeEvery); err != nil {
		return err
	}
	if sleep(ctx, placeEvery) != nil {
		return nil // the round is over
	}
	for _, e := range app.Placements() {
		if e.WorkerID == p.worker {
			p.mu.Lock()
			p.last = e.At
			p.mu.Unlock()
		}
	}
	return app.Unregister()
}

func (p *placing) latest() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *placing) placedAfter(t time.Time) func(context.Context) error {
	return func(context.Context) error {
		if !p.latest().After(t) {
			return errors.New("none yet")
		}
		return nil
	}
}

func (p *placing) close() { p.stop(); p.wg.Wait() }

// idleJava makes a Java that does nothing, so that an executor costs nothing: this measures who is given one.
func idleJava(run *proc.Run) (home string, err error) {
	home = filepath.Join(run.Dir, "idle-java")
	if err := os.MkdirAll(filepath.Join(home, "bin"), 0o755); err != nil {
		return "", fmt.Errorf("make a Java that idles: %w", err)
	}
	return home, writeScript(filepath.Join(home, "bin", "java"), "#!/bin/sh\nexec sleep 600\n")
}

func writeScript(path, text string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		return fmt.Errorf("write a script: %w", err)
	}
	return nil
}

func (l losses) lines(subject string) []Line {
	return []Line{l.dead.Line(subject+", DEAD in the books", deadBounds), l.placed.Line(subject+", last executor given to it", placedBounds)}
}

func workerFreezeRow(ctx context.Context, b *Bench) ([]Line, error) {
	l, err := b.oursLosses(ctx, cluster.Config{}, stopped)
	lines := l.lines(ours)
	if !b.Original {
		return lines, err
	}
	s, err2 := b.originalLoss(ctx)
	return append(lines, s.Line(b.Release.String()+", DEAD in the books", Bounds{})), errors.Join(err, err2)
}

// originalLoss freezes a worker of the original, once.
func (b *Bench) originalLoss(ctx context.Context) (s Samples, err error) {
	err = b.withOriginal(ctx, original.Config{Workers: 1}, func(c *original.Cluster) error {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
		defer cancel()
		before, err := books.Read(ctx, c.Web())
		if err != nil {
			return err
		}
		b.Say("    %s: a worker is frozen", b.Release)
		began := time.Now()
		if err := c.Workers[0].Stop(); err != nil {
			return err
		}
		at, err := deadAt(ctx, c.Web(), before.Workers[0].ID)
		if err != nil {
			return err
		}
		s = append(s, at.Sub(began))
		return nil
	})
	return s, err
}

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/internal/delay"
)

// Options say how long and how often to measure.
type Options struct {
	Kills     int           // rounds of each fault of a leader
	Losses    int           // rounds of each fault of a worker
	Jobs      int           // small jobs of each kind
	Original  bool          // measure Spark's own Master and Worker beside ours
	Originals int           // rounds of the original's failovers, which take up to a minute each
	Measure   time.Duration // of each churn; it is warmed up for half of that
	Busy      time.Duration
	Settle    time.Duration // before memory is read
	Passes    int           // schedule passes of each kind and size
}

// Full is the table as it is promised; it takes an hour.
func Full() Options {
	return Options{
		Kills: 50, Losses: 20, Jobs: 5, Original: true, Originals: 2,
		Measure: 15 * time.Second, Busy: 10 * time.Minute, Settle: 150 * time.Second, Passes: 100,
	}
}

// Quick shows that every row works; its figures say little.
func Quick() Options {
	return Options{
		Kills: 4, Losses: 2, Jobs: 1, Original: true, Originals: 1,
		Measure: 4 * time.Second, Busy: 20 * time.Second, Settle: 10 * time.Second, Passes: 10,
	}
}

// Bench runs rows.
type Bench struct {
	Options
	Binary  string        // clusterd
	Release spark.Release // what jobs run on and the original is of
	Dir     string        // for the runs' files; those of a row that failed stay
	Keep    bool          // those of all rows stay
	Say     func(format string, args ...any)
	Each    func(Report) // after every row, with what is known by then; nil for none

}

// Run measures the rows in their order. A row that fails is in the report as such; the error is that of the context.
func (b *Bench) Run(ctx context.Context, rows []Row) (Report, error) {
	r := Report{Machine: ThisMachine(), Options: b.Options, Original: b.Release.String(), Begin: LoadNow()}
	for i, row := range rows {
		if ctx.Err() != nil {
			break
		}
		b.Say("[%d/%d] %s: %s", i+1, len(rows), row.Name, row.Title)
		result := b.runRow(ctx, row)
		for _, l := range result.Lines {
			b.Say("    %s: %s  %s", l.Subject, l.Figure, l.Verdict)
		}
		if result.Error != "" {
			b.Say("    failed: %s", result.Error)
		}
		r.Rows = append(r.Rows, result)
		r.End = LoadNow()
		if b.Each != nil {
			b.Each(r)
		}
	}
	return r, ctx.Err()
}

func (b *Bench) runRow(ctx context.Context, row Row) (out Result) {
	out = Result{Name: row.Name, Title: row.Title, Goal: row.Goal, Begin: LoadNow()}
	ctx, cancel := context.WithTimeout(ctx, row.Limit)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			out.Error = fmt.Sprintf("panic: %v\n%s", p, debug.Stack())
		}
		out.End = LoadNow()
	}()
	lines, err := row.Run(ctx, b)
	out.Lines = lines
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

// withRun gives f a run of processes. Whatever f started is gone afterwards, and so are its files unless it failed.
func (b *Bench) withRun(f func(*proc.Run) error) error {
	run, err := proc.NewRun(b.Dir)
	if err != nil {
		return err
	}
	defer run.Sweep() // also when f panics
	if err := f(run); err != nil {
		return fmt.Errorf("%w (logs in %s)", err, run.Dir)
	}
	run.Sweep()
	if b.Keep {
		b.Say("    logs in %s", run.Dir)
		return nil
	}
	return os.RemoveAll(run.Dir)
}

// withCluster gives f a cluster of ours that is whole. Its processes' own end is no part of any figure, so they are killed.
func (b *Bench) withCluster(ctx context.Context, c cluster.Config, f func(*cluster.Cluster) error) error {
	return b.withRun(func(run *proc.Run) error {
		c.Binary, c.Run = b.Binary, run
		cl, err := cluster.New(c)
		if err != nil {
			return err
		}
		if err := cl.Start(); err != nil {
			return err
		}
		if err := wholeWithin(ctx, cl, time.Minute); err != nil {
			return err
		}
		return f(cl)
	})
}

func wholeWithin(ctx context.Context, c *cluster.Cluster, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := c.WaitWhole(ctx)
	return err
}

// progress says how far rounds are, about every ten seconds.
func (b *Bench) progress(rounds int) func(done int) {
	last := time.Now()
	return func(done int) {
		if time.Since(last) >= 10*time.Second && done < rounds {
			b.Say("    %d of %d rounds", done, rounds)
			last = time.Now()
		}
	}
}

// ErrOptions says that the options cannot be used.
var ErrOptions = errors.New("the options cannot be used")

// Check tells what is wrong with the options.
func (o Options) Check() error {
	if o.Kills < 1 || o.Losses < 1 || o.Jobs < 1 || o.Originals < 1 || o.Passes < 1 || o.Measure <= 0 || o.Busy <= 0 || o.Settle < 0 {
		return fmt.Errorf("%w: every number of rounds and every duration must be positive: %+v", ErrOptions, o)
	}
	return nil
}

// sleep waits for a duration that is itself what is measured over, or for the end of the context.
func sleep(ctx context.Context, d time.Duration) error {
	if !delay.For(ctx, d) {
		return ctx.Err()
	}
	return nil
}

// writeAtOnce lets no reader see half a file.
func writeAtOnce(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

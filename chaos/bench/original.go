package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/chaos/original"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/spark/releases"
)

// dialect is what the original's release speaks, for simulated drivers.
func (b *Bench) scala() string {
	if b.Release.Major() >= 4 {
		return "2.13"
	}
	return "2.12"
}

func (b *Bench) table() (*releases.Table, error) {
	for _, t := range slices.Backward(releases.Tables()) {
		if t.Scala() == b.scala() {
			return t, nil
		}
	}
	return nil, fmt.Errorf("no class table for %s", b.Release)
}

// withOriginal gives f a cluster of the original that is whole.
func (b *Bench) withOriginal(ctx context.Context, c original.Config, f func(*original.Cluster) error) error {
	return b.withRun(func(run *proc.Run) error {
		c.Run, c.Release = run, b.Release
		cl, err := original.New(c)
		if err != nil {
			return err
		}
		if err := cl.Start(); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		if err := cl.WaitWhole(ctx); err != nil {
			return err
		}
		return f(cl)
	})
}

// firstAccepted registers one simulated driver after the other until a master takes one, and gives the time of that. A
// STANDBY of the original forgets a registration, and a real driver repeats it every 20 s; here it is at most half a second.
func (b *Bench) firstAccepted(ctx context.Context, masters []string) (time.Time, error) {
	table, err := b.table()
	if err != nil {
		return time.Time{}, err
	}
	for ctx.Err() == nil {
		at, err := registerOnce(ctx, table, masters)
		if err == nil || !errors.Is(err, context.DeadlineExceeded) {
			return at, err
		}
	}
	return time.Time{}, fmt.Errorf("no master of %v has taken a registration: %w", masters, ctx.Err())
}

func registerOnce(ctx context.Context, table *releases.Table, masters []string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	app, err := simapp.New(simapp.Config{Table: table})
	if err != nil {
		return time.Time{}, err
	}
	defer app.Close()
	_, at, err := app.Register(ctx, "bench", masters, 5*time.Millisecond)
	if err != nil {
		return at, err
	}
	return at, app.Unregister()
}

// originalFailovers measures the two ways in which the original's master comes back: restarted over its files by a
// supervisor that does so at once, and replaced by a standby that ZooKeeper elects. Neither has workers or applications
// to recover, which is the original's best case.
func (b *Bench) originalFailovers(ctx context.Context) ([]Line, error) {
	files, err1 := b.originalRestarts(ctx)
	standby, err2 := b.originalStandby(ctx, syscall.SIGKILL, b.Originals)
	return []Line{
		files.Line(b.Release.String()+", files, restarted at once", Bounds{}),
		standby.Line(b.Release.String()+", ZooKeeper and a standby", Bounds{}),
	}, errors.Join(err1, err2)
}

func (b *Bench) originalRestarts(ctx context.Context) (s Samples, err error) {
	err = b.withOriginal(ctx, original.Config{Recover: true}, func(c *original.Cluster) error {
		for range 2*b.Originals + 1 {
			if _, err := b.firstAccepted(ctx, []string{c.Master.Spark()}); err != nil { // it is warm
				return err
			}
			began := time.Now()
			if err := c.Master.Kill(); err != nil {
				return err
			}
			if err := c.Master.Start(); err != nil {
				return err
			}
			at, err := b.firstAccepted(ctx, []string{c.Master.Spark()})
			if err != nil {
				return err
			}
			s = append(s, at.Sub(began))
		}
		return nil
	})
	return s, err
}

// originalStandby kills or freezes the master that is ALIVE, by a signal.
func (b *Bench) originalStandby(ctx context.Context, fault syscall.Signal, rounds int) (s Samples, err error) {
	err = b.withOriginal(ctx, original.Config{Standby: true}, func(c *original.Cluster) error {
		for i := range rounds {
			took, err := b.standbyOnce(ctx, c, fault)
			if err != nil {
				return err
			}
			s = append(s, took)
			b.Say("    %s with ZooKeeper: %s ms (%d of %d)", b.Release, millis(took), i+1, rounds)
		}
		return nil
	})
	return s, err
}

func (b *Bench) standbyOnce(ctx context.Context, c *original.Cluster, fault syscall.Signal) (time.Duration, error) {
	limit, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	if err := c.WaitWhole(limit); err != nil {
		return 0, err
	}
	leader, _, err := c.Leader(limit)
	if err != nil {
		return 0, err
	}
	var left []string
	for _, m := range c.Masters {
		if m != leader {
			left = append(left, m.Spark())
		}
	}
	began := time.Now()
	if err := leader.Process().Signal(fault); err != nil {
		return 0, err
	}
	at, err := b.firstAccepted(limit, left)
	if err != nil {
		return 0, err
	}
	return at.Sub(began), errors.Join(leader.Kill(), leader.Start())
}

// killOriginal kills the master that is ALIVE.
func killOriginal(ctx context.Context, c *original.Cluster) (*original.Master, time.Time, error) {
	m, _, err := c.Leader(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	at := time.Now()
	if err := m.Process().Signal(syscall.SIGKILL); err != nil {
		return nil, at, err
	}
	return m, at, m.Kill() // that we did it, for those who ask, and its end
}

package bench

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/simapp"
)

// fault is what happens to the leader. do returns when it has happened, within microseconds, and waits for nothing: what
// is accepted afterwards was not accepted by the old leader. undo takes its time, which is not measured.
type fault struct {
	do, undo func(m *cluster.Master) error
}

var (
	killed = fault{
		do:   func(m *cluster.Master) error { return m.Process().Signal(syscall.SIGKILL) },
		undo: func(m *cluster.Master) error { return restarted(m) },
	}
	frozen = fault{
		do:   func(m *cluster.Master) error { return m.Stop() },
		undo: func(m *cluster.Master) error { return m.Cont() },
	}
)

// restarted waits for the end of a killed master, and starts it again.
func restarted(m *cluster.Master) error {
	if err := m.Kill(); err != nil {
		return err
	}
	return m.Start()
}

// oursAfter measures, from the moment of the fault, when a surviving master first accepts a registration over spark://.
func (b *Bench) oursAfter(ctx context.Context, cfg cluster.Config, f fault) (s Samples, err error) {
	err = b.withCluster(ctx, cfg, func(c *cluster.Cluster) error {
		progress := b.progress(b.Kills)
		for i := range b.Kills {
			took, err := failoverOnce(ctx, c, simapp.Config{Host: driverHost(cfg)}, f)
			if err != nil {
				return fmt.Errorf("round %d: %w", i+1, err)
			}
			s = append(s, took)
			progress(i + 1)
		}
		return nil
	})
	return s, err
}

func failoverOnce(ctx context.Context, c *cluster.Cluster, driver simapp.Config, f fault) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	v, err := c.WaitWhole(ctx)
	if err != nil {
		return 0, err
	}
	app, err := simapp.New(driver)
	if err != nil {
		return 0, err
	}
	defer app.Close()
	began := time.Now()
	if err := f.do(v.Master); err != nil {
		return 0, err
	}
	_, at, err := app.Register(ctx, "bench", survivors(c, v.Master), time.Millisecond)
	if err != nil {
		return 0, err
	}
	if err := app.Unregister(); err != nil {
		return 0, err
	}
	return at.Sub(began), f.undo(v.Master)
}

func survivors(c *cluster.Cluster, dead *cluster.Master) []string {
	var left []string
	for _, m := range c.Masters {
		if m != dead {
			left = append(left, m.Spark())
		}
	}
	return left
}

// The goals of failovers.
var (
	killBounds     = Bounds{P50: 100 * time.Millisecond, P99: 1500 * time.Millisecond}
	freezeBounds   = Bounds{P50: 1100 * time.Millisecond, P99: 1800 * time.Millisecond}
	handoverBounds = Bounds{P99: 100 * time.Millisecond}
)

const ours = "Firesteel, three masters"

func killRow(ctx context.Context, b *Bench) ([]Line, error) {
	s, err := b.oursAfter(ctx, cluster.Config{}, killed)
	lines := []Line{s.Line(ours, killBounds)}
	if !b.Original {
		return lines, err
	}
	beside, err2 := b.originalFailovers(ctx)
	return append(lines, beside...), errors.Join(err, err2)
}

func freezeRow(ctx context.Context, b *Bench) ([]Line, error) {
	s, err := b.oursAfter(ctx, cluster.Config{}, frozen)
	lines := []Line{s.Line(ours, freezeBounds)}
	if !b.Original {
		return lines, err
	}
	o, err2 := b.originalStandby(ctx, syscall.SIGSTOP, 1)
	return append(lines, o.Line(b.Release.String()+", ZooKeeper and a standby", Bounds{})), errors.Join(err, err2)
}

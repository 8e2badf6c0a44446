package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/simapp"
)

// Fault is what happens to the leader.
type Fault struct {
	Name, Goal string
	Do         func(ctx context.Context, m *cluster.Master) error
	Undo       func(m *cluster.Master) error
}

// The faults of a leader.
var (
	Kill = Fault{
		"leader killed (SIGKILL) -> a registration is accepted", "p50 <= 100, p99 <= 1500",
		func(_ context.Context, m *cluster.Master) error { return m.Kill() }, restart,
	}
	Freeze = Fault{
		"leader frozen (SIGSTOP) -> a registration is accepted", "p50 <= 1100, p99 <= 1800",
		func(_ context.Context, m *cluster.Master) error { return m.Stop() },
		func(m *cluster.Master) error { return m.Cont() },
	}
	Handover = Fault{
		"leader told to stop (SIGTERM) -> a registration is accepted", "p99 <= 100",
		func(ctx context.Context, m *cluster.Master) error { return m.Term(ctx) }, restart,
	}
)

// Failover measures, from the moment of the fault, when a surviving master first accepts a registration over spark://.
func Failover(ctx context.Context, binary string, f Fault, rounds int, say func(string, ...any)) (Samples, error) {
	s := Samples{Name: f.Name, Goal: f.Goal}
	run, err := proc.NewRun("")
	if err != nil {
		return s, err
	}
	defer run.Sweep()
	c, err := cluster.New(cluster.Config{Binary: binary, Run: run})
	if err != nil {
		return s, err
	}
	if err := c.Start(); err != nil {
		return s, err
	}
	for i := range rounds {
		took, err := failoverOnce(ctx, c, f)
		if err != nil {
			return s, fmt.Errorf("round %d of %q (logs in %s): %w", i+1, f.Name, run.Dir, err)
		}
		s.Times = append(s.Times, took)
		if (i+1)%10 == 0 {
			say("  %d of %d rounds", i+1, rounds)
		}
	}
	return s, nil
}

func failoverOnce(ctx context.Context, c *cluster.Cluster, f Fault) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	v, err := c.WaitWhole(ctx)
	if err != nil {
		return 0, err
	}
	app, err := simapp.New(simapp.Config{})
	if err != nil {
		return 0, err
	}
	defer app.Close()
	var left []string
	for _, m := range c.Masters {
		if m != v.Master {
			left = append(left, m.Spark())
		}
	}
	began := time.Now()
	fault := make(chan error, 1)
	go func() { fault <- f.Do(ctx, v.Master) }()
	_, at, err := app.Register(ctx, "bench", left, time.Millisecond)
	if err != nil {
		return 0, err
	}
	if err := <-fault; err != nil {
		return 0, err
	}
	if err := app.Unregister(); err != nil {
		return 0, err
	}
	return at.Sub(began), f.Undo(v.Master)
}

func restart(m *cluster.Master) error { return m.Start() }

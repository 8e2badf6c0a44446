package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/scheduler"
)

// A pass of the scheduler after one change, in a cluster as it is in service: all workers full, four applications for
// each. It is measured here, in this process, with a real state machine: what a pass decides is applied before the next.

const (
	passSmall, passLarge = 500, 5000 // workers
	appsOfAWorker        = 4
	passLimit            = 5 * time.Millisecond
	passRatio            = 2 // of the large cluster's pass to the small one's
)

// passCluster is a state machine that is driven as a leader does.
type passCluster struct {
	m     *fsm.Machine
	set   scheduler.Settings
	index uint64
	next  int // the application whose executor is replaced or that ends next, by number
	last  int // the same from the other end
	err   error
}

const passBuild = "bench"

// newPassCluster fills a cluster: every application has one executor of four cores. greedy: it would take more if there
// were room.
func newPassCluster(workers int, greedy bool) (*passCluster, error) {
	c := &passCluster{set: scheduler.DefaultSettings(), last: workers*appsOfAWorker - 1}
	c.m = fsm.New(fsm.Config{Fatal: func(err error) { c.err = err }})
	for i := range workers {
		c.apply(&fsm.RegisterWorker{Worker: fsm.Worker{
			ID: workerName(i), Host: fmt.Sprintf("host-%05d", i), Port: 7000, Cores: 16, MemoryMB: 64 << 10,
			Builds: []string{passBuild}, Kind: fsm.WorkerGo, Incarnation: "1",
		}}, nil)
	}
	var plan fsm.ApplyPlan
	for i := range workers * appsOfAWorker {
		c.register(greedy)
		plan.Executors = append(plan.Executors, fsm.Placement{AppSeq: uint64(i + 1), WorkerID: workerName(i / appsOfAWorker), Cores: 4})
	}
	c.place(&plan)
	return c, c.err
}

func (c *passCluster) apply(cmd fsm.Command, out any) {
	c.index++
	if err := fsm.DecodeResult(c.m.Apply(c.index, 1, [][]byte{fsm.Encode(cmd, "")})[0], out); err != nil && c.err == nil {
		c.err = fmt.Errorf("%T: %w", cmd, err)
	}
}

func (c *passCluster) register(greedy bool) {
	most := 4
	if greedy {
		most = 64
	}
	c.apply(&fsm.RegisterApplication{
		App: fsm.App{Name: "app", MaxCores: most, Build: passBuild, DriverHost: "driver", DriverPort: int(c.index%60000) + 1,
			Profiles: []fsm.Profile{{Cores: 4, MemoryMB: 4096, Target: fsm.Unlimited}}},
		ID: fsm.IDParts{Prefix: "app-", Width: 4},
	}, nil)
}

func workerName(i int) string { return fmt.Sprintf("worker-%05d", i) }
func appName(i int) string    { return fmt.Sprintf("app-%04d", i) }

// end finishes the oldest application that still runs.
func (c *passCluster) end() { c.finish(c.next); c.next++ }

// endLast finishes the youngest of those that were there at first. What becomes free goes to the oldest.
func (c *passCluster) endLast() { c.finish(c.last); c.last-- }

func (c *passCluster) finish(app int) {
	c.apply(&fsm.FinishApplication{AppID: appName(app), State: fsm.AppFinished, Retained: 200}, nil)
}

// replace lets an executor of the next application end; it is to get another one. Each has its turn: one whose executors
// fail again and again is given up.
func (c *passCluster) replace() {
	a, ok := c.m.State().App(appName(c.next))
	if !ok {
		c.err = fmt.Errorf("application %d is gone", c.next)
		return
	}
	c.next = (c.next + 1) % c.m.State().AppCount()
	for e := range c.m.State().Executors(a) {
		if !e.State.Finished() {
			c.apply(&fsm.ExecutorStateChanged{AppID: a.ID, ID: e.ID, State: fsm.ExecutorExited, MaxRetries: 10, Retained: 200}, nil)
			return
		}
	}
}

// pass plans and applies the plan; the planning alone is timed.
func (c *passCluster) pass() (time.Duration, int) {
	s := c.m.State()
	began := time.Now()
	out := scheduler.Plan(s, c.set, scheduler.Input{Seed: c.index})
	took := time.Since(began)
	if !out.Empty() {
		c.place(&out.Plan)
	}
	return took, len(out.Plan.Executors)
}

// place applies a plan, all of which must fit.
func (c *passCluster) place(plan *fsm.ApplyPlan) {
	var applied fsm.PlanApplied
	c.apply(plan, &applied)
	if applied.Refused != 0 && c.err == nil {
		c.err = fmt.Errorf("%d placements of a plan were refused", applied.Refused)
	}
}

// changes are what a pass is to answer.
var changes = []struct {
	name   string
	greedy bool
	do     func(c *passCluster, greedy bool)
	after  func(c *passCluster, greedy bool) // back to a full cluster, not timed
	want   int                               // placements
}{
	{name: "an application comes to a full cluster", do: (*passCluster).register, after: func(c *passCluster, _ bool) { c.end() }},
	{name: "an executor is replaced", do: func(c *passCluster, _ bool) { c.replace() }, want: 1},
	{name: "an application ends and all others want more", greedy: true, do: func(c *passCluster, _ bool) { c.endLast() }, after: (*passCluster).register, want: 1},
}

func passRow(ctx context.Context, b *Bench) ([]Line, error) {
	var lines []Line
	for i, change := range changes {
		small, err := b.passes(ctx, i, passSmall)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", change.name, err)
		}
		large, err := b.passes(ctx, i, passLarge)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", change.name, err)
		}
		ratio := float64(large.Median()) / float64(small.Median())
		lines = append(lines,
			passLine(change.name, passSmall, small, 0), passLine(change.name, passLarge, large, ms(passLimit)),
			Most(fmt.Sprintf("%s, %d against %d workers", change.name, passLarge, passSmall), "ratio", "times", ratio, passRatio, len(large)))
	}
	return lines, nil
}

func passLine(what string, workers int, s Samples, limit float64) Line {
	l := Most(fmt.Sprintf("%s, %d workers, %d applications, median", what, workers, workers*appsOfAWorker), "median_ms", "ms", ms(s.Median()), limit, len(s))
	l.Figure = fmt.Sprintf("%.3f ms (max %.3f)", ms(s.Median()), ms(s.Percentile(100)))
	l.Values["max_ms"] = ms(s.Percentile(100))
	return l
}

func (b *Bench) passes(ctx context.Context, change, workers int) (s Samples, err error) {
	do := changes[change]
	c, err := newPassCluster(workers, do.greedy)
	if err != nil {
		return nil, err
	}
	for range b.Passes {
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		do.do(c, do.greedy)
		took, placed := c.pass()
		if c.err == nil && placed != do.want {
			c.err = fmt.Errorf("%d placements, want %d", placed, do.want)
		}
		if c.err != nil {
			return s, c.err
		}
		s = append(s, took)
		if do.after != nil {
			do.after(c, do.greedy)
			c.pass()
		}
	}
	return s, c.err
}

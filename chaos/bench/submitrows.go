package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/load"
	"github.com/firesteel/firesteel/chaos/original"
	"github.com/firesteel/firesteel/chaos/proc"
)

// submitWay is how drivers are submitted.
type submitWay struct {
	what, whatOriginal string // the second where there is one master to ask
	rpc, fresh         bool
	workers            int
	rivals             []persistence // what the original keeps its state in
	goal               string        // the rival to reach
}

var (
	submitREST = []submitWay{
		{what: "kept connections", rivals: persistent, goal: keptNowhere.name},
		{what: "a connection for each", fresh: true, rivals: persistent[:1], goal: keptNowhere.name},
	}
	submitRPC = []submitWay{
		{what: "kept connections", rpc: true, rivals: persistent, goal: keptNowhere.name},
		{what: "a client for each, which asks all masters", whatOriginal: "a client for each", rpc: true, fresh: true, rivals: persistent[:1], goal: keptNowhere.name},
	}
	submitRun = []submitWay{
		{what: "by REST, 100 workers", workers: 100, rivals: persistent, goal: keptInZooKeeper.name},
		{what: "by REST, 1,000 workers", workers: 1000, rivals: []persistence{keptNowhere, keptInZooKeeper}, goal: keptInZooKeeper.name},
	}
)

func (w submitWay) config(b *Bench) load.SubmitConfig {
	c := b.submitConfig()
	c.RPC, c.Fresh, c.Workers = w.rpc, w.fresh, w.workers
	if w.workers > 0 {
		c.WarmMost, c.Most = 0, 0 // they do not wait
	}
	return c
}

// submitRow measures ways to submit, each with the original beside.
func submitRow(ways []submitWay) func(ctx context.Context, b *Bench) ([]Line, error) {
	return func(ctx context.Context, b *Bench) (lines []Line, err error) {
		for _, w := range ways {
			more, e := b.submitWay(ctx, w)
			lines, err = append(lines, more...), errors.Join(err, e)
		}
		return lines, err
	}
}

func (b *Bench) submitWay(ctx context.Context, w submitWay) ([]Line, error) {
	var errs []error
	var beside []Line
	goal := 0.0
	if b.Original {
		what := w.what
		if w.whatOriginal != "" {
			what = w.whatOriginal
		}
		for _, p := range w.rivals {
			o, err := b.submitOriginal(ctx, p, what, w.config(b))
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", o.subject, err))
				continue
			}
			beside = append(beside, o.lines(0)...)
			if p.name == w.goal {
				goal = o.Rate()
			}
		}
	}
	ours, err := b.submitOurs(ctx, w.what, w.config(b))
	if err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", ours.subject, err))
		return beside, errors.Join(errs...)
	}
	return append(ours.lines(goal), beside...), errors.Join(errs...)
}

// statusWaiting is how many drivers wait while questions are asked, for more than any of statusWorkers workers has.
const (
	statusWaiting = 5000
	statusWorkers = 100
)

// statusAtOnce is how many questions are on their way at a time.
const statusAtOnce = 32

// statusRow asks where drivers stand that wait.
func statusRow(ctx context.Context, b *Bench) (lines []Line, err error) {
	c := load.StatusConfig{Scala: b.scala(), Version: b.Release.Version, Workers: statusWorkers, Waiting: statusWaiting, InFlight: statusAtOnce, Warm: b.Measure / 2, Measure: b.Measure}
	var beside []Line
	goal := 0.0
	if b.Original {
		err = b.withOriginal(ctx, original.Config{REST: true}, func(cl *original.Cluster) error {
			o := c
			o.REST, o.Masters = []string{cl.Master.REST()}, []string{cl.Master.Spark()}
			var e error
			beside, goal, e = b.status(ctx, b.Release.String()+", one master", o, cl.Processes(), 0)
			return e
		})
	}
	err2 := b.withCluster(ctx, cluster.Config{}, func(cl *cluster.Cluster) error {
		for _, m := range cl.Masters {
			c.REST, c.Masters = append(c.REST, m.REST()), append(c.Masters, m.Spark())
		}
		var e error
		lines, _, e = b.status(ctx, "Firesteel, three masters", c, cl.Processes(), goal)
		return e
	})
	return append(lines, beside...), errors.Join(err, err2)
}

func (b *Bench) status(ctx context.Context, who string, c load.StatusConfig, masters []*proc.Process, goal float64) ([]Line, float64, error) {
	var cpu time.Duration
	c.Began = func() { cpu = cpuOf(masters) }
	c.Ended = func() { cpu = cpuOf(masters) - cpu }
	r, err := load.Status(ctx, c)
	if err != nil {
		return nil, 0, err
	}
	var all Samples
	for _, l := range r.Latency {
		all = append(all, l...)
	}
	if len(all) == 0 || r.Failed > 0 {
		return nil, 0, fmt.Errorf("%d questions were answered, and %d not, the last because: %w", len(all), r.Failed, r.First)
	}
	rate := float64(len(all)) / r.Took.Seconds()
	use := Line{Subject: who + ", CPU per answer", Runs: len(all), Values: map[string]float64{"masters_ms": ms(cpu) / float64(len(all)), "client_ms": ms(r.ClientCPU) / float64(len(all))}}
	use.Figure = fmt.Sprintf("masters %.3f ms, client %.3f ms", use.Values["masters_ms"], use.Values["client_ms"])
	return []Line{
		Least(who, "answers_per_s", "answers/s", rate, goal, len(all)), use,
		percentiles(who+", question -> answer", all),
	}, rate, nil
}

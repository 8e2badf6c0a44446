package demo

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/chaos/spark"
)

// failover kills the leader in the middle of a job and submits a new job in the same second.
func (d *demo) failover(ctx context.Context) error {
	first, last := d.releases[0], d.releases[len(d.releases)-1]
	d.say("starting a longer job of %s", first)
	running, err := spark.Start(d.run, spark.JobConfig{Release: first, Program: "rounds", Args: []string{"until"}, Master: d.cluster.URL(), Conf: twoCores})
	if err != nil {
		return err
	}
	defer running.Close()
	err = d.during(ctx, "waiting for its first rounds", func(ctx context.Context) error { _, err := running.WaitFor(ctx, spark.Round); return err })
	if err != nil {
		return err
	}
	v, err := d.cluster.WaitLeader(ctx, 0)
	if err != nil {
		return err
	}
	probe, err := simapp.New(simapp.Config{})
	if err != nil {
		return err
	}
	defer probe.Close()
	d.say("killing the leader, %s, with SIGKILL", v.Leader)
	d.time.kill = time.Now()
	if err := v.Master.Kill(); err != nil {
		return err
	}
	d.time.add(d.time.kill, "the leader is killed", "SIGKILL to "+v.Leader)
	watch := make(chan error, 1)
	go func() { watch <- d.watch(ctx, v, probe) }()
	d.say("submitting a new job of %s in the same second", last)
	next, err := spark.Start(d.run, spark.JobConfig{Release: last, Program: "pi", Name: "next", Master: d.cluster.URL(), Conf: twoCores})
	if err != nil {
		return err
	}
	defer next.Close()
	err = d.during(ctx, "waiting for both jobs", func(ctx context.Context) error {
		return errors.Join(d.follow(ctx, running, next), <-watch)
	})
	d.time.print(d.cfg.Out)
	return err
}

// watch sees the new leader, and the first request that it accepts.
func (d *demo) watch(ctx context.Context, old cluster.View, probe *simapp.App) error {
	var left []string
	for _, m := range d.cluster.Masters {
		if m != old.Master {
			left = append(left, m.Spark())
		}
	}
	elected := make(chan error, 1)
	go func() {
		v, err := d.cluster.WaitLeader(ctx, old.Term+1)
		if err == nil {
			d.time.add(time.Now(), fmt.Sprintf("%s leads in term %d", v.Leader, v.Term), "GET /v1/cluster, every 20 ms")
		}
		elected <- err
	}()
	_, at, err := probe.Register(ctx, "demo-probe", left, 5*time.Millisecond)
	if err == nil {
		d.time.add(at, "a request is accepted by a surviving master", "a registration over spark://")
		err = probe.Unregister()
	}
	return errors.Join(err, <-elected)
}

// follow sees both jobs through to their ends.
func (d *demo) follow(ctx context.Context, running, next *spark.Job) error {
	changed, err := running.WaitFor(ctx, spark.MasterChanged)
	if err != nil {
		return err
	}
	d.time.add(changed.At, "the running application is re-attached", "its driver's log")
	round, err := running.WaitNext(ctx, changed.N+1, spark.Round)
	if err != nil {
		return err
	}
	d.time.add(round.At, "the running job's next round ends right", "its driver's output")
	for _, e := range []struct {
		what string
		seen *regexp.Regexp
	}{
		{"the new job's application is registered", spark.Connected},
		{"the new job's first executor is there", spark.ExecutorRegistered},
	} {
		line, err := next.WaitFor(ctx, e.seen)
		if err != nil {
			return err
		}
		d.time.add(line.At, e.what, "its driver's log")
	}
	if err := d.finish(ctx, next, "the new job ends"); err != nil {
		return err
	}
	running.Tell("stop")
	return d.finish(ctx, running, "the job that ran through it ends")
}

func (d *demo) finish(ctx context.Context, j *spark.Job, what string) error {
	line, err := j.WaitResult(ctx)
	if err != nil {
		return err
	}
	d.time.add(line.At, what+": "+line.Match[1], "its result, checked by the job itself")
	d.say("  %s of %s: %s", j.Name, j.Release, line.Text)
	return nil
}

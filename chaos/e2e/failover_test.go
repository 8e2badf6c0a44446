//go:build realspark

package e2e

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

var errNotYet = errors.New("not yet")

func itoa(n int) string { return strconv.Itoa(n) }

// The leader dies under running jobs of both releases, and a new job is submitted in the same moment.
func TestLeaderKilledWhileJobsRun(t *testing.T) {
	ctx := begin(t)
	var jobs []*spark.Job
	for _, r := range releases {
		c := rounds(r)
		c.Conf = map[string]string{"spark.cores.max": "2"}
		jobs = append(jobs, start(t, c))
	}
	for _, j := range jobs {
		await(t, ctx, j, spark.Round)
	}
	_, term := killLeader(t, ctx)
	killed := time.Now()
	next := start(t, spark.JobConfig{Release: releases[0], Program: "pi", Name: "next", Conf: map[string]string{"spark.cores.max": "2"}})
	if _, err := shared.WaitLeader(ctx, term+1); err != nil {
		t.Fatal(err)
	}
	t.Logf("another leader after %v", time.Since(killed).Round(time.Millisecond))
	for _, j := range jobs {
		changed := await(t, ctx, j, spark.MasterChanged)
		t.Logf("%s re-attached after %v", j.Name, changed.At.Sub(killed).Round(time.Millisecond))
		awaitNext(t, ctx, j, j.Mark(), spark.Round)
	}
	right(t, ctx, next)
	for _, j := range jobs {
		j.Tell("stop")
		right(t, ctx, j)
		launchedOnce(t, j)
		if lost := j.Find(regexp.MustCompile(`Executor updated: \S+ is now (LOST|KILLED|EXITED|FAILED)`)); len(lost) > 0 {
			t.Errorf("%s lost an executor by the failover: %s", j.Name, lost[0].Text)
		}
	}
	whole(t, ctx)
	quiet(t, ctx)
}

// The leader dies while a driver waits for the answer to its registration.
func TestLeaderKilledWhileADriverRegisters(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, r spark.Release) {
		j := start(t, spark.JobConfig{Release: r, Program: "pi"})
		await(t, ctx, j, spark.Connecting)
		killLeader(t, ctx)
		right(t, ctx, j)
		launchedOnce(t, j)
		whole(t, ctx)
		quiet(t, ctx)
	})
}

// The leader dies between the launch of an executor and the executor's arrival at its driver.
func TestLeaderKilledWhileAnExecutorLaunches(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, r spark.Release) {
		j := start(t, spark.JobConfig{Release: r, Program: "pi", Conf: map[string]string{"spark.cores.max": "2"}})
		await(t, ctx, j, spark.ExecutorAdded)
		killLeader(t, ctx)
		right(t, ctx, j)
		launchedOnce(t, j)
		whole(t, ctx)
		quiet(t, ctx)
	})
}

// All masters die and come back while a job runs: its executors never notice, and it ends right.
func TestAllMastersKilledAndRestarted(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, r spark.Release) {
		j := start(t, rounds(r))
		await(t, ctx, j, spark.Round)
		for _, m := range shared.Masters {
			if err := m.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		awaitNext(t, ctx, j, j.Mark(), spark.Round) // it goes on without any master
		mark := j.Mark()
		whole(t, ctx)
		awaitNext(t, ctx, j, mark, spark.MasterChanged)
		awaitNext(t, ctx, j, j.Mark(), spark.Round)
		j.Tell("stop")
		right(t, ctx, j)
		launchedOnce(t, j)
		quiet(t, ctx)
	})
}

// clusterd dev is a cluster with nothing to configure: its URL is printed, and a job runs on it.
func TestDev(t *testing.T) {
	ctx := begin(t)
	r := releases[len(releases)-1]
	dev, err := shared.Run.Start(proc.Config{Name: "dev", Path: binary, Args: []string{"dev", "--spark-home", r.Home, "--memory", "2g"}})
	if err != nil {
		t.Fatal(err)
	}
	line, err := dev.WaitFor(ctx, regexp.MustCompile(`Spark URL:\s+(spark://\S+)`))
	if err != nil {
		t.Fatal(err)
	}
	j := start(t, spark.JobConfig{Release: r, Program: "pi", Python: true, Name: "on-dev", Master: line.Match[1]})
	if _, err := j.WaitResult(ctx); err != nil {
		t.Fatal(err)
	}
	if err := dev.Signal(termSignal); err != nil {
		t.Fatal(err)
	}
	if code, err := dev.Wait(ctx); err != nil || code != 0 {
		t.Errorf("clusterd dev ended with code %d, %v", code, err)
	}
	quiet(t, ctx)
}

// Spark's own Worker registers with the quorum, runs executors of its release, and follows a failover.
func TestJVMWorker(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, r spark.Release) {
		run, c := ownCluster(t, ctx, cluster.Config{Workers: 0})
		w := startJVMWorker(t, run, r, c.URL())
		if _, err := c.WaitCluster(ctx, 3, 1); err != nil {
			t.Fatal(err)
		}
		cfg := rounds(r)
		cfg.Master = c.URL()
		j, err := spark.Start(run, cfg)
		if err != nil {
			t.Fatal(err)
		}
		await(t, ctx, j, spark.Round)
		v, err := c.WaitLeader(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Master.Kill(); err != nil {
			t.Fatal(err)
		}
		await(t, ctx, j, spark.MasterChanged)
		awaitNext(t, ctx, j, j.Mark(), spark.Round)
		j.Tell("stop")
		if _, err := j.WaitResult(ctx); err != nil {
			t.Fatal(err)
		}
		if !w.Running() {
			t.Error("the JVM worker did not survive the failover")
		}
	})
}

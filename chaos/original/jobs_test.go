//go:build originalspark

package original

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// TestJobs runs every job on Spark's own Master and Workers: a job that fails here is wrong itself.
func TestJobs(t *testing.T) {
	releases, err := spark.Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range releases {
		t.Run(release.Version, func(t *testing.T) {
			c := start(t, release)
			for _, job := range []spark.JobConfig{
				{Program: "pi", Python: true}, {Program: "udf"}, {Program: "cached"},
				{Program: "rounds", Args: []string{"3"}}, spark.Dynamic(3), spark.Profile(2, 600),
			} {
				t.Run(job.Program, func(t *testing.T) { runJob(t, c, release, job) })
			}
			t.Run("idle", func(t *testing.T) { idle(t, c, release) })
			t.Run("until", func(t *testing.T) { until(t, c, release) })
			t.Run("doomed", func(t *testing.T) { doomed(t, c, release) })
		})
	}
}

func start(t *testing.T, release spark.Release) *Cluster {
	t.Helper()
	run, err := proc.NewRun(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Sweep() })
	c, err := New(Config{Run: run, Release: release, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.WaitWhole(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

func launch(t *testing.T, c *Cluster, release spark.Release, job spark.JobConfig) (context.Context, *spark.Job) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	job.Release, job.Master = release, c.URL()
	j, err := spark.Start(c.Run, job)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, j
}

// settled waits for the application to be among the completed ones, and for its executors to be gone.
func settled(t *testing.T, ctx context.Context, c *Cluster, j *spark.Job, state string) {
	t.Helper()
	id, err := j.AppID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.WaitBooks(ctx, id+" "+state, func(b books.Books) error {
		if a, ok := b.Completed(id); !ok || a.State != state || b.CoresUsed != 0 {
			return fmt.Errorf("not yet")
		}
		return b.Check()
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run.WaitGone(ctx, nil, c.Processes()...); err != nil {
		t.Fatal(err)
	}
}

func runJob(t *testing.T, c *Cluster, release spark.Release, job spark.JobConfig) {
	began := time.Now()
	ctx, j := launch(t, c, release, job)
	line, err := j.WaitResult(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v: %s", time.Since(began).Round(100*time.Millisecond), line.Text)
	settled(t, ctx, c, j, "FINISHED")
}

func idle(t *testing.T, c *Cluster, release spark.Release) {
	ctx, j := launch(t, c, release, spark.JobConfig{Program: "idle"})
	for _, event := range []*regexp.Regexp{spark.Connecting, spark.Connected, spark.ExecutorAdded, spark.ExecutorRunning, spark.ExecutorRegistered} {
		if _, err := j.WaitFor(ctx, event); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.KillHard(); err != nil {
		t.Fatal(err)
	}
	settled(t, ctx, c, j, "FINISHED") // the original says so of a driver that vanished
}

func until(t *testing.T, c *Cluster, release spark.Release) {
	ctx, j := launch(t, c, release, spark.JobConfig{Program: "rounds", Args: []string{"until"}})
	if _, err := j.WaitFor(ctx, spark.Round); err != nil {
		t.Fatal(err)
	}
	j.Tell("stop")
	if _, err := j.WaitResult(ctx); err != nil {
		t.Fatal(err)
	}
	settled(t, ctx, c, j, "FINISHED")
}

func doomed(t *testing.T, c *Cluster, release spark.Release) {
	ctx, j := launch(t, c, release, spark.Doomed())
	line, err := j.WaitFor(ctx, spark.Removed)
	if err != nil {
		t.Fatal(err)
	}
	if line.Match[1] != "FAILED" {
		t.Errorf("the application was removed as %s", line.Match[1])
	}
	code, err := j.Wait(ctx)
	if err != nil || code == 0 {
		t.Errorf("the driver ended with code %d, %v", code, err)
	}
	if added := j.Find(spark.ExecutorAdded); len(added) < 10 {
		t.Errorf("%d executors were tried", len(added))
	} else {
		t.Logf("%d executors were tried", len(added))
	}
	settled(t, ctx, c, j, "FAILED")
}

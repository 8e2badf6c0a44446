//go:build realspark

package e2e

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// patience bounds one test: slow machines get the time, hung tests end.
const patience = 4 * time.Minute

// begin gives a test its context, and makes sure of a whole cluster before it and a quiet one after it.
func begin(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	whole(t, ctx)
	return ctx
}

func whole(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := shared.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := shared.WaitWhole(ctx); err != nil {
		t.Fatal(err)
	}
}

// onEach runs a test with every release, one after the other.
func onEach(t *testing.T, test func(t *testing.T, ctx context.Context, r spark.Release)) {
	for _, r := range releases {
		t.Run(r.Version, func(t *testing.T) { test(t, begin(t), r) })
	}
}

func start(t *testing.T, c spark.JobConfig) *spark.Job {
	t.Helper()
	if c.Master == "" {
		c.Master = shared.URL()
	}
	j, err := spark.Start(shared.Run, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// rounds is a job that makes rounds until it is told to stop.
func rounds(r spark.Release) spark.JobConfig {
	return spark.JobConfig{Release: r, Program: "rounds", Args: []string{"until"}, Conf: map[string]string{"spark.cores.max": "4"}}
}

func await(t *testing.T, ctx context.Context, j *spark.Job, event *regexp.Regexp) proc.Line {
	t.Helper()
	line, err := j.WaitFor(ctx, event)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// awaitNext waits for an event that comes after now.
func awaitNext(t *testing.T, ctx context.Context, j *spark.Job, from int, event *regexp.Regexp) proc.Line {
	t.Helper()
	line, err := j.WaitNext(ctx, from, event)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// right waits for the job's end with the right result, and for books that say so on every master.
func right(t *testing.T, ctx context.Context, j *spark.Job) {
	t.Helper()
	line, err := j.WaitResult(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(line.Text)
	ended(t, ctx, j, "FINISHED")
}

// ended waits until the application is in the books as over, in that state, and nothing of it is left.
func ended(t *testing.T, ctx context.Context, j *spark.Job, state string) {
	t.Helper()
	id, err := j.AppID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = shared.WaitBooks(ctx, id+" "+state, func(b books.Books) error {
		a, ok := b.Completed(id)
		switch {
		case !ok:
			return errors.New("not among the completed applications")
		case a.State != state:
			return fmt.Errorf("%w: it is %s", books.ErrHopeless, a.State)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := shared.Run.WaitGone(ctx, cluster.ExecutorOf(id)); err != nil {
		t.Fatal(err)
	}
}

func quiet(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := shared.WaitQuiet(ctx); err != nil {
		t.Fatal(err)
	}
}

// killLeader kills the leader's process and gives it back, with the term that it led.
func killLeader(t *testing.T, ctx context.Context) (*cluster.Master, uint64) {
	t.Helper()
	v, err := shared.WaitLeader(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Master.Kill(); err != nil {
		t.Fatal(err)
	}
	return v.Master, v.Term
}

// launchedOnce checks that no executor id was told to the driver on two workers.
func launchedOnce(t *testing.T, j *spark.Job) {
	t.Helper()
	on := map[string]string{}
	for _, line := range j.Find(spark.ExecutorAdded) {
		id, worker := line.Match[1], line.Match[2]
		if before, ok := on[id]; ok && before != worker {
			t.Errorf("executor %s was launched on %s and on %s", id, before, worker)
		}
		on[id] = worker
	}
}

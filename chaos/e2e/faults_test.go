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
	"github.com/firesteel/firesteel/chaos/spark"
)

var (
	// idle is what the job idle prints when it has its executors.
	idle = regexp.MustCompile(`^IDLE`)
	// granted is the executor of TestStageLevelProfile's profile.
	granted = regexp.MustCompile(`Granted executor ID \S+ on hostPort \S+ with 2 core\(s\), 600\.0 MiB`)
)

// TestExecutorAlwaysFails: ten executors in a row that do not start end the application as FAILED.
func TestExecutorAlwaysFails(t *testing.T) {
	f := begin(t)
	for _, j := range f.launchAll(spark.Doomed()) {
		if line := f.await(j, spark.Removed); line.Match[1] != "FAILED" {
			t.Errorf("%s was removed as %s", j.Name, line.Match[1])
		}
		if code, err := j.Wait(f.ctx); err != nil || code == 0 {
			t.Errorf("%s ended with code %d, %v", j.Name, code, err)
		}
		failures := 0
		for _, l := range j.Find(spark.ExecutorUpdated) {
			if l.Match[2] == "FAILED" {
				failures++
			} else {
				t.Errorf("%s: %s", j.Name, l.Text)
			}
		}
		if failures != 10 {
			t.Errorf("%s was told of %d failed executors, not 10", j.Name, failures)
		}
		f.settled(j, "FAILED")
	}
	f.quiet()
}

// TestWorkerKilled kills a worker under running jobs of both releases: its executors end with it, it is lost at once,
// and the jobs end right on the other one.
func TestWorkerKilled(t *testing.T) {
	f := begin(t)
	jobs := f.launchAll(rounds())
	f.atRound(jobs, nil)
	for _, j := range jobs { // both executors work, so that one is lost
		id, err := j.AppID(f.ctx)
		f.must(err)
		f.waitExecutors(id, workers)
	}
	victim := f.Workers[0]
	at := time.Now()
	f.must(victim.Kill())
	_, err := f.WaitBooks(f.ctx, "the loss of "+victim.ID, func(b books.Books) error {
		if w, ok := b.Worker(victim.ID); ok && w.State != "DEAD" || b.AliveWorkers != workers-1 {
			return errors.New("it is not lost")
		}
		return nil
	})
	f.must(err)
	t.Logf("lost after %d ms", time.Since(at).Milliseconds())
	for _, j := range jobs {
		id, err := j.AppID(f.ctx)
		f.must(err)
		f.await(j, lost)
		f.waitExecutors(id, workers-1)
	}
	t.Logf("its executors are gone after %d ms", time.Since(at).Milliseconds())
	f.atRound(jobs, marks(jobs))
	f.stop(jobs...)
	f.quiet()
}

// waitExecutors waits until an application has that many executors' processes.
func (f *fixture) waitExecutors(app string, want int) {
	f.Helper()
	f.must(books.Poll(f.ctx, fmt.Sprintf("%d executors of %s", want, app), func(context.Context) error {
		all, err := f.Executors()
		if err != nil {
			return err
		}
		n := 0
		for _, i := range all {
			if cluster.ExecutorOf(app)(i) {
				n++
			}
		}
		if n != want {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	}))
}

// TestDriverKilled kills a driver by SIGKILL: its application is gone from the books, and its executors from the machine.
func TestDriverKilled(t *testing.T) {
	f := begin(t)
	for _, j := range f.launchAll(spark.JobConfig{Program: "idle", Conf: map[string]string{"spark.cores.max": "2"}}) {
		f.await(j, idle)
		at := time.Now()
		f.must(j.KillHard())
		f.settled(j, "FAILED") // not FINISHED, as the original says: it vanished
		t.Logf("%s was gone after %d ms", j.Name, time.Since(at).Milliseconds())
	}
	f.quiet()
}

// TestDynamicAllocation goes from 0 executors to 2 and back, twice, with both releases at the same time.
func TestDynamicAllocation(t *testing.T) {
	f := begin(t)
	for _, j := range f.launchAll(spark.Dynamic(2)) {
		f.succeeded(j)
	}
	f.quiet()
}

// TestStageLevelProfile runs a stage on executors of its own profile: more cores and more memory.
func TestStageLevelProfile(t *testing.T) {
	f := begin(t)
	for _, release := range suite.releases { // one after the other: each wants a whole worker for its profile
		j := f.launch(release, spark.Profile(2, 600))
		f.await(j, granted)
		f.succeeded(j)
	}
	f.quiet()
}

//go:build realspark

package e2e

import (
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/spark"
)

// TestLeaderKilledWhileJobRuns kills the leader under running jobs of both releases, brings it back, and kills the
// next one, which may be anybody. The jobs do not notice: no executor is lost, none is added.
func TestLeaderKilledWhileJobRuns(t *testing.T) {
	f := begin(t)
	jobs := f.launchAll(rounds())
	f.atRound(jobs, nil)
	for range 3 {
		before := marks(jobs)
		dead, killed := f.killLeader()
		next, err := f.WaitLeader(f.ctx, dead.Term+1)
		f.must(err)
		t.Logf("%s leads %d ms after %s was killed", next.Master.ID, time.Since(killed).Milliseconds(), dead.Master.ID)
		for i, j := range jobs {
			line := f.awaitAfter(j, before[i], spark.MasterChanged)
			if line.Match[1] != next.Master.URL() {
				t.Errorf("%s follows %s, not %s", j.Name, line.Match[1], next.Master.URL())
			}
			t.Logf("%s re-attached after %d ms", j.Name, line.At.Sub(killed).Milliseconds())
		}
		f.atRound(jobs, marks(jobs))
		f.must(f.Start())
		_, err = f.WaitWhole(f.ctx)
		f.must(err)
	}
	for _, j := range jobs {
		f.undisturbed(j, workers)
	}
	f.stop(jobs...)
	f.quiet()
}

// TestJobSubmittedAtTheKill submits a job in the moment in which the leader dies: it starts as if nothing had happened.
func TestJobSubmittedAtTheKill(t *testing.T) {
	f := begin(t)
	_, killed := f.killLeader()
	j := f.launch(suite.releases[0], spark.JobConfig{Program: "rounds", Args: []string{"2"}})
	t.Logf("submitted %d ms after the kill", time.Since(killed).Milliseconds())
	line := f.await(j, spark.Connected)
	t.Logf("registered %d ms after the kill", line.At.Sub(killed).Milliseconds())
	f.succeeded(j)
	f.quiet()
}

// TestLeaderKilledWhileDriverRegisters kills the leader when the driver says that it asks its masters.
func TestLeaderKilledWhileDriverRegisters(t *testing.T) {
	for _, release := range suite.releases {
		t.Run(release.Version, func(t *testing.T) {
			f := begin(t)
			f.leader()
			j := f.launch(release, spark.JobConfig{Program: "rounds", Args: []string{"2"}})
			f.await(j, spark.Connecting)
			_, killed := f.killLeader()
			line := f.await(j, spark.Connected)
			t.Logf("registered %d ms after the kill", line.At.Sub(killed).Milliseconds())
			f.succeeded(j)
			f.quiet()
		})
	}
}

// TestLeaderKilledWhileExecutorLaunches kills the leader when the driver hears of its first executor, whose process
// is about to be started or just was.
func TestLeaderKilledWhileExecutorLaunches(t *testing.T) {
	for _, release := range suite.releases {
		t.Run(release.Version, func(t *testing.T) {
			f := begin(t)
			j := f.launch(release, spark.JobConfig{Program: "rounds", Args: []string{"2"}})
			f.await(j, spark.ExecutorAdded)
			_, killed := f.killLeader()
			line := f.await(j, spark.ExecutorRegistered)
			t.Logf("the first executor registered %d ms after the kill", line.At.Sub(killed).Milliseconds())
			f.await(j, spark.Round)
			f.undisturbed(j, workers)
			f.succeeded(j)
			f.quiet()
		})
	}
}

// TestAllMastersKilled kills all masters under running jobs, which go on without them, and starts them again.
func TestAllMastersKilled(t *testing.T) {
	f := begin(t)
	jobs := f.launchAll(rounds())
	f.atRound(jobs, nil)
	earlier, err := f.Books(f.ctx)
	f.must(err)
	before := marks(jobs)
	for _, m := range f.Masters {
		f.must(m.Kill())
	}
	f.atRound(jobs, marks(jobs)) // with no master there
	started := time.Now()
	f.must(f.Start())
	_, err = f.WaitWhole(f.ctx)
	f.must(err)
	t.Logf("whole again %d ms after the start of the masters", time.Since(started).Milliseconds())
	for i, j := range jobs {
		line := f.awaitAfter(j, before[i], spark.MasterChanged)
		t.Logf("%s re-attached after %d ms", j.Name, line.At.Sub(started).Milliseconds())
	}
	f.atRound(jobs, marks(jobs))
	later, err := f.Books(f.ctx)
	f.must(err)
	for _, a := range earlier.CompletedApps {
		if _, ok := later.Completed(a.ID); !ok {
			t.Errorf("the books have lost the completed application %s", a.ID)
		}
	}
	for _, j := range jobs {
		id, err := j.AppID(f.ctx)
		f.must(err)
		if a, ok := later.Active(id); !ok || a.State != "RUNNING" || a.Cores != workers {
			t.Errorf("the books say of %s after the restart: %+v", id, a)
		}
		f.undisturbed(j, workers)
	}
	f.stop(jobs...)
	f.quiet()
}

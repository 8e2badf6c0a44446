//go:build realspark

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// mixed is a cluster of one Go worker, which has all releases, and Spark's own Workers, of one release each.
type mixed struct {
	*fixture
	goWorker *cluster.Worker
	jvm      []*spark.Worker // those that were started
}

// twoExecutors is a job that goes on until it is told to stop, on two executors of one core each, wherever they are.
func twoExecutors() spark.JobConfig {
	return spark.JobConfig{Program: "rounds", Args: []string{"until"}, Conf: map[string]string{"spark.cores.max": "2", "spark.executor.cores": "1"}}
}

// TestMixedCluster runs jobs of several releases at once on Go workers and unmodified JVM workers, through two deaths of
// leaders, the death of a JVM worker and the freeze of another. An executor only ever runs on a worker of its own
// release; a job whose release no worker has waits, says so, and starts when one comes.
func TestMixedCluster(t *testing.T) {
	f := startMixed(t)
	oldest, newest := suite.releases[0], suite.releases[len(suite.releases)-1]
	var others []*spark.Worker // all releases but the oldest
	for _, r := range suite.releases[1:] {
		others = append(others, f.startJVM(r, 4)) // more cores than its own job takes: room that is not for everybody
	}
	jobs := f.launchAll(twoExecutors()) // while the workers start
	f.waitAlive(len(f.jvm))
	lonely, rest := jobs[0], jobs[1:]
	f.atRound(rest, nil)
	f.saysSo(lonely)
	f.ownReleases(jobs)

	first := f.startJVM(oldest, 2)
	f.waitAlive(len(f.jvm))
	f.atRound(jobs[:1], nil)
	f.Logf("%s started when a worker of its release came", lonely.Name)
	f.ownReleases(jobs)
	f.failOver(jobs)

	f.must(f.goWorker.Start())
	f.waitAlive(len(f.jvm) + 1)
	mark := lonely.Mark()
	f.must(first.Kill())
	f.awaitAfter(lonely, mark, lost)
	f.awaitAfter(lonely, mark, spark.ExecutorRegistered)
	f.awaitAfter(lonely, lonely.Mark(), spark.Round)
	f.onlyOn(lonely, func(id string) bool { return id == f.goWorker.ID })
	f.Logf("%s went on with executors of the Go worker when its JVM worker was killed", lonely.Name)
	f.ownReleases(jobs)
	f.failOver(jobs)

	frozen, job := others[len(others)-1], jobs[len(jobs)-1]
	mark = job.Mark()
	at := time.Now()
	f.must(frozen.Stop())
	f.awaitAfter(job, mark, lost)
	f.Logf("the JVM worker of %s was given up %.1f s after it was frozen", newest.Version, time.Since(at).Seconds())
	mark = job.Mark()
	f.must(frozen.Cont())
	f.awaitAfter(job, mark, spark.ExecutorRegistered)
	f.awaitAfter(job, job.Mark(), spark.Round)
	f.ownReleases(jobs)
	f.stop(jobs...)
	f.bookedNothing()
	for _, w := range others {
		if !w.Running() {
			t.Errorf("the JVM worker of %s has ended", w.Release.Version)
		}
	}
}

// startMixed starts the masters. The Go worker is laid out and not started.
func startMixed(t *testing.T) *mixed {
	t.Helper()
	run, err := proc.NewRun("")
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.New(cluster.Config{Binary: suite.binary, Run: run, Workers: 1, Homes: suite.releases})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		run.Sweep()
		if !t.Failed() {
			os.RemoveAll(run.Dir)
		}
	})
	f := &mixed{fixture: newFixture(t, c), goWorker: c.Workers[0]}
	ctx, cancel := context.WithTimeout(t.Context(), max(limit, time.Duration(len(suite.releases))*4*time.Minute))
	t.Cleanup(cancel)
	f.ctx = ctx
	for _, m := range c.Masters {
		f.must(m.Start())
	}
	f.waitAlive(0)
	return f
}

// startJVM starts Spark's own Worker.
func (f *mixed) startJVM(r spark.Release, cores int) *spark.Worker {
	f.Helper()
	w, err := spark.NewWorker(f.Cluster.Run, spark.WorkerConfig{Release: r, Master: f.URL(), Cores: cores})
	f.must(err)
	f.must(w.Start())
	f.jvm = append(f.jvm, w)
	return w
}

func (f *mixed) waitAlive(workers int) {
	f.Helper()
	_, err := f.WaitCluster(f.ctx, len(f.Masters), workers)
	f.must(err)
}

// failOver kills the leader and waits until all jobs follow the next one and go on; then the dead one comes back.
func (f *mixed) failOver(jobs []*spark.Job) {
	f.Helper()
	before, alive := marks(jobs), f.alive()
	var gone []map[string]bool
	for _, j := range jobs {
		gone = append(gone, lostBy(j))
	}
	dead, killed := f.killLeader()
	for i, j := range jobs {
		line := f.awaitAfter(j, before[i], spark.MasterChanged)
		f.Logf("%s re-attached %d ms after %s was killed", j.Name, line.At.Sub(killed).Milliseconds(), dead.Master.ID)
	}
	f.atRound(jobs, marks(jobs))
	for i, j := range jobs {
		// The new leader may tell again of those that were lost before it.
		if now := lostBy(j); len(now) > len(gone[i]) {
			f.Errorf("%s lost executors in the failover: %v, before it %v", j.Name, now, gone[i])
		}
	}
	f.must(dead.Master.Start())
	f.waitAlive(alive)
	f.ownReleases(jobs)
}

// lostBy are the executors that a job was told have ended.
func lostBy(j *spark.Job) map[string]bool {
	ids := map[string]bool{}
	for _, l := range j.Find(lost) {
		ids[l.Match[1]] = true
	}
	return ids
}

// alive is how many workers the books have as ALIVE.
func (f *mixed) alive() int {
	f.Helper()
	b, err := f.Books(f.ctx)
	f.must(err)
	return b.AliveWorkers
}

// ownReleases checks by the books that each job's executors are on workers that have its release.
func (f *mixed) ownReleases(jobs []*spark.Job) {
	f.Helper()
	for _, j := range jobs {
		f.onlyOn(j, func(id string) bool { return id == f.goWorker.ID || f.isOf(id, j.Release) })
	}
}

func (f *mixed) isOf(id string, r spark.Release) bool {
	for _, w := range f.jvm {
		if w.Release == r && w.Has(id) {
			return true
		}
	}
	return false
}

// onlyOn checks where the executors of a job are, by the books of all masters and by what the driver was told.
func (f *mixed) onlyOn(j *spark.Job, good func(workerID string) bool) {
	f.Helper()
	app, err := j.AppID(f.ctx)
	f.must(err)
	for _, m := range f.Masters {
		if !m.Answering() {
			continue
		}
		all, err := books.ReadExecutors(f.ctx, m.Web())
		f.must(err)
		for _, e := range all {
			if e.App == app && !good(e.Worker) {
				f.Errorf("%s says that executor %d of %s is on %s", m.ID, e.ID, j.Name, e.Worker)
			}
		}
	}
	for _, l := range j.Find(spark.ExecutorAdded) {
		if id := l.Match[2]; id != f.goWorker.ID && !f.isOf(id, j.Release) {
			f.Errorf("%s was given an executor elsewhere: %s", j.Name, l.Text)
		}
	}
}

var (
	driverWaits = regexp.MustCompile(`is now LAUNCHING \(waiting: no worker runs (Spark \S+)`)
	masterWaits = regexp.MustCompile(`can run nowhere; it waits.* term=(\d+) .*app=(\S+) .*reason="no worker runs`)
)

// saysSo checks that a job which no worker can run waits, and that everybody who should say so does: the driver's log,
// the leader's, and GET /v1/waiting.
func (f *mixed) saysSo(j *spark.Job) {
	f.Helper()
	app, err := j.AppID(f.ctx)
	f.must(err)
	feature := "Spark " + strings.Join(strings.Split(j.Release.Version, ".")[:2], ".")
	if l := f.await(j, driverWaits); l.Match[1] != feature {
		f.Errorf("the driver of %s was told: %s", j.Name, l.Text)
	}
	var said []proc.Line
	f.must(books.Poll(f.ctx, "a leader to say that "+app+" waits", func(context.Context) error {
		for _, m := range f.Masters {
			said = append(said, m.Process().Find(masterWaits)...)
		}
		if len(said) == 0 {
			return errors.New("none says so")
		}
		return nil
	}))
	terms := map[string]bool{}
	for _, l := range said {
		if l.Match[2] != app || terms[l.Match[1]] { // once in a term
			f.Errorf("of %s a leader says: %s", app, l.Text)
		}
		terms[l.Match[1]] = true
	}
	waiting, err := books.ReadWaiting(f.ctx, f.leader().Master.Web())
	f.must(err)
	if w, ok := waiting.Of(app); !ok || !w.Nowhere || w.Cause != "NO_RELEASE" || !strings.HasPrefix(w.Release, feature) {
		f.Errorf("of %s the leader says %+v", app, waiting)
	}
	b, err := f.Books(f.ctx)
	f.must(err)
	if a, ok := b.Active(app); !ok || a.State != "WAITING" || a.Cores != 0 {
		f.Errorf("the books have %s as %+v", app, a)
	}
}

// bookedNothing waits until nothing is used by the books, and no executor is left.
func (f *mixed) bookedNothing() {
	f.Helper()
	_, err := f.WaitBooks(f.ctx, "no core used", func(b books.Books) error {
		if b.CoresUsed != 0 || b.MemoryUsed != 0 || len(b.ActiveApps) != 0 {
			return fmt.Errorf("%v", b)
		}
		return nil
	})
	f.must(err)
	f.must(books.Poll(f.ctx, "the end of all executors", func(context.Context) error {
		left, err := f.Executors()
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%v", left)
		}
		return err
	}))
}

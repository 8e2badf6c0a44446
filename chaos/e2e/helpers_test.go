//go:build realspark

package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// fixture is one test's view of the cluster.
type fixture struct {
	*testing.T
	*cluster.Cluster
	ctx context.Context
}

// limit bounds a test that hangs. It is far more than any of them takes, since other work may slow the machine.
const limit = 10 * time.Minute

// begin gives a cluster that is whole and quiet.
func begin(t *testing.T) *fixture {
	t.Helper()
	if err := repair(t.Context()); err != nil {
		t.Logf("the cluster could not be repaired, a new one is started: %v", err)
		suite.failed = true
		if err := freshCluster(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return newFixture(t, suite.cluster)
}

func newFixture(t *testing.T, c *cluster.Cluster) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	f := &fixture{T: t, Cluster: c, ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() {
			suite.failed = true
			t.Logf("logs are in %s", f.Cluster.Run.Dir)
		}
	})
	return f
}

func repair(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	if err := suite.cluster.Start(); err != nil {
		return err
	}
	if _, err := suite.cluster.WaitWhole(ctx); err != nil {
		return err
	}
	return suite.cluster.WaitQuiet(ctx)
}

// must stops the test at an error.
func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// launch starts a job on all masters, unless job.Master says otherwise. A job's own name tells jobs of one kind apart.
func (f *fixture) launch(release spark.Release, job spark.JobConfig) *spark.Job {
	f.Helper()
	job.Release = release
	if job.Master == "" {
		job.Master = f.URL()
	}
	job.Name = strings.ReplaceAll(f.Name(), "/", "-") + "-" + job.Program + job.Name + "-" + release.Version
	j, err := spark.Start(f.Cluster.Run, job)
	f.must(err)
	f.Cleanup(func() { f.must(j.Close()) })
	return j
}

// launchAll starts the job once for each release, at the same time.
func (f *fixture) launchAll(job spark.JobConfig) []*spark.Job {
	f.Helper()
	var jobs []*spark.Job
	for _, r := range suite.releases {
		jobs = append(jobs, f.launch(r, job))
	}
	return jobs
}

// await waits for a line of the job.
func (f *fixture) await(j *spark.Job, re *regexp.Regexp) proc.Line {
	f.Helper()
	line, err := j.WaitFor(f.ctx, re)
	f.must(err)
	return line
}

// awaitAfter waits for a line that comes after the mark.
func (f *fixture) awaitAfter(j *spark.Job, mark int, re *regexp.Regexp) proc.Line {
	f.Helper()
	line, err := j.WaitNext(f.ctx, mark, re)
	f.must(err)
	return line
}

// leader is the master that leads now.
func (f *fixture) leader() cluster.View {
	f.Helper()
	v, err := f.WaitLeader(f.ctx, 0)
	f.must(err)
	return v
}

// killLeader kills the leader by SIGKILL and gives what it was and when it was gone.
func (f *fixture) killLeader() (cluster.View, time.Time) {
	f.Helper()
	v := f.leader()
	at := time.Now()
	f.must(v.Master.Kill())
	return v, at
}

// succeeded checks a job's end: its result, and the books.
func (f *fixture) succeeded(j *spark.Job) {
	f.Helper()
	line, err := j.WaitResult(f.ctx)
	f.must(err)
	f.Logf("%s: %s (%.1f s)", j.Name, line.Text, j.Ended().Sub(j.Started).Seconds())
	f.settled(j, "FINISHED")
}

// settled checks that the job's application is completed in the wanted state, is the only one of its name, and that
// nothing of it is left: no core and no memory in anybody's books, no process.
func (f *fixture) settled(j *spark.Job, state string) {
	f.Helper()
	id, err := j.AppID(f.ctx)
	f.must(err)
	b, err := f.WaitBooks(f.ctx, id+" completed", func(b books.Books) error {
		if _, ok := b.Completed(id); !ok {
			return errors.New("it is not among the completed ones")
		}
		return nil
	})
	f.must(err)
	if a, _ := b.Completed(id); a.State != state {
		f.Errorf("application %s is %s, not %s", id, a.State, state)
	}
	if n := named(b, j.Name); n != 1 {
		f.Errorf("%d applications have the name %q, not one: %v", n, j.Name, b)
	}
	f.must(f.Cluster.Run.WaitGone(f.ctx, cluster.ExecutorOf(id)))
}

func named(b books.Books, name string) int {
	n := 0
	for _, a := range append(slices.Clone(b.ActiveApps), b.CompletedApps...) {
		if a.Name == name {
			n++
		}
	}
	return n
}

// quiet checks the end of a test: whole again, nothing used, nothing left.
func (f *fixture) quiet() {
	f.Helper()
	f.must(f.Start())
	_, err := f.WaitWhole(f.ctx)
	f.must(err)
	f.must(f.WaitQuiet(f.ctx))
	left, err := f.Leftovers()
	f.must(err)
	if len(left) > 0 {
		f.Errorf("left over: %v", left)
	}
}

// lost matches an executor that the driver was told has ended.
var lost = regexp.MustCompile(`Executor updated: (\S+) is now (LOST|FAILED|EXITED|KILLED)`)

// undisturbed checks that a job kept the executors that it was given, want of them, each started once on one worker.
func (f *fixture) undisturbed(j *spark.Job, want int) {
	f.Helper()
	if l := j.Find(lost); len(l) > 0 {
		f.Errorf("%s lost an executor: %s", j.Name, l[0].Text)
	}
	// A new leader may tell the driver again of the executors that it has; it must not give it others.
	on := map[string]string{}
	for _, l := range j.Find(spark.ExecutorAdded) {
		id, worker := l.Match[1], l.Match[2]
		if before, ok := on[id]; ok && before != worker {
			f.Errorf("%s was told that executor %s is on %s and on %s", j.Name, id, before, worker)
		}
		on[id] = worker
	}
	if len(on) != want {
		f.Errorf("%s was given %d executors, not %d: %v", j.Name, len(on), want, on)
	}
	id, err := j.AppID(f.ctx)
	f.must(err)
	dirs, err := filepath.Glob(filepath.Join(f.Cluster.Run.Dir, "work", "*", id, "*"))
	f.must(err)
	if len(dirs) > want { // fewer: a worker may have cleaned up
		f.Errorf("%d executors of %s were started, not %d: %v", len(dirs), id, want, dirs)
	}
}

// rounds is the job that goes on until it is told to stop, on one core of each worker.
func rounds() spark.JobConfig {
	return spark.JobConfig{Program: "rounds", Args: []string{"until"}, Conf: map[string]string{"spark.cores.max": fmt.Sprint(workers)}}
}

// atRound waits for one more round of each job than it has made so far.
func (f *fixture) atRound(jobs []*spark.Job, from []int) {
	f.Helper()
	for i, j := range jobs {
		mark := 0
		if from != nil {
			mark = from[i]
		}
		f.awaitAfter(j, mark, spark.Round)
	}
}

func marks(jobs []*spark.Job) []int {
	var all []int
	for _, j := range jobs {
		all = append(all, j.Mark())
	}
	return all
}

// stop tells the jobs to end and checks that they do so well.
func (f *fixture) stop(jobs ...*spark.Job) {
	f.Helper()
	for _, j := range jobs {
		j.Tell("stop")
	}
	for _, j := range jobs {
		f.succeeded(j)
	}
}

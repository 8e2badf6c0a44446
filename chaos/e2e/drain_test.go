//go:build realspark

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
)

var (
	made           = regexp.MustCompile(`^MADE ok`)
	read           = regexp.MustCompile(`^READ ok (.*)`)
	decommissioned = regexp.MustCompile(`Executor updated: \S+/(\d+) is now DECOMMISSIONED`)
)

// draining is a cluster of two Go workers at hosts of different names, and jobs of all releases with an executor on each.
type draining struct {
	*fixture
	jvm  *spark.Worker
	jobs []*spark.Job
}

// TestDrainUnderJobs drains one worker after the other under running jobs of both releases: by its signal, and by the web UI
// of a follower. Their executors' cached blocks and shuffle files move, the executors end, others come elsewhere; nothing new
// lands on a drained worker, under the next leader neither, until it is undrained. Spark's own Worker, drained by its signal
// before the jobs began, is given nothing in all that time though it has room.
//
// The second time all executors of a job are drained at once: there is nowhere to move to, and Spark makes anew what was lost.
func TestDrainUnderJobs(t *testing.T) {
	f := startDraining(t)
	began := time.Now()
	w1, w2 := f.Workers[0], f.Workers[1]
	f.drainJVM()
	f.startJobs()
	f.Logf("%.1f s: the jobs have made what they will read", time.Since(began).Seconds())

	marks := marks(f.jobs)
	f.must(w1.Process().Signal(syscall.SIGPWR))
	f.waitState(w1.ID, "DECOMMISSIONED")
	f.killLeader()
	f.leftBy(w1, marks)
	for i, made := range f.readAgain() {
		if made != "squared=0 keyed=0" {
			t.Errorf("%s had to make anew what it had: %s", f.jobs[i].Name, made)
		}
	}
	f.onlyAt(w2, marks)
	f.Logf("%.1f s: the executors of %s are gone, what they kept is at %s", time.Since(began).Seconds(), w1.ID, w2.ID)
	for _, m := range f.Masters {
		f.must(m.Start())
	}
	_, err := f.WaitCluster(f.ctx, len(f.Masters), 1) // w2: whoever is drained is not counted
	f.must(err)
	f.waitState(w1.ID, "DECOMMISSIONED")
	if _, err := f.admin().UndrainWorker(f.ctx, &clusterpb.UndrainWorkerRequest{Id: f.jvmID()}); err == nil || !strings.Contains(err.Error(), "restart it") {
		t.Errorf("Spark's own Worker is undrained: %v", err)
	}

	_, err = f.admin().UndrainWorker(f.ctx, &clusterpb.UndrainWorkerRequest{Id: w1.ID})
	f.must(err)
	f.waitState(w1.ID, "ALIVE")
	marks = f.marks()
	f.drainByWeb("LOCALHOST")
	f.waitState(w2.ID, "DECOMMISSIONED")
	f.comeTo(w1, marks)
	f.readAgain()
	f.onlyAt(w1, marks)
	f.Logf("%.1f s: the jobs are at work at %s again", time.Since(began).Seconds(), w1.ID)

	if dirs, _ := filepath.Glob(filepath.Join(f.Cluster.Run.Dir, "work", "jvm-worker-*", "app-*")); len(dirs) > 0 {
		t.Errorf("the JVM worker that was drained before was given %v", dirs)
	}
	if f.waitState(f.jvmID(), "DECOMMISSIONED"); !f.jvm.Running() {
		t.Error("the JVM worker has ended")
	}
	for _, j := range f.jobs {
		j.Tell("stop")
	}
	for _, j := range f.jobs {
		line, err := j.WaitResult(f.ctx)
		f.must(err)
		f.Logf("%s: %s", j.Name, line.Text)
	}
	(&mixed{fixture: f.fixture}).bookedNothing()
}

func startDraining(t *testing.T) *draining {
	t.Helper()
	run, err := proc.NewRun("")
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.New(cluster.Config{Binary: suite.binary, Run: run, Workers: 2, WorkerHosts: []string{"127.0.0.1", "localhost"}, Cores: 4, Homes: suite.releases,
		Properties: map[string]string{"spark.decommission.enabled": "true"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		run.Sweep()
		if !t.Failed() {
			os.RemoveAll(run.Dir)
		}
	})
	f := &draining{fixture: newFixture(t, c)}
	f.must(c.Start())
	f.jvm, err = spark.NewWorker(run, spark.WorkerConfig{Release: suite.releases[0], Master: c.URL(), Conf: map[string]string{"spark.decommission.enabled": "true"}})
	f.must(err)
	f.must(f.jvm.Start())
	_, err = c.WaitCluster(f.ctx, len(c.Masters), 3)
	f.must(err)
	return f
}

// drainJVM sends the signal until a master has heard: one that comes before the worker has taken its registration in tells nobody.
func (f *draining) drainJVM() {
	f.Helper()
	id := f.jvmID()
	f.must(books.Poll(f.ctx, "the JVM worker to be drained", func(ctx context.Context) error {
		b, err := f.Books(ctx)
		if err != nil {
			return err
		}
		if w, _ := b.Worker(id); w.State != "DECOMMISSIONED" {
			return errors.Join(f.jvm.Process().Signal(syscall.SIGPWR), fmt.Errorf("it is %s", w.State))
		}
		return nil
	}))
	_, err := f.WaitCluster(f.ctx, len(f.Masters), 2) // it is not counted as alive
	f.must(err)
}

func (f *draining) jvmID() string {
	f.Helper()
	b, err := f.Books(f.ctx)
	f.must(err)
	for _, w := range b.Workers {
		if f.jvm.Has(w.ID) {
			return w.ID
		}
	}
	f.Fatalf("the JVM worker is not listed: %v", b)
	return ""
}

// startJobs starts a job of each release, which keeps something on each of both workers.
func (f *draining) startJobs() {
	f.Helper()
	f.jobs = f.launchAll(spark.JobConfig{Program: "moved", Conf: map[string]string{
		"spark.cores.max": "2", "spark.executor.cores": "1",
		"spark.decommission.enabled": "true", "spark.storage.decommission.enabled": "true",
		"spark.storage.decommission.replicationReattemptInterval": "1s",
		// What was lost is looked for in vain before it is made anew.
		"spark.shuffle.io.maxRetries": "1", "spark.shuffle.io.retryWait": "500ms",
	}})
	for _, j := range f.jobs {
		f.await(j, made)
		at := f.executorsAt(j)
		if slices.Sort(at); !slices.Equal(at, []string{f.Workers[0].ID, f.Workers[1].ID}) {
			f.Fatalf("the executors of %s are at %v", j.Name, at)
		}
	}
}

// executorsAt are the workers of a job's executors, as the leader has them.
func (f *draining) executorsAt(j *spark.Job) (at []string) {
	f.Helper()
	app, err := j.AppID(f.ctx)
	f.must(err)
	all, err := books.ReadExecutors(f.ctx, f.leader().Master.Web())
	f.must(err)
	for _, e := range all {
		if e.App == app {
			at = append(at, e.Worker)
		}
	}
	return at
}

func (f *draining) waitState(worker, state string) {
	f.Helper()
	_, err := f.WaitBooks(f.ctx, worker+" "+state, func(b books.Books) error {
		if w, ok := b.Worker(worker); !ok || w.State != state {
			return fmt.Errorf("it is %q", w.State)
		}
		return nil
	})
	f.must(err)
}

// leftBy waits until the drivers were told, and have let the executors of a worker go.
func (f *draining) leftBy(w *cluster.Worker, marks []int) {
	f.Helper()
	for i, j := range f.jobs {
		f.awaitAfter(j, marks[i], decommissioned)
		f.must(books.Poll(f.ctx, j.Name+" to leave "+w.ID, func(context.Context) error {
			if at := f.executorsAt(j); slices.Contains(at, w.ID) || len(at) != 2 {
				return fmt.Errorf("its executors are at %v", at)
			}
			return nil
		}))
	}
}

// comeTo waits until the drivers were told, and have their two new executors on a worker.
func (f *draining) comeTo(w *cluster.Worker, marks []int) {
	f.Helper()
	for i, j := range f.jobs {
		f.awaitAfter(j, marks[i], decommissioned)
		f.must(books.Poll(f.ctx, j.Name+" to come to "+w.ID, func(context.Context) error {
			n := 0
			for _, id := range f.executorsAt(j) {
				if id == w.ID {
					n++
				}
			}
			if n != 2 {
				return fmt.Errorf("it has %d there", n)
			}
			return nil
		}))
	}
}

// onlyAt checks that what the drivers were given since is on one worker. A new leader tells them again of the others.
func (f *draining) onlyAt(w *cluster.Worker, marks []int) {
	f.Helper()
	for i, j := range f.jobs {
		known := map[string]bool{}
		for n, l := range j.Find(spark.ExecutorAdded) {
			if fresh := !known[l.Match[1]]; fresh && n >= 2 && l.N >= marks[i] && l.Match[2] != w.ID {
				f.Errorf("%s was given an executor elsewhere: %s", j.Name, l.Text)
			}
			known[l.Match[1]] = true
		}
	}
}

// readAgain has the jobs read what they have made, and gives how much of it each had to make anew.
func (f *draining) readAgain() (anew []string) {
	f.Helper()
	from := f.marks()
	for _, j := range f.jobs {
		j.Tell("again")
	}
	for i, j := range f.jobs {
		anew = append(anew, f.awaitAfter(j, from[i], read).Match[1])
	}
	return anew
}

func (f *draining) marks() []int { return marks(f.jobs) }

// drainByWeb posts the form to a master that does not lead.
func (f *draining) drainByWeb(host string) {
	f.Helper()
	leader := f.leader()
	i := slices.IndexFunc(f.Masters, func(m *cluster.Master) bool { return m != leader.Master && m.Answering() })
	client := http.Client{Timeout: time.Minute}
	r, err := client.PostForm(f.Masters[i].Web()+"/workers/kill/", url.Values{"host": {host}})
	f.must(err)
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		f.Fatalf("POST /workers/kill/?host=%s: %s", host, r.Status)
	}
}

// admin asks the leader as clusterctl does.
func (f *draining) admin() clusterpb.AdminClient {
	f.Helper()
	conn, err := rpc.NewConn(f.leader().Master.RPC())
	f.must(err)
	f.Cleanup(func() { conn.Close() })
	return clusterpb.NewAdminClient(conn)
}

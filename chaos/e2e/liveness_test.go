//go:build realspark

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/chaos/spark"
)

// notPlacedAfter is the time after which nothing new may be placed on a worker that froze.
const notPlacedAfter = 2 * time.Second

// TestWorkerFrozen stops a worker under a running job. Two seconds later nothing new is placed there, though its kernel
// still takes connections and the books still have it; soon after it is DEAD, and its executor is replaced. When it goes
// on it comes back, what it should not run is ended, and it is used again.
func TestWorkerFrozen(t *testing.T) {
	f := begin(t)
	job := rounds()
	job.Conf["spark.cores.max"] = "1" // its replacement leaves room beside it for the application that comes late
	j := f.launch(suite.releases[0], job)
	jobs := []*spark.Job{j}
	f.atRound(jobs, nil)
	victim := f.busyWorker()
	at := time.Now()
	f.must(victim.Stop())
	thaw := func() { f.must(victim.Cont()) }
	defer func() { // also where the test fails
		if thaw != nil {
			thaw()
		}
	}()
	time.Sleep(notPlacedAfter - time.Since(at)) // the promise is about time
	if on := f.placed("late", workers); slices.Contains(on, victim.ID) {
		t.Errorf("%s was given an executor %d ms after it froze", victim.ID, time.Since(at).Milliseconds())
	}
	_, err := f.WaitBooks(f.ctx, "the loss of "+victim.ID, func(b books.Books) error {
		if w, ok := b.Worker(victim.ID); ok && w.State != "DEAD" || b.AliveWorkers != workers-1 {
			return errors.New("it is not lost")
		}
		return nil
	})
	f.must(err)
	dead := time.Since(at)
	t.Logf("DEAD after %d ms", dead.Milliseconds())
	if dead < time.Second {
		t.Errorf("a worker that is not heard of for %s may only be slow", dead)
	}
	f.await(j, lost)
	f.atRound(jobs, marks(jobs))
	thaw()
	thaw = nil
	_, err = f.WaitWhole(f.ctx)
	f.must(err)
	f.agree()
	f.stop(j)
	f.must(f.WaitQuiet(f.ctx))
	if on := f.placed("again", workers*coresPerWorker); !slices.Contains(on, victim.ID) {
		t.Errorf("%s is back and not used: executors are on %v", victim.ID, on)
	}
	f.quiet()
}

// busyWorker is the first worker whose cores are in use.
func (f *fixture) busyWorker() *cluster.Worker {
	f.Helper()
	b, err := f.Books(f.ctx)
	f.must(err)
	for _, w := range f.Workers {
		if of, ok := b.Worker(w.ID); ok && of.CoresUsed > 0 {
			return w
		}
	}
	f.Fatal("no worker has an executor")
	return nil
}

// placed registers an application that wants so many executors, and tells where they are. It waits until all of them run
// that can: at least one.
func (f *fixture) placed(name string, cores int) (workerIDs []string) {
	f.Helper()
	java := filepath.Join(f.Cluster.Run.Dir, "idle-java")
	f.must(os.MkdirAll(filepath.Join(java, "bin"), 0o755))
	f.must(os.WriteFile(filepath.Join(java, "bin", "java"), []byte("#!/bin/sh\nexec sleep 600\n"), 0o755))
	app, err := simapp.New(simapp.Config{Cores: cores, Environment: map[string]string{"JAVA_HOME": java}})
	f.must(err)
	defer func() { f.must(app.Close()) }()
	var masters []string
	for _, m := range f.Masters {
		masters = append(masters, m.Spark())
	}
	id, _, err := app.Register(f.ctx, fmt.Sprintf("%s-%s", f.Name(), name), masters, 200*time.Millisecond)
	f.must(err)
	f.must(app.WaitRunning(f.ctx))
	for _, p := range app.Placements() {
		workerIDs = append(workerIDs, p.WorkerID)
	}
	f.must(app.Unregister())
	_, err = f.WaitBooks(f.ctx, "the end of "+id, func(b books.Books) error {
		if _, ok := b.Completed(id); !ok {
			return errors.New("it is active")
		}
		return nil
	})
	f.must(err)
	return workerIDs
}

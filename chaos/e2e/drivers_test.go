//go:build realspark

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/puppet"
	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/chaos/submit"
)

// TestSparkDrivers: unmodified drivers of both releases in cluster mode. Each fails once and is run again in its place, has an
// application that ends with it, and is killed; one is moved in between to another worker, since its own is killed, where it
// has another run and another application, and is found under both ids.
func TestSparkDrivers(t *testing.T) {
	f := begin(t)
	th := f.theatre()
	type actor struct {
		release  spark.Release
		name, id string
		life     *puppet.Life
		app      string
	}
	var actors []*actor
	for i, r := range suite.releases[max(0, len(suite.releases)-2):] {
		a := &actor{release: r, name: "actor-" + r.Version}
		a.id = th.submit(i, th.spark(r, a.name).Supervised())
		actors = append(actors, a)
	}
	play := func(a *actor, n int) {
		t.Helper()
		a.life = th.life(a.name, n)
		a.app = th.tell(a.life, "app", "app")
		if got := th.tell(a.life, "work", "work"); got != "100" {
			t.Errorf("%s: its application counted %s of 100", a.name, got)
		}
		masters := th.tell(a.life, "conf spark.master", "conf")
		for _, m := range f.Masters {
			if !strings.Contains(masters, m.Spark()) {
				t.Errorf("%s knows the masters %q, and not %s", a.name, masters, m.Spark())
			}
		}
	}
	for _, a := range actors {
		first := th.life(a.name, 1)
		if first.Run != a.id {
			t.Errorf("the first run of %s is %s", a.id, first.Run)
		}
		f.must(first.Tell("exit 3"))
	}
	for _, a := range actors {
		play(a, 2)
		if a.life.Run != a.id {
			t.Errorf("%s was run again in its place as %s", a.id, a.life.Run)
		}
		th.is(a.id, "RUNNING")
	}
	over := func(a *actor, n int, id string) {
		t.Helper()
		th.kill(n, id)
		f.must(a.life.WaitOver(f.ctx))
		th.is(a.id, "KILLED")
		th.same(a.id, "KILLED", true)
		// FINISHED where Spark's shutdown hook was there first and has unregistered it.
		if s := th.appState(a.app); s != "KILLED" && s != "FINISHED" {
			t.Errorf("the application of %s, which was killed, is %s", a.id, s)
		}
		f.must(f.Cluster.Run.WaitGone(f.ctx, cluster.ExecutorOf(a.app)))
	}
	stays, moves := actors[len(actors)-1], actors[0]
	if stays != moves {
		over(stays, 1, stays.id)
	}
	// The worker of the other one is killed: everything of it ends with it, and the driver goes to the other worker.
	from := th.is(moves.id, "RUNNING").WorkerID
	old, oldApp := moves.life, moves.app
	f.must(f.worker(from).Kill())
	f.must(old.WaitOver(f.ctx))
	play(moves, 3)
	if s := th.appState(oldApp); s != "FAILED" {
		t.Errorf("the application of the run that was lost is %s", s)
	}
	run := moves.life.Run
	if run == moves.id || moves.app == oldApp {
		t.Errorf("after the loss of its worker run %s of %s has the application %s; before: %s", run, moves.id, moves.app, oldApp)
	}
	for _, id := range []string{moves.id, run} {
		if a := th.is(id, "RUNNING"); a.WorkerID == from {
			t.Errorf("%s runs on %s, which is dead", id, a.WorkerID)
		}
	}
	over(moves, 2, run)
	th.is(run, "KILLED")
	th.never()
	f.quiet()
}

// TestDriverStates: drivers end in every way there is, each as Spark's Master has it; what they ended as, and why, is the same
// at every master, and after a failover.
func TestDriverStates(t *testing.T) {
	f := begin(t)
	th := f.theatre()
	// A main class that is missing, and one that throws, are the business of the release's own DriverWrapper: exit code 1.
	noClass := th.spark(suite.releases[0], "no-class")
	noClass.MainClass = "org.example.ThereIsNone"
	noJar := th.puppet("no-jar")
	noJar.Resource = "file:///there/is/no.jar"
	ids := map[string]string{}
	for i, d := range []submit.Driver{
		noClass, th.spark(suite.releases[len(suite.releases)-1], "throws", "throw it did not work"), noJar,
		th.puppet("well", "exit 0"), th.puppet("badly", "exit 5"), th.puppet("meek"), th.puppet("stubborn", "stubborn"),
		th.puppet("large").With("spark.driver.cores", "1000"),
	} {
		name := d.Args[2]
		ids[name] = th.submit(i, d)
	}
	if a := th.is(ids["large"], "SUBMITTED"); a.WorkerID != "" || !strings.Contains(a.Message, "cores") {
		t.Errorf("what waits for a worker that there is not: %+v", a)
	}
	th.kill(0, ids["large"])
	meek, stubborn := th.life("meek", 1), th.life("stubborn", 1)
	_, err := stubborn.Said(f.ctx, "stubborn")
	f.must(err)
	for i, l := range []*puppet.Life{meek, stubborn} {
		if a := th.is(l.Run, "RUNNING"); a.WorkerID == "" {
			t.Errorf("it runs nowhere: %+v", a)
		}
		th.kill(i, l.Run)
		asked := time.Now()
		f.must(l.WaitOver(f.ctx))
		if took := time.Since(asked); l == stubborn && took < terminateTimeout-time.Second/2 {
			t.Errorf("%v was given %v to end, not %v", l, took, terminateTimeout)
		}
	}
	want := map[string]string{
		"no-class": "FAILED", "throws": "FAILED", "no-jar": "ERROR", "well": "FINISHED", "badly": "FAILED", "meek": "KILLED", "stubborn": "KILLED", "large": "KILLED",
	}
	why := map[string]string{}
	for name, state := range want {
		a := th.is(ids[name], state)
		why[name] = a.Exception()
		th.same(ids[name], state, true)
		if a, err := submit.Kill(f.ctx, th.bases[0], ids[name]); err != nil || a.Success {
			t.Errorf("%s has ended, and is asked to: %+v, %v", name, a, err)
		}
	}
	if !strings.Contains(why["no-jar"], "/there/is/no.jar") {
		t.Errorf("the reason of an ERROR is %q", why["no-jar"])
	}
	f.must(f.WaitQuiet(f.ctx))
	f.killLeader()
	f.leader()
	for _, m := range f.Masters {
		if !m.Running() {
			continue
		}
		for name, state := range want {
			a, err := submit.WaitStatus(f.ctx, []string{m.REST()}, ids[name], submit.Is(state))
			f.must(err)
			if a.Exception() != why[name] {
				t.Errorf("after a failover %s says of %s %q, not %q", m.ID, name, a.Exception(), why[name])
			}
		}
		if a, err := submit.Status(f.ctx, m.REST(), "driver-of-another-cluster"); err != nil || a.Success || a.DriverState != "" {
			t.Errorf("a driver of another cluster: %+v, %v", a, err)
		}
	}
	th.never()
	f.quiet()
}

package master

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
	"github.com/firesteel/firesteel/web"
)

// tableOf finds the table with a release, and the release.
func tableOf(t *testing.T, version, scala string) (*releases.Table, releases.Release) {
	t.Helper()
	for _, table := range releases.Tables() {
		for _, r := range table.Releases() {
			if r.Version == version && table.Scala() == scala {
				return table, r
			}
		}
	}
	t.Fatalf("no table of Spark %s/%s", version, scala)
	return nil, releases.Release{}
}

// jvmWorker registers a stand-in for Spark's own Worker of a release and shows its empty list.
func jvmWorker(t *testing.T, m *Master, version, scala, id string) *sparkSide {
	t.Helper()
	table, r := tableOf(t, version, scala)
	side := newSparkSideOf(t, table, r.ProbeSUID, workerEndpoint, wire.Address{})
	p := side.dial(m)
	sendOn(t, p, side.worker(id, m))
	next[*messages.RegisteredWorker](side)
	sendOn(t, p, &messages.WorkerLatestState{ID: id})
	return side
}

// driverOf registers an application of a release and gives its id.
func driverOf(t *testing.T, m *Master, version, scala string, executors int) (*sparkSide, *rpcenv.Peer, string) {
	t.Helper()
	table, r := tableOf(t, version, scala)
	side := newSparkSideOf(t, table, r.ProbeSUID, appClient, wire.Address{})
	p := side.dial(m)
	sendOn(t, p, side.application("job-"+version, executors))
	reg, _ := next[*messages.RegisteredApplication](side)
	return side, p, reg.AppID
}

// Every driver's executor goes to the worker of its own release, also where releases share a build or a worker's
// registration fits several; and one that no worker runs waits, says so, and starts when its worker comes.
func TestReleasesMeetTheirOwn(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	workers := map[string]*sparkSide{}
	for _, version := range []string{"3.4.4/2.12", "3.5.7/2.13", "4.0.5/2.13", "4.1.4/2.13", "4.2.1/2.13", "4.3.0/2.13"} {
		v, scala, _ := strings.Cut(version, "/")
		workers[version] = jvmWorker(t, m, v, scala, "worker-"+v)
	}
	for version, worker := range workers {
		v, scala, _ := strings.Cut(version, "/")
		driver, _, app := driverOf(t, m, v, scala, 1)
		if l, _ := next[*messages.LaunchExecutor](worker); l.AppID != app {
			t.Errorf("Spark %s runs %s, not %s", version, l.AppID, app)
		}
		if a, _ := next[*messages.ExecutorAdded](driver); a.WorkerID != "worker-"+v {
			t.Errorf("the driver of %s was given an executor on %s", version, a.WorkerID)
		}
	}
	lonely, _, app := driverOf(t, m, "3.5.9", "2.12", 1)
	u, _ := next[*messages.ExecutorUpdated](lonely)
	if u.ID != noExecutor || u.State.Finished() || !strings.Contains(u.Message, "no worker runs Spark 3.5 (Scala 2.12); the ALIVE ones run Spark 3.4 (Scala 2.12), Spark 3.5 (Scala 2.13), Spark 4.0") {
		t.Errorf("it is told %+v", u)
	}
	if a, ok := m.fsm.State().App(app); !ok || a.State != fsm.AppWaiting {
		t.Errorf("%+v", a)
	}
	late := jvmWorker(t, m, "3.5.7", "2.12", "worker-late")
	if l, _ := next[*messages.LaunchExecutor](late); l.AppID != app {
		t.Errorf("launched %+v", l)
	}
	if a, _ := next[*messages.ExecutorAdded](lonely); a.WorkerID != "worker-late" {
		t.Errorf("it was given an executor on %s", a.WorkerID)
	}
	for _, w := range workers {
		w.nothing()
	}
}

// An application that asks for more than any worker has says so too; and one that asks for a patch version of Spark
// is not given to a worker that has another, or does not tell.
func TestCannotRunAnywhere(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	worker := jvmWorker(t, m, "4.3.0", "2.13", "worker-1") // 4 cores, 4096 MiB
	table, r := tableOf(t, "4.3.0", "2.13")
	register := func(change func(*messages.ApplicationDescription)) *sparkSide {
		side := newSparkSideOf(t, table, r.ProbeSUID, appClient, wire.Address{})
		reg := side.application("job", 1)
		change(reg.App)
		sendOn(t, side.dial(m), reg)
		next[*messages.RegisteredApplication](side)
		return side
	}
	for want, change := range map[string]func(*messages.ApplicationDescription){
		"asks for 5 cores and 256 MiB":  func(d *messages.ApplicationDescription) { d.DefaultProfile = profileOf(0, 5, 256) },
		"asks for 1 cores and 4097 MiB": func(d *messages.ApplicationDescription) { d.DefaultProfile = profileOf(0, 1, 4097) },
		"no worker runs Spark 4.3.1 (Scala 2.13); ": func(d *messages.ApplicationDescription) {
			d.Command.Environment = map[string]string{releases.HomeWish: "4.3.1"}
		},
	} {
		if u, _ := next[*messages.ExecutorUpdated](register(change)); !strings.Contains(u.Message, want) {
			t.Errorf("it is told %q, want %q", u.Message, want)
		}
	}
	worker.nothing()
}

// TestWaitingSaysItOnce: what can run nowhere is told of when that is found out, when its cause changes, and when it is over.
func TestWaitingSaysItOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var told []string
	w := &waiting{
		log:  slog.New(slog.NewTextHandler(&log, nil)),
		tell: func(appID, text string) { told = append(told, appID+" "+text) },
		said: map[waitKey]string{},
	}
	nowhere := func(app, cause string) web.Wait {
		return web.Wait{App: app, Cause: cause, Nowhere: true, Reason: cause}
	}
	for _, step := range []struct {
		now   []web.Wait
		lines int
		told  int
	}{
		{nil, 0, 0},
		{[]web.Wait{nowhere("a", "NO_RELEASE"), {App: "b", Cause: "WAITS_FOR_ROOM"}}, 1, 1},
		{[]web.Wait{nowhere("a", "NO_RELEASE"), {App: "b", Cause: "WAITS_FOR_ROOM"}}, 0, 0},
		{[]web.Wait{nowhere("a", "TOO_LARGE"), nowhere("b", "NO_WORKERS")}, 2, 2},
		{[]web.Wait{nowhere("b", "NO_WORKERS"), {Driver: "d", Needs: "9 cores", Cause: "TOO_LARGE", Nowhere: true}}, 2, 0}, // a is over; a driver has nobody to tell
		{[]web.Wait{nowhere("b", "NO_WORKERS"), {Driver: "e", Needs: "9 cores", Cause: "TOO_LARGE", Nowhere: true}}, 0, 0}, // another one with the same needs
		{nil, 2, 0},
		{nil, 0, 0},
	} {
		log.Reset()
		told = nil
		w.compare(web.Waiting{Waiting: step.now})
		if lines := strings.Count(log.String(), "\n"); lines != step.lines || len(told) != step.told {
			t.Errorf("%+v: %d lines, want %d; told %v, want %d\n%s", step.now, lines, step.lines, told, step.told, log.String())
		}
	}
}

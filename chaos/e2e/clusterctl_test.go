//go:build realspark

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/internal/delay"
)

// operator is clusterctl, in the hands of somebody who knows all masters.
type operator struct {
	*fixture
	path, masters string
}

func (f *fixture) operator() *operator {
	f.Helper()
	path, err := cluster.BuildControl(f.ctx, f.TempDir())
	f.must(err)
	var masters []string
	for _, m := range f.Masters {
		masters = append(masters, m.RPC())
	}
	return &operator{fixture: f, path: path, masters: strings.Join(masters, ",")}
}

func (o *operator) command(args ...string) *exec.Cmd {
	c := exec.CommandContext(o.ctx, o.path, args...)
	c.Env = append(os.Environ(), "CLUSTERCTL_ADDRESS="+o.masters)
	return c
}

// try runs it and gives what it printed and its exit code.
func (o *operator) try(args ...string) (out, said string, code int) {
	o.Helper()
	c := o.command(args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return stdout.String(), stderr.String(), exit.ExitCode()
	}
	o.must(err)
	return stdout.String(), stderr.String(), 0
}

// do runs it and wants this exit code.
func (o *operator) do(want int, args ...string) string {
	o.Helper()
	out, said, code := o.try(args...)
	if code != want {
		o.Fatalf("clusterctl %s ends with %d, want %d: %s%s", strings.Join(args, " "), code, want, out, said)
	}
	return out
}

// until repeats it until it prints a text: clusterctl looks at things as they are, and waits for drivers only.
func (o *operator) until(text string, args ...string) string {
	o.Helper()
	for {
		out, said, _ := o.try(args...)
		if strings.Contains(out, text) {
			return out
		}
		if !delay.For(o.ctx, 100*time.Millisecond) {
			o.Fatalf("clusterctl %s never printed %q: %s%s", strings.Join(args, " "), text, out, said)
		}
	}
}

// waiter is a Python program in cluster mode that has an application and waits for a file.
const waiter = `
import os, sys, time
from pyspark.sql import SparkSession
sc = SparkSession.builder.getOrCreate().sparkContext
print("READY", sc.applicationId, sc.parallelize(range(100), 2).sum(), flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.1)
print("SUM", sc.parallelize(range(100), 2).sum(), flush=True)
sc.stop()
`

// TestClusterctl: an operator's day with real processes. A Python driver is submitted and waited for; it is looked at and its
// output is read while a master is frozen, the leader is killed, and a snapshot is restored under it; its result is the exit
// code. A driver is killed, a worker is drained and taken back.
func TestClusterctl(t *testing.T) {
	f := begin(t)
	o, th := f.operator(), f.theatre()
	dir := f.Cluster.Run.Dir
	program, goes := filepath.Join(dir, "waiter.py"), filepath.Join(dir, "waiter-goes")
	f.must(os.WriteFile(program, []byte(waiter), 0o644))

	newest := suite.releases[len(suite.releases)-1].Version
	wait := o.command("driver", "submit", "--wait", "--spark-version", newest, "--name", "waiter", "--driver-memory", "512m", "--executor-memory", "512m",
		"--total-executor-cores", "1", "--conf", "spark.ui.enabled=false", program, goes)
	var result bytes.Buffer
	wait.Stdout, wait.Stderr = &result, &result
	f.must(wait.Start())
	ended := make(chan error, 1)
	go func() { ended <- wait.Wait() }()

	var drivers struct{ Drivers []struct{ ID, Worker string } }
	f.must(json.Unmarshal([]byte(o.until(`"id"`, "driver", "list", "-o", "json")), &drivers))
	id := drivers.Drivers[0].ID
	ready := strings.Fields(o.until("READY", "logs", id))
	app := ready[1]
	if ready[0] != "READY" || ready[2] != "4950" {
		t.Fatalf("the driver prints %q", ready)
	}
	if out := o.do(0, "app", "show", app); !strings.Contains(out, id) || !strings.Contains(out, "RUNNING") {
		t.Errorf("%s is not shown as the application of %s:\n%s", app, id, out)
	}
	if out := o.do(0, "logs", "--stderr", "--tail", "100000", app+"/0"); !strings.Contains(out, "xecutor") {
		t.Errorf("the executor's log is\n%s", out)
	}
	saved := filepath.Join(dir, "saved.snap")
	o.do(0, "snapshot", "save", saved)

	// A frozen master, asked first, costs a second or two.
	frozen := f.follower()
	f.must(frozen.Stop())
	for _, what := range [][]string{{"status"}, {"driver", "list"}, {"logs", id}} {
		began := time.Now()
		o.do(0, append(what, "--address", frozen.RPC()+","+o.masters)...)
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("%v took %v with a frozen master", what, took)
		} else {
			t.Logf("%v with a frozen master: %v", what, took.Round(time.Millisecond))
		}
	}
	f.must(frozen.Cont())

	// The leader dies, and comes back; then the state is restored. The driver goes on, and so does who waits for it.
	f.killLeader()
	o.until(id, "driver", "list")
	f.must(f.Start())
	_, err := f.WaitWhole(f.ctx)
	f.must(err)
	if out := o.do(0, "snapshot", "restore", "--yes", saved); !strings.Contains(out, "Ended     0 apps, 0 drivers") {
		t.Errorf("the restore:\n%s", out)
	}
	f.must(os.WriteFile(goes, nil, 0o644))
	select {
	case err := <-ended:
		if err != nil || !strings.Contains(result.String(), "FINISHED") {
			t.Errorf("driver submit --wait: %v\n%s", err, result.String())
		}
	case <-f.ctx.Done():
		t.Fatalf("driver submit --wait does not end:\n%s", o.do(0, "driver", "show", id))
	}
	if out := o.do(0, "logs", id); !strings.Contains(out, "SUM 4950") {
		t.Errorf("the log of the driver, which is over, is\n%s", out)
	}
	o.until("FINISHED", "app", "show", app)

	victim := th.submit(0, th.puppet("victim"))
	life := th.life("victim", 1)
	o.do(0, "driver", "kill", victim)
	o.do(11, "driver", "wait", victim)
	f.must(life.WaitOver(f.ctx))

	o.do(0, "worker", "drain", f.Workers[0].ID)
	o.until("DECOMMISSIONED", "worker", "list")
	o.do(0, "worker", "undrain", f.Workers[0].ID)
	if out := o.do(0, "worker", "list"); strings.Contains(out, "DECOMMISSIONED") {
		t.Errorf("after the drain:\n%s", out)
	}
	f.quiet()
}

// TestAllDisksLost: every master loses its disk under a running job. New masters, which are another cluster, are given the last
// snapshot. Until then the workers hold on to what they run; then the job goes on with the executors that it has.
func TestAllDisksLost(t *testing.T) {
	f := begin(t)
	o := f.operator()
	jobs := []*spark.Job{f.launch(suite.releases[len(suite.releases)-1], rounds())}
	f.atRound(jobs, nil)
	for range 4 { // the workers have obeyed a term that new masters do not begin with
		o.do(0, "masters", "transfer-leadership")
	}
	_, err := f.WaitWhole(f.ctx)
	f.must(err)
	id, err := jobs[0].AppID(f.ctx)
	f.must(err)
	saved := filepath.Join(f.Cluster.Run.Dir, "all.snap")
	o.do(0, "snapshot", "save", saved)
	for _, m := range f.Masters {
		f.must(m.Kill())
	}
	for _, m := range f.Masters {
		f.must(f.Wipe(m))
	}
	mark := marks(jobs)
	f.must(f.Start())
	f.leader()
	if out := o.do(0, "app", "list", "--all"); strings.Contains(out, id) {
		t.Errorf("the new cluster knows the application:\n%s", out)
	}
	if _, said, code := o.try("snapshot", "restore", "--yes", saved); code != 1 || !strings.Contains(said, "--foreign") {
		t.Errorf("a snapshot of another cluster: exit code %d, %s", code, said)
	}
	o.do(0, "snapshot", "restore", "--yes", "--foreign", saved)
	_, err = f.WaitWhole(f.ctx)
	f.must(err)
	f.atRound(jobs, mark)
	if out := o.do(0, "app", "show", id); strings.Count(out, "RUNNING") != 1+workers {
		t.Errorf("the application does not run as before:\n%s", out)
	}
	f.stop(jobs...)
	f.undisturbed(jobs[0], workers)
	f.quiet()
}

// follower gives a master that does not lead.
func (f *fixture) follower() *cluster.Master {
	f.Helper()
	l := f.leader()
	for _, m := range f.Masters {
		if m != l.Master {
			return m
		}
	}
	f.Fatal("no follower")
	return nil
}

//go:build realspark

package e2e

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

const termSignal = syscall.SIGTERM

// ownCluster is a cluster for one test.
func ownCluster(t *testing.T, ctx context.Context, c cluster.Config) (*proc.Run, *cluster.Cluster) {
	t.Helper()
	run, err := proc.NewRun(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c.Binary, c.Run, c.Homes = binary, run, releases
	cl, err := cluster.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := cl.Stop(end); err != nil && !t.Failed() {
			t.Log(err) // the JVM worker is not the cluster's own and is swept away
		}
	})
	if err := cl.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := cl.WaitWhole(ctx); err != nil {
		t.Fatal(err)
	}
	return run, cl
}

// startJVMWorker starts Spark's own Worker.
func startJVMWorker(t *testing.T, run *proc.Run, r spark.Release, url string) *proc.Process {
	t.Helper()
	env, err := spark.Environment(run.Dir)
	if err != nil {
		t.Fatal(err)
	}
	env = append(append(env, r.Env()...), "SPARK_NO_DAEMONIZE=1")
	p, err := run.Start(proc.Config{
		Name: "jvm-worker", Path: filepath.Join(r.Home, "bin", "spark-class"), Env: env,
		Args: []string{"org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "-c", "2", "-m", "2g", "-d", filepath.Join(run.Dir, "jvm-work"), url},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

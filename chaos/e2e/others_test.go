//go:build realspark

package e2e

import (
	"regexp"
	"syscall"
	"testing"

	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// TestDev: clusterd dev is a cluster with nothing to configure: its URL is printed, and a job runs on it.
func TestDev(t *testing.T) {
	f := begin(t)
	r := suite.releases[len(suite.releases)-1]
	env, err := spark.Environment(f.Cluster.Run.Dir)
	f.must(err)
	dev, err := f.Cluster.Run.Start(proc.Config{Name: "dev", Path: suite.binary, Env: env, Args: []string{"dev", "--spark-home", r.Home, "--memory", "2g"}})
	f.must(err)
	line, err := dev.WaitFor(f.ctx, regexp.MustCompile(`Spark URL:\s+(spark://\S+)`))
	f.must(err)
	j := f.launch(r, spark.JobConfig{Program: "pi", Python: true, Master: line.Match[1]})
	_, err = j.WaitResult(f.ctx)
	f.must(err)
	f.must(dev.Signal(syscall.SIGTERM))
	if code, err := dev.Wait(f.ctx); err != nil || code != 0 {
		t.Errorf("clusterd dev ended with code %d, %v", code, err)
	}
	f.quiet()
}

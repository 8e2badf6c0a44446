//go:build realspark

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

var (
	mapped = regexp.MustCompile(`^MAPPED (\d+)`)
	again  = regexp.MustCompile(`^AGAIN (\d+)`)
	// served: the worker says that its shuffle service answers.
	served = regexp.MustCompile(`shuffle service ready`)
)

func isShuffleService(i proc.Info) bool {
	return strings.Contains(i.Command, "org.apache.spark.deploy.ExternalShuffleService")
}

// isWork is what a worker has started, and what that has started.
func isWork(i proc.Info) bool {
	return cluster.IsExecutor(i) || isShuffleService(i) || strings.Contains(i.Command, "pyspark.daemon")
}

// TestShuffleService: with spark.shuffle.service.enabled the worker runs Spark's shuffle service. Under dynamic allocation
// both releases read a shuffle whose executors were killed, after the service itself was killed and started again. Then
// the worker is killed: nothing of all that outlives it, and the next worker removes what it left on the disk.
func TestShuffleService(t *testing.T) {
	ports, err := proc.Ports(1)
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(ports[0])
	s := newMasters(t, cluster.Config{Masters: 1, Workers: 1, Cores: 2, Homes: suite.releases, Properties: map[string]string{
		"spark.shuffle.service.enabled": "true", "spark.shuffle.service.port": port,
	}})
	s.must(s.Start())
	_, err = s.WaitWhole(s.ctx)
	s.must(err)
	var jobs []*spark.Job
	for _, r := range suite.releases {
		dir := filepath.Join(s.Cluster.Run.Dir, "maps-"+r.Version)
		jobs = append(jobs, s.launch(r, spark.JobConfig{Program: "served", Args: []string{dir}, Conf: map[string]string{
			"spark.shuffle.service.enabled": "true", "spark.shuffle.service.port": port, "spark.executor.cores": "1",
			"spark.dynamicAllocation.enabled": "true", "spark.dynamicAllocation.initialExecutors": "1", "spark.dynamicAllocation.maxExecutors": "1",
		}}))
	}
	for _, j := range jobs {
		s.await(j, mapped)
	}
	if n := s.kill(cluster.IsExecutor); n != len(jobs) {
		t.Errorf("%d executors were killed, not %d", n, len(jobs))
	}
	worker := s.Workers[0].Process()
	mark := worker.Mark()
	if n := s.kill(isShuffleService); n != 1 {
		t.Errorf("%d shuffle services were killed, not 1", n)
	}
	_, err = worker.WaitNext(s.ctx, mark, served)
	s.must(err)
	for _, j := range jobs {
		j.Tell("again")
	}
	for _, j := range jobs {
		s.await(j, again) // the job itself says if a map task ran twice
	}

	roots := func() []string {
		found, err := filepath.Glob(filepath.Join(s.Cluster.Run.Dir, "local", "spark-*"))
		s.must(err)
		return found
	}
	before := roots()
	s.must(s.Workers[0].Kill())
	s.must(s.Cluster.Run.WaitGone(s.ctx, isWork))
	s.must(s.Workers[0].Start())
	_, err = s.WaitWhole(s.ctx)
	s.must(err)
	for _, j := range jobs {
		j.Tell("stop")
	}
	for _, j := range jobs {
		line, err := j.WaitResult(s.ctx)
		s.must(err)
		t.Logf("%s: %s", j.Name, line.Text)
	}
	s.must(books.Poll(s.ctx, "the killed worker's scratch directories are gone", func(context.Context) error {
		for _, root := range before {
			if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s is there (%v)", root, err)
			}
		}
		return nil
	}))
}

// kill kills what matches by SIGKILL, and tells how many they were.
func (f *fixture) kill(match func(proc.Info) bool) int {
	f.Helper()
	all, err := f.Cluster.Run.Alive()
	f.must(err)
	n := 0
	for _, i := range all {
		if match(i) {
			f.must(syscall.Kill(i.PID, syscall.SIGKILL))
			n++
		}
	}
	return n
}

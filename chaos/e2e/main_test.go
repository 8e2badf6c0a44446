//go:build realspark

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/diskfault"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/puppet"
	"github.com/firesteel/firesteel/chaos/spark"
)

// suite is what the tests share.
var suite struct {
	binary   string
	releases []spark.Release
	cluster  *cluster.Cluster
	failed   bool // some test has failed: its logs are kept
}

const (
	workers        = 2
	coresPerWorker = 2
	// terminateTimeout is how long a driver is given to end when it is killed.
	terminateTimeout = 2 * time.Second
)

func TestMain(m *testing.M) {
	diskfault.ServeIfAsked()
	puppet.PlayIfAsked()
	// A process that is asked to end must take its cluster along; one that is killed is covered by proc (SIGTERM at our death).
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		if c := suite.cluster; c != nil {
			c.Run.Sweep()
		}
		os.Exit(130)
	}()
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	_ = stop // the process ends here
	os.Exit(code)
}

func runAll(m *testing.M) (int, error) {
	var err error
	if suite.releases, err = spark.Chosen(); err != nil {
		return 1, err
	}
	bin, err := os.MkdirTemp("", "firesteel-bin-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(bin)
	if suite.binary, err = cluster.Build(context.Background(), bin); err != nil {
		return 1, err
	}
	if err := freshCluster(context.Background()); err != nil {
		if suite.cluster != nil {
			suite.cluster.Run.Sweep()
		}
		return 1, err
	}
	code := m.Run()
	return code, endCluster(code != 0)
}

// freshCluster starts a new cluster and gives up the one before.
func freshCluster(ctx context.Context) error {
	if suite.cluster != nil {
		suite.cluster.Run.Sweep()
	}
	run, err := proc.NewRun("")
	if err != nil {
		return err
	}
	suite.cluster, err = cluster.New(cluster.Config{Binary: suite.binary, Run: run, Workers: workers, Cores: coresPerWorker, Homes: suite.releases,
		// One test after the other kills workers of this cluster; each wants to use them afterwards.
		Properties: map[string]string{
			"spark.firesteel.worker.damping.enabled": "false",
			"spark.worker.driverTerminateTimeout":    terminateTimeout.String(),
			"spark.deploy.retainedDrivers":           "2000",
		},
	})
	if err != nil {
		return err
	}
	if err := suite.cluster.Start(); err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	leader, err := suite.cluster.WaitWhole(ctx)
	if err != nil {
		return fmt.Errorf("start the cluster (logs in %s): %w", run.Dir, err)
	}
	fmt.Printf("e2e: 3 masters and %d workers in %v, leader %s, logs in %s\n", workers, time.Since(began).Round(time.Millisecond), leader.Master.ID, run.Dir)
	return nil
}

// endCluster stops the cluster in order; whatever does not end by itself, or is left over, is a failure like any other.
func endCluster(keep bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := suite.cluster
	if err := c.Stop(ctx); err != nil {
		return fmt.Errorf("end the cluster (logs in %s): %w", c.Run.Dir, err)
	}
	if keep || suite.failed || envBool("FIRESTEEL_KEEP") {
		fmt.Println("e2e: logs are kept in", c.Run.Dir)
		return nil
	}
	return os.RemoveAll(c.Run.Dir)
}

func envBool(name string) bool { v, _ := strconv.ParseBool(os.Getenv(name)); return v }

package bench

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/load"
	"github.com/firesteel/firesteel/chaos/original"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// Churn is one measurement of applications that come and go.
type Churn struct {
	Name string `json:"name"`
	load.Result
	MasterCPU time.Duration `json:"masterCPU"` // of all masters together, while it ran
}

// String is one line of the table.
func (c Churn) String() string {
	perApp := func(d time.Duration) float64 {
		if c.Apps == 0 {
			return 0
		}
		return float64(d.Microseconds()) / 1000 / float64(c.Apps)
	}
	return fmt.Sprintf("%-44s %7.0f apps/s  failed %d  CPU an app: masters %.2f ms, client %.2f ms", c.Name, c.Rate(), c.Failed, perApp(c.MasterCPU), perApp(c.ClientCPU))
}

// ChurnOurs measures three masters with fsync on.
func ChurnOurs(ctx context.Context, binary string, c load.Config) (Churn, error) {
	out := Churn{Name: fmt.Sprintf("Firesteel, three masters, %d workers", c.Workers)}
	run, err := proc.NewRun("")
	if err != nil {
		return out, err
	}
	defer run.Sweep()
	cl, err := cluster.New(cluster.Config{Binary: binary, Run: run})
	if err != nil {
		return out, err
	}
	if err := cl.Start(); err != nil {
		return out, err
	}
	if _, err := cl.WaitWhole(ctx); err != nil {
		return out, err
	}
	for _, m := range cl.Masters {
		c.Masters = append(c.Masters, m.Spark())
	}
	return measure(ctx, out, c, cl.Processes())
}

// ChurnOriginal measures Spark's own Master, which keeps nothing.
func ChurnOriginal(ctx context.Context, r spark.Release, c load.Config) (Churn, error) {
	out := Churn{Name: fmt.Sprintf("Spark %s, one master, nothing kept, %d workers", r.Version, c.Workers)}
	run, err := proc.NewRun("")
	if err != nil {
		return out, err
	}
	defer run.Sweep()
	cl, err := original.New(original.Config{Run: run, Release: r})
	if err != nil {
		return out, err
	}
	if err := cl.Start(); err != nil {
		return out, err
	}
	if err := cl.WaitWhole(ctx); err != nil {
		return out, err
	}
	c.Masters = []string{strings.TrimPrefix(cl.URL(), "spark://")}
	return measure(ctx, out, c, cl.Processes())
}

func measure(ctx context.Context, out Churn, c load.Config, masters []*proc.Process) (Churn, error) {
	var before time.Duration
	c.Began = func() { before = cpuOf(masters) }
	c.Ended = func() { out.MasterCPU = cpuOf(masters) - before }
	var err error
	if out.Result, err = load.Churn(ctx, c); err != nil {
		return out, fmt.Errorf("%s: %w", out.Name, err)
	}
	return out, nil
}

// ticksPerSecond is USER_HZ, which Linux fixes at 100 for what /proc shows.
const ticksPerSecond = 100

func cpuOf(processes []*proc.Process) time.Duration {
	var sum time.Duration
	for _, p := range processes {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/stat")
		if err != nil {
			continue
		}
		// Behind the name in parentheses: state is the first field, user and system time the 12th and 13th.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		for _, f := range fields[11:13] {
			n, err := strconv.Atoi(f)
			if err == nil {
				sum += time.Duration(n) * time.Second / ticksPerSecond
			}
		}
	}
	return sum
}

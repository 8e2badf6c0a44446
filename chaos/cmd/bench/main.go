// Command bench measures; scripts/bench sets the machine up for it and runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/chaos/bench"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/load"
	"github.com/firesteel/firesteel/chaos/spark"
)

func main() {
	cfg := config{}
	flag.IntVar(&cfg.kills, "kills", 50, "rounds of each fault of the leader; 0 leaves them out")
	flag.StringVar(&cfg.workers, "workers", "100", "simulated workers of the churn, several numbers by commas; empty leaves it out")
	flag.DurationVar(&cfg.measure, "measure", 15*time.Second, "how long each churn is measured")
	flag.BoolVar(&cfg.original, "original", true, "measure Spark's own Master beside ours")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := cfg.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

type config struct {
	kills    int
	workers  string
	measure  time.Duration
	original bool
	began    time.Time
}

func (c config) say(format string, args ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

func (c config) run(ctx context.Context) error {
	c.began = time.Now()
	dir, err := os.MkdirTemp("", "firesteel-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c.say("building clusterd")
	binary, err := cluster.Build(ctx, dir)
	if err != nil {
		return err
	}
	table, err := c.failovers(ctx, binary)
	if err != nil {
		return err
	}
	churns, err := c.churns(ctx, binary)
	if err != nil {
		return err
	}
	fmt.Println()
	for _, line := range append(table, churns...) {
		fmt.Println(line)
	}
	return nil
}

func (c config) failovers(ctx context.Context, binary string) (table []fmt.Stringer, err error) {
	for _, f := range []bench.Fault{bench.Kill, bench.Freeze, bench.Handover} {
		if c.kills == 0 {
			break
		}
		c.say("%s", f.Name)
		s, err := bench.Failover(ctx, binary, f, c.kills, c.say)
		if err != nil {
			return nil, err
		}
		table = append(table, s)
	}
	return table, nil
}

func (c config) churns(ctx context.Context, binary string) (table []fmt.Stringer, err error) {
	releases, err := spark.Default()
	if err != nil {
		return nil, err
	}
	for n := range strings.SplitSeq(c.workers, ",") {
		if n == "" {
			continue
		}
		workers, err := strconv.Atoi(n)
		if err != nil {
			return nil, fmt.Errorf("-workers %q: %w", c.workers, err)
		}
		churn := load.Config{Scala: "2.12", Workers: workers, InFlight: 64, Warm: c.measure / 2, Measure: c.measure}
		c.say("applications come and go, %d workers", workers)
		r, err := bench.ChurnOurs(ctx, binary, churn)
		if err != nil {
			return nil, err
		}
		c.say("  %s", r)
		table = append(table, r)
		if !c.original {
			continue
		}
		if r, err = bench.ChurnOriginal(ctx, releases[0], churn); err != nil {
			return nil, err
		}
		c.say("  %s", r)
		table = append(table, r)
	}
	return table, nil
}

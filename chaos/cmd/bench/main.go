// Command bench measures; scripts/bench sets the machine up for it and runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/chaos/bench"
	"github.com/firesteel/firesteel/chaos/cluster"
)

func main() {
	kills := flag.Int("kills", 50, "rounds of each fault of the leader")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kills); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, kills int) error {
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Printf("%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	dir, err := os.MkdirTemp("", "firesteel-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	say("building clusterd")
	binary, err := cluster.Build(ctx, dir)
	if err != nil {
		return err
	}
	var table []bench.Samples
	for _, f := range []bench.Fault{bench.Kill, bench.Freeze, bench.Handover} {
		say("%s", f.Name)
		s, err := bench.Failover(ctx, binary, f, kills, say)
		if err != nil {
			return err
		}
		table = append(table, s)
	}
	fmt.Println()
	for _, s := range table {
		fmt.Println(s)
	}
	return nil
}

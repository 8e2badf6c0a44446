// Command bench measures; scripts/bench sets the machine up for it and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/chaos/bench"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/spark"
)

func main() {
	cfg, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	// SIGHUP too: a run that is left alone goes on under nohup, and one whose terminal is closed takes its processes along.
	ctx, stop := signal.NotifyContext(context.Background(), signals()...)
	defer stop()
	if err := cfg.run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func signals() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// resultsDir is where reports go if nothing else is said; git ignores it.
const resultsDir = "bench-results"

type config struct {
	bench.Options
	rows []bench.Row
	json string
	keep bool
}

// parse reads the command line. -quick only changes the defaults, so every other flag wins over it.
func parse(args []string, usage io.Writer) (config, error) {
	c := config{Options: bench.Full()}
	for _, a := range args {
		if a == "-quick" || a == "--quick" || a == "-quick=true" || a == "--quick=true" {
			c.Options = bench.Quick()
		}
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(usage)
	f.Bool("quick", false, "few rounds and short ones: shows that all works; the figures say little")
	only := f.String("only", "", "only these `ROWS`, by commas, or all whose names begin so: "+strings.Join(bench.Names(bench.All()), ", "))
	f.StringVar(&c.json, "json", "", "write the report to `FILE` (default: a new one in "+resultsDir+")")
	f.BoolVar(&c.keep, "keep", false, "keep the logs of all rows, not only of those that failed")
	f.BoolVar(&c.Original, "original", c.Original, "measure Spark's own Master and Worker beside ours")
	f.IntVar(&c.Kills, "kills", c.Kills, "`ROUNDS` of each fault of a leader")
	f.IntVar(&c.Losses, "losses", c.Losses, "`ROUNDS` of each fault of a worker")
	f.IntVar(&c.Jobs, "jobs", c.Jobs, "small jobs, so many calm ones and so many at a kill")
	f.IntVar(&c.Originals, "originals", c.Originals, "`ROUNDS` of the original's failovers by ZooKeeper, up to a minute each")
	f.IntVar(&c.Passes, "passes", c.Passes, "schedule passes of each kind and size")
	f.DurationVar(&c.Measure, "measure", c.Measure, "how long each churn is measured, after as long a time to warm up")
	f.DurationVar(&c.Busy, "busy", c.Busy, "how long the cores are kept busy")
	f.DurationVar(&c.Settle, "settle", c.Settle, "how long processes idle before their memory is read")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("%w: %q is no flag", bench.ErrOptions, f.Arg(0))
	}
	if c.json == "" {
		c.json = filepath.Join(resultsDir, time.Now().UTC().Format("20060102-150405")+".json")
	}
	var err error
	if c.rows, err = bench.Select(bench.All(), *only); err != nil {
		return c, err
	}
	return c, c.Check()
}

func (c config) run(ctx context.Context, out io.Writer) error {
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(out, "%7.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	releases, err := spark.Default()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "firesteel-bench-")
	if err != nil {
		return fmt.Errorf("make a directory for the runs: %w", err)
	}
	// Whatever makes temporary files below us makes them there.
	if err := os.Setenv("TMPDIR", dir); err != nil {
		return fmt.Errorf("make a directory for the runs: %w", err)
	}
	say("building clusterd")
	binary, err := cluster.Build(ctx, dir)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	commit := commit(ctx)
	b := &bench.Bench{Options: c.Options, Binary: binary, Release: releases[0], Dir: dir, Keep: c.keep, Say: say}
	b.Each = func(r bench.Report) {
		r.Commit = commit
		if err := r.WriteFile(c.json); err != nil {
			say("%v", err)
		}
	}
	report, stopped := b.Run(ctx, c.rows)
	report.Commit = commit
	return errors.Join(stopped, c.finish(out, report, dir))
}

// finish prints and writes the report. The files of rows that failed stay.
func (c config) finish(out io.Writer, r bench.Report, dir string) error {
	err := errors.Join(r.Print(out), r.WriteFile(c.json))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "as JSON: %s\n", c.json)
	if n := r.Failed(); n > 0 {
		return fmt.Errorf("%d rows could not be measured; their logs are in %s", n, dir)
	}
	if c.keep {
		fmt.Fprintf(out, "logs: %s\n", dir)
		return nil
	}
	return os.RemoveAll(dir)
}

// commit names the source at hand; "" if git cannot tell.
func commit(ctx context.Context) string {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return ""
	}
	name := strings.TrimSpace(string(head))
	if changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(changed) > 0 {
		name += "+"
	}
	return name
}

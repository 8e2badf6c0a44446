// Command chaos does faults to a cluster of real processes and judges it; scripts/chaos sets the machine up for it and
// runs it. It ends with 0 for PASS, 1 for FAIL, 2 for a wrong command line.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/chaos/puppet"
	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/chaos/storm"
)

func main() {
	puppet.PlayIfAsked()
	cfg, err := configure(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	_, err = storm.Run(ctx, cfg)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func configure(args []string) (storm.Config, error) {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	seed := flags.Uint64("seed", 0, "decides over the faults; 0 draws one, which is printed")
	minutes := flags.Float64("minutes", 5, "how long faults are done")
	faults := flags.String("faults", "", fmt.Sprintf("kinds of faults, by commas; empty is all of %v", storm.Kinds()))
	network := flags.String("netns", string(storm.Auto), "give each process a network namespace, so that the network can be cut (root): auto, on, off")
	jobs := flags.Bool("jobs", true, "run real Spark jobs of two releases on real executors")
	rate := flags.Int("rate", 10, "simulated drivers each second")
	if err := flags.Parse(args); err != nil {
		return storm.Config{}, err
	}
	cfg := storm.Config{
		Out: os.Stdout, Seed: *seed, For: time.Duration(*minutes * float64(time.Minute)), Network: storm.Network(*network), Rate: *rate, Jobs: *jobs,
	}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64N(1e9) + 1
	}
	switch {
	case flags.NArg() > 0:
		return cfg, fmt.Errorf("an argument that is no option: %q", flags.Arg(0))
	case cfg.For <= 0 || cfg.Rate <= 0:
		return cfg, fmt.Errorf("--minutes %g and --rate %d must be above 0", *minutes, *rate)
	case cfg.Network != storm.Auto && cfg.Network != storm.On && cfg.Network != storm.Off:
		return cfg, fmt.Errorf("--netns %q: use auto, on or off", *network)
	}
	var err error
	if cfg.Faults, err = storm.ParseKinds(*faults); err != nil {
		return cfg, err
	}
	cfg.Releases, err = spark.Default()
	return cfg, err
}

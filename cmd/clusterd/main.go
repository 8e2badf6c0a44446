// Command clusterd is the server of a Firesteel cluster: a master, a worker, or a whole cluster in one process.
// It wires and parses flags; what it starts lives in packages master and worker.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/internal/priority"
	"github.com/urfave/cli/v2"
)

func main() {
	if err := priority.Raise(); err != nil {
		slog.Debug("running with the usual priority", "reason", err)
	}
	if err := serveProfiles(); err != nil {
		slog.Warn("no profiles", "error", err)
	}
	if err := newApp().RunContext(context.Background(), os.Args); err != nil {
		// One line a cause: errors.Join puts them on lines of their own.
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(os.Stderr, "clusterd: "+line)
		}
		os.Exit(exitCode(err))
	}
}

// Exit codes beside 0: 1 for what went wrong, 2 for a command line that cannot be used.
func exitCode(err error) int {
	if errors.Is(err, usage.Err) {
		return 2
	}
	return 1
}

func newApp() *cli.App {
	// -h is Spark's short form of --host.
	cli.HelpFlag = &cli.BoolFlag{Name: "help", Usage: "show help"}
	app := &cli.App{
		Name:  "clusterd",
		Usage: "a cluster manager for Apache Spark: three masters by Raft, workers that run unmodified executors",
		Description: "Unmodified Spark programs use it through spark://host:7077[,host:7077,...], as they use Spark's own\n" +
			"standalone Master. Settings come as Spark's Master and Worker take them: flags, the SPARK_* environment,\n" +
			"and spark.* keys of conf/spark-defaults.conf or --properties-file.",
		HideHelpCommand:        true,
		UseShortOptionHandling: false,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "log-level", Value: "info", Usage: "debug, info, warn or error", EnvVars: []string{"FIRESTEEL_LOG_LEVEL"}},
			&cli.StringFlag{Name: "log-format", Value: "text", Usage: "text or json", EnvVars: []string{"FIRESTEEL_LOG_FORMAT"}},
		},
		Before:         setUpLogging,
		Commands:       []*cli.Command{masterCommand(), workerCommand(), devCommand(), keygenCommand()},
		Action:         noCommand,
		OnUsageError:   usage.BadFlag,
		ExitErrHandler: func(*cli.Context, error) {},
	}
	for _, cmd := range app.Commands {
		cmd.OnUsageError = usage.BadFlag // it is not inherited
	}
	return app
}

// noCommand answers a command line without a command that we have.
func noCommand(c *cli.Context) error {
	if c.NArg() == 0 {
		return cli.ShowAppHelp(c)
	}
	return usage.Errorf(c, "there is no command %q", c.Args().First())
}

func setUpLogging(c *cli.Context) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return usage.Errorf(c, "--log-level %q: use debug, info, warn or error", c.String("log-level"))
	}
	opts := &slog.HandlerOptions{Level: level}
	switch c.String("log-format") {
	case "text":
		slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, opts)))
	case "json":
		slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, opts)))
	default:
		return usage.Errorf(c, "--log-format %q: use text or json", c.String("log-format"))
	}
	return nil
}

// stopSignals gives a context that ends at SIGTERM, SIGINT or SIGHUP, but for those that mean something else. A second
// signal ends the process at once.
func stopSignals(ctx context.Context, but ...syscall.Signal) (context.Context, context.CancelFunc) {
	var sigs []os.Signal
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if !slices.Contains(but, s) {
			sigs = append(sigs, s)
		}
	}
	ctx, stop := signal.NotifyContext(ctx, sigs...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// noArguments refuses what stands behind the flags.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage.Errorf(c, "%s takes no argument, and was given %q", c.Command.Name, c.Args().First())
	}
	return nil
}

// given is a flag's value as Spark's settings take it: nil where the flag was not given.
func given[T any](c *cli.Context, name string, get func(string) T) *T {
	if !c.IsSet(name) {
		return nil
	}
	v := get(name)
	return &v
}

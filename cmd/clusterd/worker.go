package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/internal/pages"
	"github.com/firesteel/firesteel/worker"
	"github.com/urfave/cli/v2"
)

func workerCommand() *cli.Command {
	return &cli.Command{
		Name:      "worker",
		Usage:     "run a worker",
		ArgsUsage: "spark://HOST:PORT[,HOST:PORT...]",
		Description: "It registers with the leader of the masters named, through any of them, and runs executors of every\n" +
			"Spark release whose home it is given. Executors go on while no master is there. They end with the worker.\n\n" +
			"SIGPWR (spark.worker.decommission.signal) drains it where spark.decommission.enabled is set: it takes no new\n" +
			"work, and the drivers of what runs let go of it. A restart ends that, unless it is with --drained.",
		HideHelpCommand: true,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "id", Usage: "`NAME` of this worker (default: worker-<time>-<host>-<port>, kept in --data-dir)"},
			&cli.StringFlag{Name: "data-dir", Usage: "`DIR` that keeps the worker's id over restarts"},
			&cli.StringFlag{Name: "host", Aliases: []string{"h"}, Usage: "`HOST` to advertise (SPARK_LOCAL_HOSTNAME; default: this machine's name)"},
			&cli.StringFlag{Name: "bind", Usage: "`ADDRESS` to listen on (default: the host)"},
			&cli.IntFlag{Name: "port", Aliases: []string{"p"}, Usage: "`PORT` that executors watch (SPARK_WORKER_PORT; default: any)"},
			&cli.IntFlag{Name: "webui-port", Usage: "web UI `PORT` (SPARK_WORKER_WEBUI_PORT; default 8081)"},
			&cli.IntFlag{Name: "cores", Aliases: []string{"c"}, Usage: "`CORES` to offer (SPARK_WORKER_CORES; default: all)"},
			&cli.StringFlag{Name: "memory", Aliases: []string{"m"}, Usage: "`MEMORY` to offer, as 8g or 512m (SPARK_WORKER_MEMORY; default: all but 1 GiB)"},
			&cli.StringFlag{Name: "work-dir", Aliases: []string{"d"}, Usage: "`DIR` of the executors' folders (SPARK_WORKER_DIR; default: $SPARK_HOME/work)"},
			&cli.StringFlag{Name: "spark-home", Usage: "Spark homes, `DIR[,DIR...]` (SPARK_HOME): distributions or folders of installed pyspark packages"},
			&cli.BoolFlag{Name: "drained", Usage: "begin drained: take no work until it is recommissioned (clusterctl worker undrain)"},
			&cli.StringFlag{Name: "properties-file", Usage: "spark.* settings from `FILE` (default: conf/spark-defaults.conf)"},
		}, gossipFlags()...),
		Action: runWorker,
	}
}

// startOver is when a worker has done what is only done once.
const startOver = 15 * time.Second

func runWorker(c *cli.Context) error {
	cfg, err := workerConfig(c)
	if err != nil {
		return err
	}
	draining := drainSignal(cfg.Spark)
	ctx, stop := stopSignals(c.Context, draining)
	defer stop()
	w, err := worker.Open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	drainOn(ctx, draining, cfg.Spark.DecommissionEnabled, w.Decommission)
	slog.Info("worker ready", "id", w.ID(), "port", w.Port(), "webui", w.WebUIPort())
	go func() {
		if err := pages.DropAfter(ctx, startOver); err != nil {
			slog.Debug("the pages of the start stay in memory", "error", err)
		}
	}()
	select {
	case <-ctx.Done():
		slog.Info("stopping", "id", w.ID())
	case err = <-w.Done():
	}
	if closing := w.Close(); err == nil {
		err = closing
	}
	return err
}

func workerConfig(c *cli.Context) (worker.Config, error) {
	if c.NArg() != 1 {
		return worker.Config{}, usage.Errorf(c, "give one master URL, spark://host:7077[,host:7077...], behind the flags; got %d arguments", c.NArg())
	}
	masters, err := worker.ParseMasterURL(c.Args().First())
	if err != nil {
		return worker.Config{}, usage.Errorf(c, "%s", err)
	}
	if err := checkProfile(c); err != nil {
		return worker.Config{}, err
	}
	env := config.OSEnv()
	spark, err := config.LoadWorker(config.WorkerFlags{
		Host: given(c, "host", c.String), Port: given(c, "port", c.Int), WebUIPort: given(c, "webui-port", c.Int),
		Cores: given(c, "cores", c.Int), Memory: given(c, "memory", c.String), WorkDir: given(c, "work-dir", c.String),
		PropertiesFile: c.String("properties-file"),
	}, env)
	if err != nil {
		return worker.Config{}, err
	}
	key, err := gossipKey(c)
	if err != nil {
		return worker.Config{}, err
	}
	homes := splitList(c.String("spark-home"))
	if len(homes) == 0 {
		homes = splitList(os.Getenv("SPARK_HOME"))
	}
	return worker.Config{
		ID: c.String("id"), Bind: c.String("bind"), Masters: masters, Homes: homes, DataDir: c.String("data-dir"), Drained: c.Bool("drained"), Spark: spark, Env: env,
		GossipKey: key, GossipProfile: c.String("profile"), Logger: slog.Default(),
	}, nil
}

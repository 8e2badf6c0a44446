package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/master"
	"github.com/firesteel/firesteel/worker"
	"github.com/urfave/cli/v2"
)

func devCommand() *cli.Command {
	return &cli.Command{
		Name:  "dev",
		Usage: "run a whole cluster in this process, with nothing to configure",
		Description: "Masters and workers on loopback. It prints the spark:// URL to use; pyspark --master <that URL> works at\n" +
			"once. The Spark homes are those of --spark-home, else SPARK_HOME, else that of the spark-submit in PATH, else\n" +
			"that of python3's pyspark package.",
		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "masters", Value: 3, Usage: "`NUMBER` of masters: 1, 3 or 5"},
			&cli.IntFlag{Name: "workers", Value: 2, Usage: "`NUMBER` of workers"},
			&cli.IntFlag{Name: "cores", Aliases: []string{"c"}, Usage: "`CORES` of each worker (default: all)"},
			&cli.StringFlag{Name: "memory", Aliases: []string{"m"}, Value: "4g", Usage: "`MEMORY` of each worker"},
			&cli.StringFlag{Name: "spark-home", Usage: "Spark homes, `DIR[,DIR...]`"},
			&cli.StringFlag{Name: "data-dir", Usage: "`DIR` for the cluster's data (default: a temporary one that is removed at the end)"},
			&cli.StringFlag{Name: "properties-file", Usage: "spark.* settings from `FILE`"},
		},
		Action: runDev,
	}
}

func runDev(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	n := c.Int("masters")
	if n < 1 || n%2 == 0 || c.Int("workers") < 0 {
		return usage.Errorf(c, "--masters %d --workers %d: an odd number of masters, and no negative number of workers", n, c.Int("workers"))
	}
	var homes []string
	if c.Int("workers") > 0 {
		var err error
		if homes, err = devHomes(c.Context, splitList(c.String("spark-home"))); err != nil {
			return err
		}
	}
	dir, remove, err := devDir(c.String("data-dir"))
	if err != nil {
		return err
	}
	defer remove()
	ctx, stop := stopSignals(c.Context)
	defer stop()
	d := &devCluster{c: c, dir: dir, homes: homes}
	return errors.Join(d.run(ctx), d.close())
}

// devCluster is a cluster in one process.
type devCluster struct {
	c       *cli.Context
	dir     string
	homes   []string
	masters []*master.Master
	workers []*worker.Worker
}

func (d *devCluster) run(ctx context.Context) error {
	gossip := make([]int, d.c.Int("masters"))
	for i := range gossip {
		port, err := freePort()
		if err != nil {
			return err
		}
		gossip[i] = port
	}
	var urls []string
	for i := range gossip {
		m, err := d.startMaster(ctx, i, gossip)
		if err != nil {
			return err
		}
		d.masters = append(d.masters, m)
		urls = append(urls, strings.TrimPrefix(m.URL(), "spark://"))
	}
	for i := range d.c.Int("workers") {
		w, err := d.startWorker(ctx, i, urls)
		if err != nil {
			return err
		}
		d.workers = append(d.workers, w)
	}
	if err := d.waitReady(ctx); err != nil {
		return err
	}
	fmt.Fprintf(d.c.App.Writer, "\n  Spark URL:  spark://%[1]s\n  JSON:       %[2]s/json/\n  try:        pyspark --master spark://%[1]s\n  stop:       Ctrl-C\n\n",
		strings.Join(urls, ","), d.masters[0].WebURL())
	<-ctx.Done()
	return nil
}

const devHost = "127.0.0.1"

func (d *devCluster) startMaster(ctx context.Context, i int, gossip []int) (*master.Master, error) {
	id, host, anyPort := "m"+strconv.Itoa(i+1), devHost, 0
	port, pages := usualOrAny(i, 7077), usualOrAny(i, 8080)
	spark, err := config.LoadMaster(config.MasterFlags{
		Host: &host, Port: &port, WebUIPort: &pages, RESTPort: &anyPort, PropertiesFile: d.c.String("properties-file"),
	}, config.OSEnv())
	if err != nil {
		return nil, err
	}
	var join []string
	for _, p := range gossip {
		join = append(join, net.JoinHostPort(devHost, strconv.Itoa(p)))
	}
	m, err := master.Open(ctx, master.Config{
		DiskReserve: -1, // three masters on one disk, for an hour
		ID:          id, DataDir: filepath.Join(d.dir, id), Spark: spark, GossipPort: gossip[i], BootstrapExpect: len(gossip), Join: join,
		Profile: "normal", Logger: slog.Default().With("master", id),
	})
	if err != nil {
		return nil, fmt.Errorf("start master %s: %w", id, err)
	}
	return m, nil
}

func (d *devCluster) startWorker(ctx context.Context, i int, masters []string) (*worker.Worker, error) {
	id := "worker-" + strconv.Itoa(i+1)
	host, anyPort, dir, memory := devHost, 0, filepath.Join(d.dir, id, "work"), d.c.String("memory")
	env := config.OSEnv()
	spark, err := config.LoadWorker(config.WorkerFlags{
		Host: &host, Port: &anyPort, WebUIPort: &anyPort, Cores: given(d.c, "cores", d.c.Int), Memory: &memory, WorkDir: &dir,
		PropertiesFile: d.c.String("properties-file"),
	}, env)
	if err != nil {
		return nil, err
	}
	w, err := worker.Open(ctx, worker.Config{
		ID: id, Masters: masters, Homes: d.homes, Spark: spark, Env: env, Logger: slog.Default().With("worker", id),
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", id, err)
	}
	return w, nil
}

const devStartTime = 30 * time.Second

// waitReady returns when every master sees a leader and every worker, and the leader is at its duties.
func (d *devCluster) waitReady(ctx context.Context) error {
	start, cancel := context.WithTimeout(ctx, devStartTime)
	defer cancel()
	for _, m := range d.masters {
		if err := m.WaitWorkers(start, len(d.workers)); err != nil && ctx.Err() == nil {
			return fmt.Errorf("the cluster is not ready after %s: %w", devStartTime, err)
		}
	}
	for !d.led() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-start.Done():
			if ctx.Err() == nil {
				return fmt.Errorf("the cluster is not ready after %s: no master leads", devStartTime)
			}
			return nil // stopped by the user
		}
	}
	return nil
}

// led tells whether one of the masters leads and is at its duties.
func (d *devCluster) led() bool { return slices.ContainsFunc(d.masters, (*master.Master).Leading) }

func (d *devCluster) close() error {
	var errs []error
	for _, w := range d.workers {
		errs = append(errs, w.Close())
	}
	for _, m := range d.masters {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// Config of a demo.
type Config struct {
	Out  io.Writer
	Keep bool // leave the cluster up at the end
}

// limit bounds the whole demo on a slow machine.
const limit = 15 * time.Minute

type demo struct {
	printer
	cfg      Config
	run      *proc.Run
	cluster  *cluster.Cluster
	releases []spark.Release
	time     timeline
}

// Run shows the demo. An error means FAIL; whatever happened, nothing is left running, unless the cluster was to be kept.
func Run(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d := &demo{printer: printer{out: cfg.Out, began: time.Now()}, cfg: cfg}
	err := d.show(ctx)
	if d.run == nil {
		return err
	}
	if err == nil && cfg.Keep {
		d.printAddresses()
		return nil
	}
	err = errors.Join(err, d.end())
	if err != nil {
		return fmt.Errorf("%w\n  the logs are in %s", err, d.run.Dir)
	}
	return os.RemoveAll(d.run.Dir)
}

// show goes through the steps.
func (d *demo) show(ctx context.Context) error {
	for _, step := range []func(context.Context) error{d.start, d.jobs, d.failover, d.bringBack, d.clusterMode, d.bringBack} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) start(ctx context.Context) (err error) {
	if d.releases, err = spark.Default(); err != nil {
		return err
	}
	if d.run, err = proc.NewRun(""); err != nil {
		return err
	}
	d.say("building clusterd")
	var binary string
	err = d.during(ctx, "building", func(ctx context.Context) error { binary, err = cluster.Build(ctx, d.run.Dir); return err })
	if err != nil {
		return err
	}
	d.cluster, err = cluster.New(cluster.Config{Binary: binary, Run: d.run, Workers: 2, Homes: d.releases, Cores: 4, Outlive: d.cfg.Keep})
	if err != nil {
		return err
	}
	d.say("starting three masters and two workers, a process each")
	if err := d.cluster.Start(); err != nil {
		return err
	}
	return d.during(ctx, "waiting for the cluster", func(ctx context.Context) error {
		v, err := d.cluster.WaitWhole(ctx)
		if err == nil {
			d.say("the cluster is whole: %s leads in term %d; drivers use %s", v.Leader, v.Term, d.cluster.URL())
		}
		return err
	})
}

// jobs runs the small jobs of both releases, two at a time.
func (d *demo) jobs(ctx context.Context) error {
	for _, what := range []struct{ program, says string }{
		{"pi", "a shuffle and a SQL aggregate"}, {"udf", "a Python UDF"}, {"cached", "a cached RDD"},
	} {
		d.say("running %s, with both releases at once", what.says)
		err := d.during(ctx, what.says, func(ctx context.Context) error { return d.both(ctx, what.program) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) both(ctx context.Context, program string) error {
	var jobs []*spark.Job
	var errs []error
	for _, r := range d.releases {
		j, err := spark.Start(d.run, spark.JobConfig{Release: r, Program: program, Master: d.cluster.URL(), Conf: twoCores})
		if err != nil {
			return err
		}
		jobs = append(jobs, j)
	}
	for _, j := range jobs {
		line, err := j.WaitResult(ctx)
		if err == nil {
			d.say("  %s: %s", j.Release, strings.TrimPrefix(line.Text, "RESULT "))
		}
		errs = append(errs, err, j.Close())
	}
	return errors.Join(errs...)
}

var twoCores = map[string]string{"spark.cores.max": "2"}

// bringBack restarts the dead master and shows it back in the quorum.
func (d *demo) bringBack(ctx context.Context) error {
	d.say("restarting the dead master")
	if err := d.cluster.Start(); err != nil {
		return err
	}
	return d.during(ctx, "waiting for the whole quorum", func(ctx context.Context) error {
		v, err := d.cluster.WaitWhole(ctx)
		if err != nil {
			return err
		}
		var ids []string
		for _, m := range v.Masters {
			ids = append(ids, m.ID)
		}
		d.say("all of %s are in the quorum again; %s leads in term %d", strings.Join(ids, ", "), v.Leader, v.Term)
		return d.cluster.WaitQuiet(ctx)
	})
}

// end stops the cluster and looks for what it left behind.
func (d *demo) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer d.run.Sweep()
	if d.cluster == nil {
		return nil
	}
	d.say("ending the cluster")
	if err := d.cluster.Stop(ctx); err != nil {
		return err
	}
	d.say("the cluster has ended; no process is left")
	return nil
}

func (d *demo) printAddresses() {
	d.say("the cluster stays up")
	fmt.Fprintf(d.cfg.Out, "\n  Spark URL   %s\n", d.cluster.URL())
	var pids []string
	for _, m := range d.cluster.Masters {
		fmt.Fprintf(d.cfg.Out, "  %s          %s/json/  %s/v1/cluster\n", m.ID, m.Web(), m.Web())
		pids = append(pids, fmt.Sprint(m.Process().PID()))
	}
	for _, w := range d.cluster.Workers {
		fmt.Fprintf(d.cfg.Out, "  %s          %s/json/\n", w.ID, w.Web())
		pids = append(pids, fmt.Sprint(w.Process().PID()))
	}
	fmt.Fprintf(d.cfg.Out, "  files       %s\n  end it      kill %s\n\n", d.run.Dir, strings.Join(pids, " "))
}

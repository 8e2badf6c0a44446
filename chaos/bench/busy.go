package bench

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

const (
	spinners    = 4
	busyWorkers = 4
)

// What masters log of what must not happen here.
var (
	workerLost = regexp.MustCompile(`msg="worker lost"`)
	leading    = regexp.MustCompile(`msg=leading\b`)
)

// busyRow takes all there is of the cores and counts false alarms. They are counted in the masters' logs, which forget
// nothing; that the logs still say so is proved at the end by the death of a worker.
func busyRow(ctx context.Context, b *Bench) ([]Line, error) {
	var lost, changes int
	err := b.withCluster(ctx, cluster.Config{Workers: busyWorkers, Homes: []spark.Release{b.Release}}, func(c *cluster.Cluster) error {
		elected := logged(c, leading)
		if elected == 0 {
			return errors.New("no master has logged that it leads: the count of leader changes would mean nothing")
		}
		stop, err := spin(c.Run)
		if err != nil {
			return err
		}
		err = b.stayBusy(ctx)
		lost, changes = logged(c, workerLost), logged(c, leading)-elected
		stop()
		if err != nil {
			return err
		}
		return provesLoss(ctx, c, lost)
	})
	if err != nil {
		return nil, err
	}
	zero := func(subject, name string, n int) Line {
		return Line{Subject: subject, Goal: "0", Figure: fmt.Sprint(n), Runs: 1, Verdict: verdict(n == 0), Values: map[string]float64{name: float64(n)}}
	}
	what := fmt.Sprintf("%s, %d workers, %d spinning processes, %v: ", ours, busyWorkers, spinners, b.Busy)
	return []Line{zero(what+"workers declared dead", "lost", lost), zero(what+"leader changes", "changes", changes)}, nil
}

func spin(run *proc.Run) (stop func(), err error) {
	var all []*proc.Process
	stop = func() {
		for _, p := range all {
			_ = p.Signal(9) // the run is swept in any case
		}
	}
	for range spinners {
		p, err := run.Start(proc.Config{Name: "spinner", Path: "/bin/sh", Args: []string{"-c", "while :; do :; done"}})
		if err != nil {
			stop()
			return nil, err
		}
		all = append(all, p)
	}
	return stop, nil
}

func (b *Bench) stayBusy(ctx context.Context) error {
	const step = time.Minute
	for left := b.Busy; left > 0; left -= step {
		if err := sleep(ctx, min(left, step)); err != nil {
			return err
		}
		if left > step {
			b.Say("    busy for another %v", left-step)
		}
	}
	return nil
}

// logged counts the lines of all masters.
func logged(c *cluster.Cluster, re *regexp.Regexp) int {
	n := 0
	for _, m := range c.Masters {
		if p := m.Process(); p != nil {
			n += len(p.Find(re))
		}
	}
	return n
}

// provesLoss kills a worker and sees that the masters' logs tell.
func provesLoss(ctx context.Context, c *cluster.Cluster, before int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := c.Workers[0].Kill(); err != nil {
		return err
	}
	return books.Poll(ctx, "a master's log to tell of a lost worker", func(context.Context) error {
		if logged(c, workerLost) <= before {
			return errors.New("it does not")
		}
		return nil
	})
}

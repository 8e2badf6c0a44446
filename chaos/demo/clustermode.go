package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/submit"
)

// clusterMode submits a driver of each release to a follower, kills the leader while they run, and sees them end well.
func (d *demo) clusterMode(ctx context.Context) error {
	v, err := d.cluster.WaitLeader(ctx, 0)
	if err != nil {
		return err
	}
	var bases []string
	for _, m := range d.cluster.Masters {
		bases = append(bases, m.REST())
	}
	follower := 0
	for i, m := range d.cluster.Masters {
		if m != v.Master {
			follower = i
		}
	}
	d.say("submitting a driver of each release in cluster mode, by REST, to %s, which is a follower", d.cluster.Masters[follower].ID)
	var ids []string
	for _, r := range d.releases {
		jobs := filepath.Join(d.run.Dir, "jobs") // the failover has put them there
		id, _, err := submit.Surely(ctx, bases, follower, submit.Driver{
			Version: r.Version, Resource: "file:" + filepath.Join(jobs, "rounds.py"), Args: []string{"8"}, Environment: map[string]string{"PYTHONPATH": jobs},
			Properties: map[string]string{"spark.app.name": "cluster-mode-" + r.Version, "spark.cores.max": "1", "spark.driver.memory": "512m", "spark.executor.memory": "512m"},
		}, "demo-"+r.Version)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	return d.during(ctx, "waiting for the drivers", func(ctx context.Context) error { return d.seeDrivers(ctx, v.Master.Kill, v.Leader, bases, ids) })
}

func (d *demo) seeDrivers(ctx context.Context, killLeader func() error, leader string, bases, ids []string) error {
	for _, id := range ids {
		if _, err := submit.WaitStatus(ctx, bases, id, submit.Is("RUNNING")); err != nil {
			return err
		}
	}
	if err := d.waitRound(ctx, ids); err != nil {
		return err
	}
	d.say("%s run; killing the leader, %s", strings.Join(ids, " and "), leader)
	if err := killLeader(); err != nil {
		return err
	}
	for i, id := range ids {
		a, err := submit.WaitStatus(ctx, bases, id, submit.Is("FINISHED", "FAILED", "KILLED", "ERROR"))
		if err != nil {
			return err
		}
		if a.DriverState != "FINISHED" {
			return fmt.Errorf("driver %s ended %s: %s", id, a.DriverState, a.Message)
		}
		text, err := d.stdout(id)
		if err != nil {
			return err
		}
		lines := strings.Split(strings.TrimSpace(text), "\n")
		result := lines[len(lines)-1]
		if !strings.HasPrefix(result, "RESULT ok") {
			return fmt.Errorf("driver %s printed %q", id, result)
		}
		d.say("  %s of %s: %s", id, d.releases[i], result)
	}
	return nil
}

// waitRound waits until every driver has done something.
func (d *demo) waitRound(ctx context.Context, ids []string) error {
	for _, id := range ids {
		err := books.Poll(ctx, "the first round of "+id, func(context.Context) error {
			if text, err := d.stdout(id); err != nil || !strings.Contains(text, "ROUND") {
				return errors.Join(errors.New("no round yet"), err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stdout is what a driver has printed, on whichever worker it is.
func (d *demo) stdout(id string) (string, error) {
	found, err := filepath.Glob(filepath.Join(d.run.Dir, "work", "*", id, "stdout"))
	if err != nil || len(found) != 1 {
		return "", errors.Join(fmt.Errorf("%d files named stdout of %s", len(found), id), err)
	}
	text, err := os.ReadFile(found[0])
	return string(text), err
}

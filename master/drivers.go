package master

import (
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/internal/lease"
)

// This file ends runs of drivers that end through no doing of their own, and waits until it is safe to begin another.

// loseRun commits that a run of a driver is over, or was never begun.
func (d *duties) loseRun(runID, workerID, reason string) error {
	_, err := proposeHere[none](d.ctx, d.m, &fsm.LoseDriver{ID: runID, WorkerID: workerID, Reason: reason, At: now(), Retained: d.m.cfg.Spark.RetainedDrivers})
	return err
}

func (d *duties) giveUpRuns(workerID string, line workerLine, runs []string) {
	for _, run := range runs {
		d.log.Info("it is not known whether a driver was started: giving it up", "worker", workerID, "driver", run)
		line.killDriver(run)
		d.insist(func() error {
			return d.loseRun(run, workerID, "the master changed while it was launched, and its worker does not run it")
		})
	}
}

// hold waits until the last run of a driver must be over, if it is held.
func (d *duties) hold(drv *fsm.Driver) {
	if drv.HoldMS == 0 {
		return
	}
	run, hold, wait := drv.RunID, drv.Holds, lease.Hold(time.Duration(drv.HoldMS)*time.Millisecond)
	d.log.Warn("a supervised driver's worker is lost without a trace: it is not launched again before its last run must be over", "driver", drv.ID, "run", run, "worker", drv.WorkerID, "wait", wait)
	d.spawn(func() {
		if !delay.For(d.ctx, wait) {
			return
		}
		d.insist(func() error {
			_, err := proposeHere[none](d.ctx, d.m, &fsm.ReleaseDriver{ID: run, At: now(), Hold: hold})
			return err
		})
	})
}

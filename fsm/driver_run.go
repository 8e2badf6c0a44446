package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// A driver has a run for each worker that it is given to. This file says when a run begins and when it is over, so that
// never two of them are alive.

// keptRuns is how many run ids a driver is found by, besides its own.
const keptRuns = 100

func (d *Driver) hasRun(id string) bool { return d.ID == id || slices.Contains(d.Runs, id) }

func driverOnKey(d *Driver) []byte { return append(workerExecPrefix(d.WorkerID), seqKey(d.Seq)...) }

// placeDriver is Master.launchDriver. The first run is known by the driver's id; one after a loss has an id of its own, as
// the original's Master gives a driver that it launches again (Master.relaunchDriver).
func (t *txn) placeDriver(p DriverPlacement, at int64) bool {
	d, ok := t.drivers.Get([]byte(p.DriverID))
	if !ok || !d.Waits() || d.HoldMS > 0 {
		return false
	}
	w, ok := t.worker(p.WorkerID)
	if !ok || w.State != WorkerAlive || !w.Runs(d.Build) || w.CoresFree() < d.Cores || w.MemoryFreeMB() < d.MemoryMB {
		return false
	}
	res, ok := pick(w, d.Needs)
	if !ok {
		return false
	}
	d = editDriver(d)
	if d.Attempt++; d.Attempt > 1 {
		t.nameRun(d)
	}
	d.Resources, d.Started = res, at
	t.putOn(d, w)
	t.emit(Event{Kind: DriverPlaced, Driver: d})
	return true
}

// nameRun gives a copy of a driver the id of a further run: the number in its own id is replaced by the next one.
func (t *txn) nameRun(d *Driver) {
	d.RunID = t.nextDriverID(d.idParts())
	d.Runs = append(slices.Clone(d.Runs), d.RunID)
	if len(d.Runs) > keptRuns {
		t.driverRuns.Delete([]byte(d.Runs[0]))
		d.Runs = d.Runs[1:]
	}
	t.driverRuns.Insert([]byte(d.RunID), d.ID)
}

// idParts takes an id apart at its last number.
func (d *Driver) idParts() IDParts {
	end := strings.LastIndexAny(d.ID, "0123456789") + 1
	begin := end
	for begin > 0 && d.ID[begin-1] >= '0' && d.ID[begin-1] <= '9' {
		begin--
	}
	if begin == end {
		return IDParts{Prefix: d.ID + "-"}
	}
	return IDParts{Prefix: d.ID[:begin], Width: end - begin, Suffix: d.ID[end:]}
}

// putOn makes a copy of a waiting driver run on a worker.
func (t *txn) putOn(d *Driver, w *Worker) {
	t.reserve(w, d.Cores, d.MemoryMB, d.Resources)
	d.State, d.WorkerID, d.WorkerAddr, d.HoldMS, d.HeldLife = DriverRunning, w.ID, string(addressKey(w.Host, w.Port)), 0, ""
	t.dequeue(d.Seq)
	t.drivers.Insert([]byte(d.ID), d)
	t.driversOn.Insert(driverOnKey(d), d)
}

func (t *txn) unplaceDriver(d *Driver) {
	if d.State != DriverRunning {
		return
	}
	t.driversOn.Delete(driverOnKey(d))
	t.release(d.WorkerID, d.Cores, d.MemoryMB, d.Resources)
}

// loseDriver ends a run through no doing of the driver's (Master.removeWorker): a supervised one waits for a worker
// again, any other ends in ERROR. One whose end was asked for has found it. holdMS is how long its run may be alive.
func (t *txn) loseDriver(d *Driver, reason string, holdMS, at int64, retained int) {
	switch {
	case d.KillAsked:
		t.endDriver(d, DriverKilled, "", at, retained)
		return
	case !d.Supervise:
		t.endDriver(d, DriverError, reason, at, retained)
		return
	}
	t.unplaceDriver(d)
	d = editDriver(d)
	d.State = DriverRelaunching
	if w, ok := t.worker(d.WorkerID); ok && holdMS > 0 {
		d.HoldMS, d.HeldLife = holdMS, w.Incarnation
		d.Holds++
	}
	t.await(d, reason, at)
}

// await files a copy of a driver among those that wait. What the run has begun ends when the run is known to be over.
func (t *txn) await(d *Driver, reason string, at int64) {
	if d.HoldMS == 0 {
		d.Resources, d.WorkerID, d.WorkerAddr = nil, "", ""
		t.endAppsOf(d, AppFailed, fmt.Sprintf("run %s of its driver is over: %s", d.RunID, reason), at)
	}
	t.drivers.Insert([]byte(d.ID), d)
	t.enqueue(d)
	t.emit(Event{Kind: DriverChanged, Driver: d})
}

func (t *txn) driverLost(c *LoseDriver) (any, *Refusal) {
	d, ok := t.run(c.ID, c.WorkerID)
	switch {
	case ok && d.State == DriverRunning:
		t.loseDriver(d, c.Reason, 0, c.At, c.Retained)
	case ok && d.HoldMS > 0:
		t.unhold(d, c.Reason, c.At)
	default:
		return nil, &Refusal{CodeUnknownDriver, fmt.Sprintf("%s is not the present run of a live driver", c.ID)}
	}
	return nil, nil
}

func (t *txn) releaseDriver(c *ReleaseDriver) (any, *Refusal) {
	d, ok := t.run(c.ID, "")
	if !ok || d.HoldMS == 0 || d.Holds != c.Hold {
		return nil, &Refusal{CodeUnknownDriver, fmt.Sprintf("run %s is not held, or not for the %d. time", c.ID, c.Hold)}
	}
	t.unhold(d, "its worker was not heard of for its lease", c.At)
	return nil, nil
}

// unhold lets a held driver be placed: its last run is over.
func (t *txn) unhold(d *Driver, reason string, at int64) {
	d = editDriver(d)
	d.HoldMS, d.HeldLife = 0, ""
	t.await(d, reason, at)
}

// releasePast lets drivers be placed that are held for an earlier life of a worker: that process is gone.
func (t *txn) releasePast(w *Worker, at int64) {
	for _, d := range list(&t.heldDrivers, workerExecPrefix(w.ID)) {
		if d.HeldLife != w.Incarnation {
			t.unhold(d, "the process of worker "+w.ID+" that ran it is gone", at)
		}
	}
}

// HoldsDrivers tells whether drivers are held because some life of a worker may run them.
func (s *State) HoldsDrivers(workerID string) bool {
	it := s.heldDrivers.Root().Iterator()
	it.SeekPrefix(workerExecPrefix(workerID))
	_, _, held := it.Next()
	return held
}

// reportDrivers compares the drivers that a worker says it runs with those that it should run. A driver that is held for
// this life of the worker is taken back, or released where the worker runs it no more.
func (t *txn) reportDrivers(w *Worker, listed []string, at int64) (kill []string) {
	for _, id := range listed {
		d, ok := t.run(id, w.ID)
		if !ok || d.KillAsked || d.Waits() && !t.takeBack(d) {
			kill = append(kill, id)
		}
	}
	for _, d := range list(&t.heldDrivers, workerExecPrefix(w.ID)) {
		if d.HeldLife == w.Incarnation && !slices.Contains(listed, d.RunID) {
			t.unhold(d, "worker "+w.ID+" does not run it", at)
		}
	}
	return kill
}

// takeBack lets a held driver go on where it is, if the worker has room for it as before.
func (t *txn) takeBack(d *Driver) bool {
	w, ok := t.worker(d.WorkerID)
	if !ok || d.HoldMS == 0 || d.HeldLife != w.Incarnation || w.CoresFree() < d.Cores || w.MemoryFreeMB() < d.MemoryMB || !w.hasFree(d.Resources) {
		return false
	}
	d = editDriver(d)
	t.putOn(d, w)
	t.emit(Event{Kind: DriverChanged, Driver: d})
	return true
}

// hasFree tells whether a worker has these very addresses, and nothing uses them.
func (w *Worker) hasFree(res map[string][]string) bool {
	for name, addrs := range res {
		for _, a := range addrs {
			if !slices.Contains(w.Resources[name], a) || slices.Contains(w.ResourcesUsed[name], a) {
				return false
			}
		}
	}
	return true
}

package fsm

import "fmt"

func (t *txn) submitDriver(c *SubmitDriver) (any, *Refusal) {
	in := c.Driver
	t.forgetKeys(in.Submitted)
	if id, ok := t.submittedAs(c.Key); ok {
		return DriverSubmittedResult{DriverID: id, Duplicate: true}, nil
	}
	if len(c.Key) > MaxDriverKey {
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("an idempotency key of %d bytes, of which at most %d are taken", len(c.Key), MaxDriverKey)}
	}
	if in.Cores <= 0 || in.MemoryMB <= 0 {
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("a driver with %d cores and %d MiB: both must be positive", in.Cores, in.MemoryMB)}
	}
	if err := checkNeeds(in.Needs); err != nil {
		return nil, &Refusal{CodeInvalid, "a driver " + err.Error()}
	}
	t.c.DriverSeq++
	d := &Driver{
		Seq: t.c.DriverSeq, Cores: in.Cores, MemoryMB: in.MemoryMB, Supervise: in.Supervise, Needs: in.Needs, MainClass: in.MainClass,
		Description: in.Description, Build: intern(in.Build), Submitted: in.Submitted, State: DriverSubmitted,
	}
	d.ID = t.nextDriverID(c.ID)
	d.RunID = d.ID
	t.keepKey(c.Key, d.ID, in.Submitted+c.KeepMS)
	t.drivers.Insert([]byte(d.ID), d)
	t.enqueue(d)
	t.emit(Event{Kind: DriverChanged, Driver: d})
	return DriverSubmittedResult{DriverID: d.ID}, nil
}

func (t *txn) nextDriverID(p IDParts) string {
	for {
		id := p.with(t.c.DriverNum)
		t.c.DriverNum++
		_, taken := t.drivers.Get([]byte(id))
		_, run := t.driverRuns.Get([]byte(id))
		if !taken && !run {
			return id
		}
	}
}

// driver finds a live driver by its id or that of any of its runs.
func (t *txn) driver(id string) (*Driver, bool) {
	if d, ok := t.drivers.Get([]byte(id)); ok {
		return d, true
	}
	id, ok := t.driverRuns.Get([]byte(id))
	if !ok {
		return nil, false
	}
	return t.drivers.Get([]byte(id))
}

// run finds the live driver of which this is the present or last run, at this worker unless that is not known.
func (t *txn) run(runID, workerID string) (*Driver, bool) {
	d, ok := t.driver(runID)
	if !ok || d.RunID != runID || workerID != "" && d.WorkerID != workerID {
		return nil, false
	}
	return d, true
}

// killDriver is Master.receiveAndReply(RequestKillDriver). One whose run may be alive on a worker that was given up ends
// at once, too: that worker ends the run by itself.
func (t *txn) killDriver(c *KillDriver) (any, *Refusal) {
	d, ok := t.driver(c.ID)
	if !ok {
		return nil, &Refusal{CodeUnknownDriver, fmt.Sprintf("driver %s has already finished or does not exist", c.ID)}
	}
	if d.Waits() {
		t.endDriver(d, DriverKilled, "", c.At, c.Retained)
		return DriverKillResult{WasWaiting: true}, nil
	}
	if !d.KillAsked {
		d = editDriver(d)
		d.KillAsked = true
		t.drivers.Insert([]byte(d.ID), d)
		t.driversOn.Insert(driverOnKey(d), d)
	}
	t.emit(Event{Kind: DriverDismissed, Driver: d})
	return DriverKillResult{}, nil
}

func (t *txn) driverStateChanged(c *DriverStateChanged) (any, *Refusal) {
	if !c.State.Ends() {
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("received unexpected state update for driver %s: %s", c.ID, c.State)}
	}
	d, ok := t.run(c.ID, c.WorkerID)
	if !ok || d.State != DriverRunning && d.HoldMS == 0 {
		return nil, &Refusal{CodeUnknownDriver, fmt.Sprintf("driver %s is not live, or this is not its present run", c.ID)}
	}
	t.endDriver(d, c.State, c.Exception, c.At, c.Retained)
	return nil, nil
}

// endDriver is Master.removeDriver. Its applications end with it.
func (t *txn) endDriver(d *Driver, s DriverState, exception string, at int64, retained int) {
	t.unplaceDriver(d)
	t.dequeue(d.Seq)
	t.drivers.Delete([]byte(d.ID))
	for _, run := range d.Runs {
		t.driverRuns.Delete([]byte(run))
	}
	t.endAppsOf(d, appStateOf[s], fmt.Sprintf("its driver %s ended: %s", d.RunID, s), at)
	d = editDriver(d)
	d.State, d.Exception, d.Ended, d.Resources, d.HoldMS, d.HeldLife = s, clip(exception), at, nil, 0, ""
	t.keepDriver(d, retained)
	t.emit(Event{Kind: DriverChanged, Driver: d})
}

// appStateOf is how an application ends that its driver has left behind.
var appStateOf = map[DriverState]AppState{DriverFinished: AppFinished, DriverKilled: AppKilled, DriverFailed: AppFailed, DriverError: AppFailed}

func (t *txn) endAppsOf(d *Driver, s AppState, message string, at int64) {
	for _, seq := range list(&t.driverApps, driverAppPrefix(d.ID)) {
		if a, ok := t.apps.Get(seqKey(seq)); ok {
			t.endApp(vanished(a), s, message, at, keepAll)
		}
	}
}

// checkStarter finds the driver by which an application says it was started, by the id of its run. Of a run that is over
// no application is taken: at most one run of a driver counts.
func (t *txn) checkStarter(runID string) (driverID string, refusal *Refusal) {
	if runID == "" {
		return "", nil
	}
	d, ok := t.driver(runID)
	if ok && d.RunID == runID && (d.State == DriverRunning || d.HoldMS > 0) {
		return d.ID, nil
	}
	if !ok && !t.completedRun(runID) {
		return "", nil // no driver of this cluster
	}
	return "", &Refusal{CodeInvalid, fmt.Sprintf("run %s of its driver is over", runID)}
}

func (t *txn) indexStarter(a *App) {
	if a.DriverID != "" {
		t.driverApps.Insert(driverAppKey(a), a.Seq)
	}
}

func (t *txn) completedRun(runID string) bool {
	for _, d := range list(&t.completedDrivers, nil) {
		if d.hasRun(runID) {
			return true
		}
	}
	return false
}

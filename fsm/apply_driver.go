package fsm

import "fmt"

func driverOnKey(d *Driver) []byte { return append(workerExecPrefix(d.WorkerID), seqKey(d.Seq)...) }

func (t *txn) submitDriver(c *SubmitDriver) (any, *Refusal) {
	in := c.Driver
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
	for d.ID == "" {
		id := c.ID.with(t.c.DriverNum)
		t.c.DriverNum++
		if _, taken := t.drivers.Get([]byte(id)); !taken {
			d.ID = id
		}
	}
	t.drivers.Insert([]byte(d.ID), d)
	t.waitingDrivers.Insert(seqKey(d.Seq), d)
	t.emit(Event{Kind: DriverChanged, Driver: d})
	return DriverSubmittedResult{DriverID: d.ID}, nil
}

// killDriver is Master.receiveAndReply(RequestKillDriver).
func (t *txn) killDriver(c *KillDriver) (any, *Refusal) {
	d, ok := t.drivers.Get([]byte(c.ID))
	if !ok {
		return nil, &Refusal{CodeUnknownDriver, fmt.Sprintf("driver %s has already finished or does not exist", c.ID)}
	}
	if d.State == DriverSubmitted {
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
	d, ok := t.drivers.Get([]byte(c.ID))
	if !ok {
		return nil, &Refusal{CodeUnknownDriver, fmt.Sprintf("driver %s is not live", c.ID)}
	}
	t.endDriver(d, c.State, c.Exception, c.At, c.Retained)
	return nil, nil
}

// endDriver is Master.removeDriver.
func (t *txn) endDriver(d *Driver, s DriverState, exception string, at int64, retained int) {
	t.unplaceDriver(d)
	t.waitingDrivers.Delete(seqKey(d.Seq))
	t.drivers.Delete([]byte(d.ID))
	d = editDriver(d)
	d.State, d.Exception, d.Ended, d.Resources = s, clip(exception), at, nil
	t.keepDriver(d, retained)
	t.emit(Event{Kind: DriverChanged, Driver: d})
}

func (t *txn) unplaceDriver(d *Driver) {
	if d.WorkerID == "" {
		return
	}
	t.driversOn.Delete(driverOnKey(d))
	t.release(d.WorkerID, d.Cores, d.MemoryMB, d.Resources)
}

// loseDriver: a supervised driver of a lost worker waits for another one under its own id; any other ends in ERROR
// (Master.removeWorker, which gives the relaunched one a new id instead). One whose end was asked for has found it.
func (t *txn) loseDriver(d *Driver, at int64, retained int) {
	if d.KillAsked {
		t.endDriver(d, DriverKilled, "", at, retained)
		return
	}
	if !d.Supervise {
		t.endDriver(d, DriverError, "", at, retained)
		return
	}
	t.unplaceDriver(d)
	d = editDriver(d)
	d.State, d.WorkerID, d.Resources = DriverSubmitted, "", nil
	t.drivers.Insert([]byte(d.ID), d)
	t.waitingDrivers.Insert(seqKey(d.Seq), d)
	t.emit(Event{Kind: DriverChanged, Driver: d})
}

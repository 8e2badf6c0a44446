package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// registerWorker follows Master.receive(RegisterWorker): a known life of a worker is a duplicate, a taken address is
// refused, dead predecessors at the address leave the listing. Beyond it: the same id in a new life means that the old
// process is gone with all it ran, unless the leader says that it has not seen that (PastSilent).
func (t *txn) registerWorker(c *RegisterWorker) (any, *Refusal) {
	in := c.Worker
	if in.ID == "" || strings.ContainsRune(in.ID, 0) || in.Host == "" || in.Port <= 0 || in.Cores <= 0 || in.MemoryMB <= 0 {
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("worker %q at %s:%d with %d cores and %d MiB: id, host, port, cores and memory must be given", in.ID, in.Host, in.Port, in.Cores, in.MemoryMB)}
	}
	old, known := t.worker(in.ID)
	known = known && old.State != WorkerDead
	if known && old.Incarnation == in.Incarnation {
		if c.drains(old) {
			t.drain(old, in.Registered)
		}
		return WorkerRegistered{Duplicate: true}, nil
	}
	key := addressKey(in.Host, in.Port)
	holderID, taken := t.addresses.Get(key)
	taken = taken && holderID != in.ID
	if taken && !c.ReplaceAddress {
		return nil, &Refusal{CodeAddressTaken, fmt.Sprintf("Attempted to re-register worker at same address: %s:%d is held by worker %s", in.Host, in.Port, holderID)}
	}
	if known {
		hold := int64(0)
		if c.PastSilent {
			hold = old.DriverLeaseMS
		}
		t.loseWorker(old, in.Registered, "replaced by a new life of the same worker", hold, keepAll)
		t.countFlap(old.ID, in.Registered, c.Damping)
	}
	if holder, ok := t.worker(holderID); taken && ok {
		t.loseWorker(holder, in.Registered, "replaced by a new worker at the same address", 0, keepAll)
		t.countFlap(holder.ID, in.Registered, c.Damping)
	}
	var past Watch // of this id, or of a worker that had another id here: Spark's have a new one in each life
	if old, ok := t.worker(in.ID); ok {
		past = old.Watched()
	}
	if id, ok := t.dead.Get(key); ok {
		if w, ok := t.worker(id); ok {
			past = past.worse(w.Watched())
		}
		t.deleteWorker(id)
	}
	w := &Worker{
		ID: in.ID, Host: in.Host, Port: in.Port, Cores: in.Cores, MemoryMB: in.MemoryMB, WebUIURL: in.WebUIURL, Kind: in.Kind,
		Builds: sortedBuilds(in.Builds), Resources: distinct(in.Resources), Incarnation: in.Incarnation, Ref: in.Ref,
		Registered: in.Registered, State: WorkerAlive, Since: in.Registered, Watch: past.endSuspicion(), DriverLeaseMS: max(in.DriverLeaseMS, 0),
	}
	if c.comesDrained(old) {
		w.State = WorkerDecommissioned
	} else if old != nil && old.Incarnation == in.Incarnation {
		w.Undrained = old.Undrained
	}
	t.putWorker(w)
	if !c.PastSilent {
		t.releasePast(w, in.Registered)
	}
	t.addresses.Insert(key, w.ID)
	t.emit(Event{Kind: WorkerChanged, Worker: w, Registered: true})
	return WorkerRegistered{}, nil
}

func sortedBuilds(builds []string) []string {
	out := make([]string, len(builds))
	for i, b := range builds {
		out[i] = intern(b)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (t *txn) workerLost(c *WorkerLost) (any, *Refusal) {
	w, ok := t.worker(c.ID)
	if !ok || w.State == WorkerDead || c.Incarnation != "" && c.Incarnation != w.Incarnation {
		return nil, &Refusal{CodeUnknownWorker, fmt.Sprintf("worker %s is not registered in this life of it", c.ID)}
	}
	hold := int64(0)
	if c.Silent {
		hold = w.DriverLeaseMS
	}
	t.loseWorker(w, c.At, c.Reason, hold, c.Retained)
	t.countFlap(c.ID, c.At, c.Damping)
	return nil, nil
}

// loseWorker is Master.removeWorker. holdMS is how long what it runs may go on without it.
func (t *txn) loseWorker(w *Worker, at int64, reason string, holdMS int64, retainedDrivers int) {
	for _, e := range list(&t.onWorker, workerExecPrefix(w.ID)) {
		t.endExecutor(e, ExecutorLost, "worker lost: "+reason, nil, at, true)
	}
	for _, d := range list(&t.driversOn, workerExecPrefix(w.ID)) {
		t.loseDriver(d, "worker lost: "+reason, holdMS, at, retainedDrivers)
	}
	w, _ = t.worker(w.ID)
	w = editWorker(w)
	w.Drained = w.State == WorkerDecommissioned
	w.State, w.Since, w.Reason, w.Watch = WorkerDead, at, reason, w.Watched().endSuspicion()
	t.putWorker(w)
	t.addresses.Delete(addressKey(w.Host, w.Port))
	t.emit(Event{Kind: WorkerGone, Worker: w, Message: reason})
}

func (t *txn) workerReport(c *WorkerReport) (any, *Refusal) {
	w, ok := t.worker(c.ID)
	if !ok || w.State == WorkerDead || c.Incarnation != "" && c.Incarnation != w.Incarnation {
		return nil, &Refusal{CodeUnknownWorker, fmt.Sprintf("worker %s is not registered in this life of it", c.ID)}
	}
	listed := make(map[ExecutorKey]bool, len(c.Executors))
	var out WorkerReconciled
	for _, r := range c.Executors {
		key := ExecutorKey{r.AppID, r.ID}
		listed[key] = true
		e, ok := t.executorOn(w.ID, r.AppID, r.ID)
		switch {
		case !ok:
			out.Kill = append(out.Kill, key)
		case e.State == ExecutorLaunching && r.State == ExecutorRunning:
			t.runExecutor(e, c.At)
		}
	}
	for _, e := range list(&t.onWorker, workerExecPrefix(w.ID)) {
		// A LAUNCHING one that is not listed has not been started yet: it will be sent.
		if e.State != ExecutorLaunching && !listed[ExecutorKey{e.AppID, e.ID}] {
			t.endExecutor(e, ExecutorLost, fmt.Sprintf("worker %s does not run it", w.ID), nil, c.At, false)
		}
	}
	out.KillDrivers = t.reportDrivers(w, c.Drivers, c.At)
	return out, nil
}

// executorOn finds a live executor of an application, on this worker.
func (t *txn) executorOn(workerID, appID string, id int) (*Executor, bool) {
	a, ok := t.app(appID)
	if !ok {
		return nil, false
	}
	e, ok := t.execs.Get(execKey(a.Seq, id))
	if !ok || e.State.Finished() || e.WorkerID != workerID {
		return nil, false
	}
	return e, true
}

func (t *txn) pruneWorkers(c *PruneWorkers) (any, *Refusal) {
	for _, w := range list(&t.workers, nil) {
		if w.State == WorkerDead && w.Since < c.Before {
			t.deleteWorker(w.ID)
		}
	}
	return nil, nil
}

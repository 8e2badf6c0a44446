package fsm

import "fmt"

// restoring brings the state to that of a snapshot, as far as that is possible for a cluster that lives:
//
//   - What lives and is known to both goes on as it is now. The snapshot is older, and would be wrong about it.
//   - What lives and is not known to the snapshot ends as KILLED, unless it is to be kept; its driver is told, its
//     processes are ended as those of any application that is over.
//   - What has ended stays ended, with what is known of its end: nothing runs a second time.
//   - What lives in the snapshot and is not known now is added as it was then, where its worker has room for it. Whether its
//     processes are there is found out as after a failover.
//   - Who is done is remembered by both.
//
// The cluster's id, the masters and their settings, drained workers and the log's position are not the snapshot's business.
type restoring struct {
	*txn
	from *State
	c    *RestoreState
	out  StateRestored

	overApps, overDrivers map[string]bool // ids of those that are over, now
}

// executorIDGap is left in the executor ids of an application that comes back: it may have been given some since the
// snapshot, and a driver refuses an id that it has seen.
const executorIDGap = 1000

func (r *restoring) run() {
	if !r.c.Keep {
		r.endUnknown()
	}
	for _, c := range list(&r.txn.completedApps, nil) {
		r.overApps[c.App.ID] = true
	}
	for _, d := range list(&r.txn.completedDrivers, nil) {
		r.overDrivers[d.ID] = true
	}
	r.raiseCounters()
	for w := range r.from.Workers() {
		r.addWorker(w)
	}
	for d := range r.from.Drivers() {
		r.addDriver(d)
	}
	for a := range r.from.Apps() {
		r.addApp(a)
	}
	r.addCompleted()
	for k := range all(r.from.driverKeys) {
		if _, known := r.driverKeys.Get([]byte(k.Key)); !known {
			r.keepKey(k.Key, k.DriverID, k.Until)
		}
	}
}

// endUnknown ends what lives and is not in the snapshot, applications of such drivers included.
func (r *restoring) endUnknown() {
	known := map[string]bool{}
	for c := range r.from.CompletedApps() {
		known[c.App.ID] = true
	}
	for a := range r.from.Apps() {
		known[a.ID] = true
	}
	const why = "the cluster was restored from a snapshot that does not know it"
	for _, a := range list(&r.apps, nil) {
		if !known[a.ID] {
			r.endApp(a, AppKilled, why, r.c.At, keepAll)
			r.out.EndedApps++
		}
	}
	for _, d := range list(&r.drivers, nil) {
		if _, live := r.from.Driver(d.ID); live {
			continue
		}
		if _, over := r.from.CompletedDriver(d.ID); over {
			continue
		}
		d, _ = r.driver(d.ID)
		r.endDriver(d, DriverKilled, why, r.c.At, keepAll)
		r.out.EndedDrivers++
	}
}

// raiseCounters: no id is given twice, neither of those that were given since nor of the snapshot's.
func (r *restoring) raiseCounters() {
	r.txn.c.AppNumber = max(r.txn.c.AppNumber, r.from.c.AppNumber)
	r.txn.c.DriverNum = max(r.txn.c.DriverNum, r.from.c.DriverNum)
}

func (r *restoring) addWorker(w *Worker) {
	if w.State == WorkerDead {
		return
	}
	if _, known := r.worker(w.ID); known {
		return
	}
	key := addressKey(w.Host, w.Port)
	if _, taken := r.addresses.Get(key); taken {
		return
	}
	if id, ok := r.dead.Get(key); ok {
		r.deleteWorker(id)
	}
	w = editWorker(w)
	w.CoresUsed, w.MemoryUsedMB, w.ResourcesUsed, w.Watch = 0, 0, nil, nil
	r.putWorker(w)
	r.addresses.Insert(key, w.ID)
	r.out.Workers++
}

// hasRoom tells whether a worker is there for something that the snapshot has on it.
func (r *restoring) hasRoom(workerID string, cores, memoryMB int, res map[string][]string) (*Worker, bool) {
	w, ok := r.worker(workerID)
	ok = ok && w.State != WorkerDead && w.CoresFree() >= cores && w.MemoryFreeMB() >= memoryMB && w.hasFree(res)
	return w, ok
}

func (r *restoring) addDriver(d *Driver) {
	if _, live := r.driver(d.ID); live || r.overDrivers[d.ID] || r.runTaken(d) {
		return
	}
	d = editDriver(d)
	r.txn.c.DriverSeq++
	d.Seq = r.txn.c.DriverSeq
	for _, run := range d.Runs {
		r.driverRuns.Insert([]byte(run), d.ID)
	}
	r.out.Drivers++
	if d.Waits() {
		r.drivers.Insert([]byte(d.ID), d)
		r.enqueue(d)
		return
	}
	if w, ok := r.hasRoom(d.WorkerID, d.Cores, d.MemoryMB, d.Resources); ok {
		r.putOn(d, w)
		return
	}
	d.State = DriverRelaunching // it is at no worker, in either case
	r.drivers.Insert([]byte(d.ID), d)
	if why := "its worker is not there any more: restored from a snapshot"; d.Supervise && !d.KillAsked {
		r.await(d, why, r.c.At)
	} else {
		r.endDriver(d, DriverError, why, r.c.At, keepAll)
	}
}

// runTaken: one of its runs has the id of another driver, or of one of its runs.
func (r *restoring) runTaken(d *Driver) bool {
	for _, run := range d.Runs {
		if _, taken := r.driver(run); taken {
			return true
		}
	}
	return false
}

func (r *restoring) addApp(a *App) {
	if _, live := r.app(a.ID); live || r.overApps[a.ID] {
		return
	}
	old := a.Seq
	r.txn.c.AppSeq++
	a = editApp(a)
	a.Seq, a.NextExecID = r.txn.c.AppSeq, a.NextExecID+executorIDGap
	r.out.Apps++
	var executors []*Executor
	for e := range prefixed(r.from.execs, seqKey(old)) {
		e = editExecutor(e)
		e.AppSeq = a.Seq
		executors = append(executors, e)
	}
	for _, e := range executors {
		r.addExecutor(a, e)
	}
	key := addressKey(a.DriverHost, a.DriverPort)
	holder, taken := r.appDrv.Get(key)
	r.putApp(a)
	r.appIDs.Insert([]byte(a.ID), a.Seq)
	r.appDrv.Insert(key, a.Seq)
	r.indexStarter(a)
	_, starter := r.drivers.Get([]byte(a.DriverID))
	switch {
	case taken:
		r.endApp(a, AppFailed, "restored from a snapshot; another application has its driver's address by now", r.c.At, keepAll)
		r.appDrv.Insert(key, holder)
	case a.DriverID != "" && !starter:
		r.endApp(a, AppFailed, fmt.Sprintf("restored from a snapshot; its driver %s is over", a.DriverID), r.c.At, keepAll)
	}
}

// addExecutor files an executor of an application that comes back. One whose worker has no room for it is gone.
func (r *restoring) addExecutor(a *App, e *Executor) {
	if e.State.Finished() {
		r.execs.Insert(execKey(e.AppSeq, e.ID), e)
		return
	}
	if w, ok := r.hasRoom(e.WorkerID, e.Cores, e.MemoryMB, e.Resources); ok {
		r.reserve(w, e.Cores, e.MemoryMB, e.Resources)
		r.putExecutor(e)
		return
	}
	a.drop(e, e.State)
	e.State, e.Changed, e.HostLost, e.Message = ExecutorLost, r.c.At, true, "its worker is not there any more: restored from a snapshot"
	r.keepRemoved(a, e)
}

// addCompleted adds those that are over and not known, the newest of them, as many as are kept.
func (r *restoring) addCompleted() {
	var apps []*CompletedApp
	for c := range r.from.CompletedApps() {
		if _, live := r.app(c.App.ID); !live && !r.overApps[c.App.ID] {
			apps = append(apps, c)
		}
	}
	for _, c := range newest(apps, r.c.RetainedApps, r.completedAppCount) {
		r.keepApp(&CompletedApp{App: c.App, Executors: c.Executors}, keepAll)
		r.out.CompletedApps++
	}
	var drivers []*Driver
	for d := range r.from.CompletedDrivers() {
		if _, live := r.driver(d.ID); !live && !r.overDrivers[d.ID] {
			drivers = append(drivers, d)
		}
	}
	for _, d := range newest(drivers, r.c.RetainedDrivers, r.completedDriverCount) {
		r.keepDriver(editDriver(d), keepAll)
		r.out.CompletedDrivers++
	}
}

// newest gives the last of a list, as many as there is room for beside those that are kept already.
func newest[T any](list []T, retained, kept int) []T {
	if retained <= 0 {
		retained = defaultRetained
	}
	return list[max(0, len(list)-max(0, retained-kept)):]
}

package fsm

// txn is one log entry's change of the state: it reads its own writes, and becomes a State at the end. Records are
// copied before they change (editApp and the like), so earlier States stay as they were.
type txn struct {
	c counters

	workers          edit[*Worker]
	addresses        edit[string]
	free             edit[*Worker]
	builds           edit[int]
	memories         edit[int]
	dead             edit[string]
	apps             edit[*App]
	appIDs           edit[uint64]
	appDrv           edit[uint64]
	wanting          edit[*App]
	wantedShapes     edit[*wanted]
	execs            edit[*Executor]
	onWorker         edit[*Executor]
	drivers          edit[*Driver]
	driverRuns       edit[string]
	driverApps       edit[uint64]
	driverKeys       edit[*driverKey]
	keyEnds          edit[*driverKey]
	waitingDrivers   edit[*Driver]
	queuedDrivers    edit[*Driver]
	heldDrivers      edit[*Driver]
	driversOn        edit[*Driver]
	completedApps    edit[*CompletedApp]
	completedDrivers edit[*Driver]
	requests         []request
	answered         answered
	staged           *staged

	completedAppCount, completedDriverCount, driverKeyCount int

	events []Event
}

func (s *State) begin() *txn {
	return &txn{
		c:       s.c,
		workers: editOf(s.workers), addresses: editOf(s.addresses), free: editOf(s.free), builds: editOf(s.builds), memories: editOf(s.memories), dead: editOf(s.dead), wantedShapes: editOf(s.wantedShapes),
		apps: editOf(s.apps), appIDs: editOf(s.appIDs), appDrv: editOf(s.appDrv), wanting: editOf(s.wanting),
		execs: editOf(s.execs), onWorker: editOf(s.onWorker),
		driverRuns: editOf(s.driverRuns), driverApps: editOf(s.driverApps), driverKeys: editOf(s.driverKeys), keyEnds: editOf(s.keyEnds),
		drivers: editOf(s.drivers), waitingDrivers: editOf(s.waitingDrivers), queuedDrivers: editOf(s.queuedDrivers), heldDrivers: editOf(s.heldDrivers), driversOn: editOf(s.driversOn),
		completedApps: editOf(s.completedApps), completedDrivers: editOf(s.completedDrivers),
		requests: s.requests, staged: s.staged,
		completedAppCount: s.completedApps.Len(), completedDriverCount: s.completedDrivers.Len(), driverKeyCount: s.driverKeys.Len(),
	}
}

func (t *txn) commit() *State {
	return &State{
		c:       t.c,
		workers: t.workers.commit(), addresses: t.addresses.commit(), free: t.free.commit(), builds: t.builds.commit(), memories: t.memories.commit(), dead: t.dead.commit(), wantedShapes: t.wantedShapes.commit(),
		apps: t.apps.commit(), appIDs: t.appIDs.commit(), appDrv: t.appDrv.commit(), wanting: t.wanting.commit(),
		execs: t.execs.commit(), onWorker: t.onWorker.commit(),
		driverRuns: t.driverRuns.commit(), driverApps: t.driverApps.commit(), driverKeys: t.driverKeys.commit(), keyEnds: t.keyEnds.commit(),
		drivers: t.drivers.commit(), waitingDrivers: t.waitingDrivers.commit(), queuedDrivers: t.queuedDrivers.commit(), heldDrivers: t.heldDrivers.commit(), driversOn: t.driversOn.commit(),
		completedApps: t.completedApps.commit(), completedDrivers: t.completedDrivers.commit(),
		requests: t.requests, staged: t.staged,
	}
}

func (t *txn) emit(e Event) { t.events = append(t.events, e) }

// list takes the records under a prefix before they are changed: an iterator does not survive a write.
func list[T any](tx *edit[T], prefix []byte) []T {
	var out []T
	it := tx.Root().Iterator()
	if len(prefix) > 0 {
		it.SeekPrefix(prefix)
	}
	for _, v, ok := it.Next(); ok; _, v, ok = it.Next() {
		out = append(out, v)
	}
	return out
}

// first is the record with the smallest key.
func first[T any](tx *edit[T]) (key []byte, v T, ok bool) { return tx.Root().Minimum() }

func (t *txn) worker(id string) (*Worker, bool) { return t.workers.Get([]byte(id)) }

// editWorker gives a copy to change; putWorker makes it the record.
func editWorker(w *Worker) *Worker {
	c := *w
	return &c
}

func (t *txn) app(id string) (*App, bool) {
	seq, ok := t.appIDs.Get([]byte(id))
	if !ok {
		return nil, false
	}
	return t.apps.Get(seqKey(seq))
}

// editApp copies the profiles too, since their counts change with every executor.
func editApp(a *App) *App {
	c := *a
	c.Profiles = append([]Profile(nil), a.Profiles...)
	return &c
}

func (t *txn) putApp(a *App) {
	key := seqKey(a.Seq)
	old, _ := t.apps.Insert(key, a)
	t.indexWants(old, a)
	if a.Wants() {
		t.wanting.Insert(key, a)
	} else {
		t.wanting.Delete(key)
	}
}

func editExecutor(e *Executor) *Executor {
	c := *e
	return &c
}

// putExecutor stores a live executor in both places.
func (t *txn) putExecutor(e *Executor) {
	t.execs.Insert(execKey(e.AppSeq, e.ID), e)
	t.onWorker.Insert(workerExecKey(e), e)
}

func editDriver(d *Driver) *Driver {
	c := *d
	return &c
}

// reserve takes cores, memory and resources off a worker; release gives them back. Both change the record.
func (t *txn) reserve(w *Worker, cores, memoryMB int, res map[string][]string) {
	w = editWorker(w)
	w.CoresUsed += cores
	w.MemoryUsedMB += memoryMB
	w.ResourcesUsed = addResources(w.ResourcesUsed, res)
	t.putWorker(w)
}

func (t *txn) release(workerID string, cores, memoryMB int, res map[string][]string) {
	w, ok := t.worker(workerID)
	if !ok {
		return // a dead worker that was dropped from the listing: nothing is used there
	}
	w = editWorker(w)
	w.CoresUsed -= cores
	w.MemoryUsedMB -= memoryMB
	w.ResourcesUsed = subtractResources(w.ResourcesUsed, res)
	t.putWorker(w)
}

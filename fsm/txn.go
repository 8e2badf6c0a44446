package fsm

import iradix "github.com/hashicorp/go-immutable-radix/v2"

// txn is one log entry's change of the state: it reads its own writes, and becomes a State at the end. Records are
// copied before they change (see edit*), so earlier States stay as they were.
type txn struct {
	c counters

	workers          *iradix.Txn[*Worker]
	addresses        *iradix.Txn[string]
	free             *iradix.Txn[*Worker]
	builds           *iradix.Txn[int]
	memories         *iradix.Txn[int]
	dead             *iradix.Txn[string]
	apps             *iradix.Txn[*App]
	appIDs           *iradix.Txn[uint64]
	appDrv           *iradix.Txn[uint64]
	wanting          *iradix.Txn[*App]
	wantedShapes     *iradix.Txn[*wanted]
	execs            *iradix.Txn[*Executor]
	onWorker         *iradix.Txn[*Executor]
	drivers          *iradix.Txn[*Driver]
	driverRuns       *iradix.Txn[string]
	driverApps       *iradix.Txn[uint64]
	driverKeys       *iradix.Txn[*driverKey]
	keyEnds          *iradix.Txn[*driverKey]
	waitingDrivers   *iradix.Txn[*Driver]
	queuedDrivers    *iradix.Txn[*Driver]
	heldDrivers      *iradix.Txn[*Driver]
	driversOn        *iradix.Txn[*Driver]
	completedApps    *iradix.Txn[*CompletedApp]
	completedDrivers *iradix.Txn[*Driver]
	requests         []request
	answered         answered
	staged           *staged

	completedAppCount, completedDriverCount, driverKeyCount int

	events []Event
}

func (s *State) begin() *txn {
	return &txn{
		c:       s.c,
		workers: s.workers.Txn(), addresses: s.addresses.Txn(), free: s.free.Txn(), builds: s.builds.Txn(), memories: s.memories.Txn(), dead: s.dead.Txn(), wantedShapes: s.wantedShapes.Txn(),
		apps: s.apps.Txn(), appIDs: s.appIDs.Txn(), appDrv: s.appDrv.Txn(), wanting: s.wanting.Txn(),
		execs: s.execs.Txn(), onWorker: s.onWorker.Txn(),
		driverRuns: s.driverRuns.Txn(), driverApps: s.driverApps.Txn(), driverKeys: s.driverKeys.Txn(), keyEnds: s.keyEnds.Txn(),
		drivers: s.drivers.Txn(), waitingDrivers: s.waitingDrivers.Txn(), queuedDrivers: s.queuedDrivers.Txn(), heldDrivers: s.heldDrivers.Txn(), driversOn: s.driversOn.Txn(),
		completedApps: s.completedApps.Txn(), completedDrivers: s.completedDrivers.Txn(),
		requests: s.requests, staged: s.staged,
		completedAppCount: s.completedApps.Len(), completedDriverCount: s.completedDrivers.Len(), driverKeyCount: s.driverKeys.Len(),
	}
}

func (t *txn) commit() *State {
	return &State{
		c:       t.c,
		workers: t.workers.Commit(), addresses: t.addresses.Commit(), free: t.free.Commit(), builds: t.builds.Commit(), memories: t.memories.Commit(), dead: t.dead.Commit(), wantedShapes: t.wantedShapes.Commit(),
		apps: t.apps.Commit(), appIDs: t.appIDs.Commit(), appDrv: t.appDrv.Commit(), wanting: t.wanting.Commit(),
		execs: t.execs.Commit(), onWorker: t.onWorker.Commit(),
		driverRuns: t.driverRuns.Commit(), driverApps: t.driverApps.Commit(), driverKeys: t.driverKeys.Commit(), keyEnds: t.keyEnds.Commit(),
		drivers: t.drivers.Commit(), waitingDrivers: t.waitingDrivers.Commit(), queuedDrivers: t.queuedDrivers.Commit(), heldDrivers: t.heldDrivers.Commit(), driversOn: t.driversOn.Commit(),
		completedApps: t.completedApps.Commit(), completedDrivers: t.completedDrivers.Commit(),
		requests: t.requests, staged: t.staged,
	}
}

func (t *txn) emit(e Event) { t.events = append(t.events, e) }

// list takes the records under a prefix before they are changed: an iterator does not survive a write.
func list[T any](tx *iradix.Txn[T], prefix []byte) []T {
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
func first[T any](tx *iradix.Txn[T]) (key []byte, v T, ok bool) { return tx.Root().Minimum() }

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

package fsm

import (
	"iter"
	"slices"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// State is the cluster at one log index. It is immutable: records must not be changed by those who read them, and a
// State stays as it is however long it is kept.
type State struct {
	c counters

	workers   *iradix.Tree[*Worker] // by id
	addresses *iradix.Tree[string]  // host:port of workers that are not dead -> id

	free *iradix.Tree[*Worker] // those that could be given something, by free cores
	dead *iradix.Tree[string]  // host:port of dead workers -> id

	builds   *iradix.Tree[int] // what ALIVE workers run -> how many of them
	memories *iradix.Tree[int] // how much memory they have -> likewise

	apps         *iradix.Tree[*App]   // live ones, by order of registration
	appIDs       *iradix.Tree[uint64] // id -> order
	appDrv       *iradix.Tree[uint64] // driver address -> order
	wanting      *iradix.Tree[*App]   // live ones that would take another executor, by order
	wantedShapes *iradix.Tree[*wanted]
	execs        *iradix.Tree[*Executor]
	onWorker     *iradix.Tree[*Executor] // live executors by worker

	drivers        *iradix.Tree[*Driver] // live ones, by id
	driverRuns     *iradix.Tree[string]  // ids of later runs of live drivers -> driver id
	driverApps     *iradix.Tree[uint64]  // live applications that a driver started: driver id and order -> order
	driverKeys     *iradix.Tree[*driverKey]
	keyEnds        *iradix.Tree[*driverKey] // by the time at which they are forgotten
	waitingDrivers *iradix.Tree[*Driver]    // those that wait for a worker, by order
	queuedDrivers  *iradix.Tree[*Driver]    // those of them that may be placed, by shape and order
	heldDrivers    *iradix.Tree[*Driver]    // the others, by worker
	driversOn      *iradix.Tree[*Driver]    // running ones, by worker

	completedApps    *iradix.Tree[*CompletedApp] // by order of completion
	completedDrivers *iradix.Tree[*Driver]

	requests []request // see requests.go

	staged *staged // of a snapshot that is to be restored; nil: nothing
}

func emptyState() *State {
	return &State{
		workers: iradix.New[*Worker](), addresses: iradix.New[string](), free: iradix.New[*Worker](), builds: iradix.New[int](), memories: iradix.New[int](), dead: iradix.New[string](), wantedShapes: iradix.New[*wanted](),
		apps: iradix.New[*App](), appIDs: iradix.New[uint64](), appDrv: iradix.New[uint64](), wanting: iradix.New[*App](),
		execs: iradix.New[*Executor](), onWorker: iradix.New[*Executor](),
		driverRuns: iradix.New[string](), driverApps: iradix.New[uint64](), driverKeys: iradix.New[*driverKey](), keyEnds: iradix.New[*driverKey](),
		drivers: iradix.New[*Driver](), waitingDrivers: iradix.New[*Driver](), queuedDrivers: iradix.New[*Driver](), heldDrivers: iradix.New[*Driver](), driversOn: iradix.New[*Driver](),
		completedApps: iradix.New[*CompletedApp](), completedDrivers: iradix.New[*Driver](),
	}
}

// Index is the log index that this state stands at, and Term the term of that entry.
func (s *State) Index() uint64 { return s.c.Index }
func (s *State) Term() uint64  { return s.c.Term }

// ClusterID is the cluster's id, empty until it has been set.
func (s *State) ClusterID() string { return s.c.ClusterID }

func all[T any](t *iradix.Tree[T]) iter.Seq[T] { return prefixed(t, nil) }

func prefixed[T any](t *iradix.Tree[T], prefix []byte) iter.Seq[T] {
	return func(yield func(T) bool) {
		it := t.Root().Iterator()
		if len(prefix) > 0 {
			it.SeekPrefix(prefix)
		}
		for _, v, ok := it.Next(); ok; _, v, ok = it.Next() {
			if !yield(v) {
				return
			}
		}
	}
}

// Workers are all visible workers, dead ones too, by id.
func (s *State) Workers() iter.Seq[*Worker] { return all(s.workers) }

// WorkerCount is the number of visible workers.
func (s *State) WorkerCount() int { return s.workers.Len() }

// Worker finds a worker by id.
func (s *State) Worker(id string) (*Worker, bool) { return s.workers.Get([]byte(id)) }

// WorkerAt finds the worker that is not dead at an address.
func (s *State) WorkerAt(host string, port int) (*Worker, bool) {
	id, ok := s.addresses.Get(addressKey(host, port))
	if !ok {
		return nil, false
	}
	return s.Worker(id)
}

// Apps are the live applications in the order of their registration.
func (s *State) Apps() iter.Seq[*App] { return all(s.apps) }

// AppCount is the number of live applications.
func (s *State) AppCount() int { return s.apps.Len() }

// WantingApps are the live applications that would take another executor, in the order of their registration.
func (s *State) WantingApps() iter.Seq[*App] { return all(s.wanting) }

// App finds a live application by id.
func (s *State) App(id string) (*App, bool) {
	seq, ok := s.appIDs.Get([]byte(id))
	if !ok {
		return nil, false
	}
	return s.apps.Get(seqKey(seq))
}

// AppOfDriver finds the live application of the driver at an address.
func (s *State) AppOfDriver(host string, port int) (*App, bool) {
	seq, ok := s.appDrv.Get(addressKey(host, port))
	if !ok {
		return nil, false
	}
	return s.apps.Get(seqKey(seq))
}

// Executors are an application's executors by id, its last finished ones (App.Removed) included.
func (s *State) Executors(a *App) iter.Seq[*Executor] { return prefixed(s.execs, seqKey(a.Seq)) }

// Executor finds one executor of an application.
func (s *State) Executor(a *App, id int) (*Executor, bool) { return s.execs.Get(execKey(a.Seq, id)) }

// ExecutorsOn are the live executors of a worker.
func (s *State) ExecutorsOn(workerID string) iter.Seq[*Executor] {
	return prefixed(s.onWorker, workerExecPrefix(workerID))
}

// Drivers are the live drivers by id.
func (s *State) Drivers() iter.Seq[*Driver] { return all(s.drivers) }

// DriverCount is the number of live drivers, and WaitingDriverCount how many of them have no worker.
func (s *State) DriverCount() int        { return s.drivers.Len() }
func (s *State) WaitingDriverCount() int { return s.waitingDrivers.Len() }

// WaitingDrivers are the drivers without a worker in the order of their submission.
func (s *State) WaitingDrivers() iter.Seq[*Driver] { return all(s.waitingDrivers) }

// HeldDrivers are those of the waiting drivers that must not be placed yet (Driver.HoldMS).
func (s *State) HeldDrivers() iter.Seq[*Driver] { return all(s.heldDrivers) }

// DriversOn are the drivers that a worker runs.
func (s *State) DriversOn(workerID string) iter.Seq[*Driver] {
	return prefixed(s.driversOn, workerExecPrefix(workerID))
}

// Driver finds a live driver by its id or that of any of its runs.
func (s *State) Driver(id string) (*Driver, bool) {
	if d, ok := s.drivers.Get([]byte(id)); ok {
		return d, true
	}
	id, ok := s.driverRuns.Get([]byte(id))
	if !ok {
		return nil, false
	}
	return s.drivers.Get([]byte(id))
}

// CompletedDriver finds a driver that is over and still kept, likewise.
func (s *State) CompletedDriver(id string) (found *Driver, ok bool) {
	for d := range s.CompletedDrivers() {
		if d.ID == id || slices.Contains(d.Runs, id) {
			found = d // the newest, where ids were given twice by an odd pattern
		}
	}
	return found, found != nil
}

// AppsOfDriver are the live applications that a driver has started.
func (s *State) AppsOfDriver(d *Driver) iter.Seq[*App] {
	return func(yield func(*App) bool) {
		for seq := range prefixed(s.driverApps, driverAppPrefix(d.ID)) {
			if a, ok := s.apps.Get(seqKey(seq)); ok && !yield(a) {
				return
			}
		}
	}
}

// CompletedApps are the applications that are over, oldest first; CompletedDrivers likewise.
func (s *State) CompletedApps() iter.Seq[*CompletedApp] { return all(s.completedApps) }
func (s *State) CompletedDrivers() iter.Seq[*Driver]    { return all(s.completedDrivers) }

package fsm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Invariants reports everything that can never be in a sound state: a worker that is oversold or whose books do not
// match what runs on it, an executor without a live application or worker, an address given twice, counts that are off,
// an index that does not agree with the records.
func (s *State) Invariants() error {
	return errors.Join(slices.Concat(s.checkWorkers(), s.checkApps(), s.checkDrivers(), s.checkIndexes())...)
}

type books struct {
	cores, memory int
	res           map[string][]string
}

func (b *books) add(cores, memory int, res map[string][]string) {
	b.cores += cores
	b.memory += memory
	b.res = addResources(b.res, res)
}

func (s *State) checkWorkers() (errs []error) {
	fail := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	alive := 0
	for w := range s.Workers() {
		if w.Drained && w.State != WorkerDead {
			fail("worker %s is %s and keeps in mind that it was drained", w.ID, w.State)
		}
		if w.Undrained && (w.Drained || w.State == WorkerDecommissioned) {
			fail("worker %s is %s, and recommissioned", w.ID, w.State)
		}
		if err := s.checkWatch(w); err != nil {
			errs = append(errs, err)
		}
		var b books
		for e := range s.ExecutorsOn(w.ID) {
			b.add(e.Cores, e.MemoryMB, e.Resources)
		}
		for d := range s.DriversOn(w.ID) {
			b.add(d.Cores, d.MemoryMB, d.Resources)
		}
		if w.CoresUsed != b.cores || w.MemoryUsedMB != b.memory {
			fail("worker %s: books say %d cores, %d MiB used; what runs there takes %d, %d", w.ID, w.CoresUsed, w.MemoryUsedMB, b.cores, b.memory)
		}
		if b.cores > w.Cores || b.memory > w.MemoryMB {
			fail("worker %s is oversold: %d of %d cores, %d of %d MiB", w.ID, b.cores, w.Cores, b.memory, w.MemoryMB)
		}
		for name, addrs := range b.res {
			slices.Sort(addrs)
			if len(slices.Compact(slices.Clone(addrs))) != len(addrs) {
				fail("worker %s: an address of %s is given twice: %v", w.ID, name, addrs)
			}
			used := slices.Sorted(slices.Values(w.ResourcesUsed[name]))
			if !slices.Equal(used, addrs) {
				fail("worker %s: books say %v of %s used; what runs there takes %v", w.ID, used, name, addrs)
			}
		}
		if len(b.res) != len(w.ResourcesUsed) {
			fail("worker %s: books say resources %v; what runs there takes %v", w.ID, slices.Sorted(maps.Keys(w.ResourcesUsed)), slices.Sorted(maps.Keys(b.res)))
		}
		if w.State == WorkerDead {
			if b.cores > 0 || b.memory > 0 {
				fail("worker %s is DEAD and still runs something", w.ID)
			}
			continue
		}
		alive++
		if at, ok := s.WorkerAt(w.Host, w.Port); !ok || at.ID != w.ID {
			fail("worker %s is not found at its address", w.ID)
		}
	}
	if s.addresses.Len() != alive {
		fail("%d addresses for %d workers that are not dead", s.addresses.Len(), alive)
	}
	return errs
}

func (s *State) checkApps() (errs []error) {
	fail := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	liveExecs, allExecs := 0, 0
	for a := range s.Apps() {
		cores, running := 0, 0
		live := map[int]int{}
		for e := range s.Executors(a) {
			allExecs++
			if e.AppID != a.ID {
				fail("executor %s/%d is filed under application %s", e.AppID, e.ID, a.ID)
			}
			if e.State.Finished() {
				continue
			}
			liveExecs++
			if w, ok := s.Worker(e.WorkerID); !ok || w.State == WorkerDead {
				fail("executor %s/%d lives on worker %s, which does not", e.AppID, e.ID, e.WorkerID)
			}
			if e.State == ExecutorDecommissioned {
				continue
			}
			cores += e.Cores
			live[e.Profile]++
			if e.State == ExecutorRunning {
				running++
			}
		}
		if cores != a.Cores || running != a.Running {
			fail("application %s: books say %d cores, %d running; its executors give %d, %d", a.ID, a.Cores, a.Running, cores, running)
		}
		if a.Cores > a.MaxCores {
			fail("application %s has %d cores of at most %d", a.ID, a.Cores, a.MaxCores)
		}
		for _, p := range a.Profiles {
			if p.Live != live[p.ID] {
				fail("application %s, profile %d: books say %d executors; there are %d", a.ID, p.ID, p.Live, live[p.ID])
			}
		}
		if _, wanting := s.wanting.Get(seqKey(a.Seq)); wanting != a.Wants() {
			fail("application %s: it wants more: %v, the index says %v", a.ID, a.Wants(), wanting)
		}
		if at, ok := s.AppOfDriver(a.DriverHost, a.DriverPort); !ok || at.ID != a.ID {
			fail("application %s is not found by its driver's address", a.ID)
		}
	}
	if s.execs.Len() != allExecs || s.onWorker.Len() != liveExecs {
		fail("%d executors filed, %d belong to live applications; %d filed on workers, %d live", s.execs.Len(), allExecs, s.onWorker.Len(), liveExecs)
	}
	if s.appIDs.Len() != s.apps.Len() || s.appDrv.Len() != s.apps.Len() {
		fail("%d applications, %d ids, %d driver addresses", s.apps.Len(), s.appIDs.Len(), s.appDrv.Len())
	}
	return errs
}

func (s *State) checkDrivers() (errs []error) {
	waiting, placed, runs := 0, 0, 0
	for d := range s.Drivers() {
		if at, ok := s.Driver(d.RunID); !ok || at.ID != d.ID {
			errs = append(errs, fmt.Errorf("driver %s is not found by its run %s", d.ID, d.RunID))
		}
		if d.HoldMS > 0 && d.State != DriverRelaunching {
			errs = append(errs, fmt.Errorf("driver %s is held in state %s", d.ID, d.State))
		}
		runs += len(d.Runs)
		switch d.State {
		case DriverSubmitted, DriverRelaunching:
			waiting++
		case DriverRunning:
			placed++
			if w, ok := s.Worker(d.WorkerID); !ok || w.State == WorkerDead {
				errs = append(errs, fmt.Errorf("driver %s runs on worker %s, which does not live", d.ID, d.WorkerID))
			}
		default:
			errs = append(errs, fmt.Errorf("driver %s is live in state %s", d.ID, d.State))
		}
	}
	if waiting != s.waitingDrivers.Len() || placed != s.driversOn.Len() {
		errs = append(errs, fmt.Errorf("%d drivers wait, %d are queued; %d run, %d are filed on workers", waiting, s.waitingDrivers.Len(), placed, s.driversOn.Len()))
	}
	if runs != s.driverRuns.Len() {
		errs = append(errs, fmt.Errorf("%d further runs of drivers, %d are filed", runs, s.driverRuns.Len()))
	}
	if s.driverKeys.Len() != s.keyEnds.Len() || s.driverKeys.Len() > maxDriverKeys {
		errs = append(errs, fmt.Errorf("%d keys of submissions, %d ends of keys", s.driverKeys.Len(), s.keyEnds.Len()))
	}
	return errs
}

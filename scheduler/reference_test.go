package scheduler_test

import (
	"slices"
	"strings"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/scheduler"
)

// reference is Master.schedule written down as plainly as it can be: it looks at every application, sorts every worker
// for each profile, and shares out over all that are usable. Plan must give the same plan.
type reference struct {
	s    *fsm.State
	set  scheduler.Settings
	all  []*refWorker // by id
	plan fsm.ApplyPlan
}

type refWorker struct {
	*fsm.Worker
	cores, memory int
	free          map[string]int
	excluded      bool // it takes part in the draw for drivers, and is given nothing
}

func (w *refWorker) fits(build string, cores, memory int, needs []fsm.ResourceAmount) bool {
	for _, n := range needs {
		if w.free[n.Name] < n.Amount {
			return false
		}
	}
	return !w.excluded && w.Runs(build) && w.cores >= cores && w.memory >= memory
}

func (w *refWorker) take(cores, memory int, needs []fsm.ResourceAmount) {
	w.cores -= cores
	w.memory -= memory
	for _, n := range needs {
		w.free[n.Name] -= n.Amount
	}
}

func referencePlan(s *fsm.State, set scheduler.Settings, in scheduler.Input) fsm.ApplyPlan {
	r := &reference{s: s, set: set, plan: fsm.ApplyPlan{At: in.At}}
	for w := range s.Workers() {
		if w.State != fsm.WorkerAlive {
			continue
		}
		rw := &refWorker{Worker: w, excluded: in.Exclude != nil && in.Exclude(w.ID), cores: w.CoresFree(), memory: w.MemoryFreeMB(), free: map[string]int{}}
		for name := range w.Resources {
			rw.free[name] = w.ResourcesFree(name)
		}
		r.all = append(r.all, rw)
	}
	r.drivers(in.Seed)
	for a := range s.Apps() {
		r.app(a)
	}
	return r.plan
}

func (r *reference) drivers(seed uint64) {
	var ring []*refWorker
	for _, w := range r.all { // a full worker takes no part in the draw; see shuffled
		if w.cores > 0 && w.memory > 0 {
			ring = append(ring, w)
		}
	}
	if r.set.SpreadOutDrivers {
		drawn := make([]*refWorker, len(ring))
		for i, j := range scheduler.Shuffled(len(ring), seed) {
			drawn[i] = ring[j]
		}
		ring = drawn
	}
	running, pos := r.s.DriverCount()-r.s.WaitingDriverCount(), 0
	for d := range r.s.WaitingDrivers() {
		placed := running >= r.set.MaxDrivers
		for visited := 0; !placed && visited < len(ring); visited++ {
			w := ring[pos]
			if !r.set.SpreadOutDrivers {
				w = ring[visited]
			}
			if w.fits(d.Build, d.Cores, d.MemoryMB, d.Needs) {
				w.take(d.Cores, d.MemoryMB, d.Needs)
				r.plan.Drivers = append(r.plan.Drivers, fsm.DriverPlacement{DriverID: d.ID, WorkerID: w.ID})
				running++
				placed = true
			}
			pos = (pos + 1) % len(ring)
		}
	}
}

func (r *reference) app(a *fsm.App) {
	coresLeft := a.MaxCores - a.Cores
	for _, p := range a.Profiles {
		step := max(p.Cores, 1)
		if coresLeft < step {
			continue
		}
		var usable []*refWorker
		for _, w := range r.all {
			if w.fits(a.Build, step, p.MemoryMB, p.Resources) {
				usable = append(usable, w)
			}
		}
		r.sort(usable)
		for i, cores := range r.assign(usable, p, coresLeft) {
			coresLeft -= cores
			each := step
			if p.Cores == 0 {
				each = cores
			}
			for ; cores > 0; cores -= each {
				usable[i].take(each, p.MemoryMB, p.Resources)
				r.plan.Executors = append(r.plan.Executors, fsm.Placement{AppSeq: a.Seq, Profile: p.ID, WorkerID: usable[i].ID, Cores: each})
			}
		}
	}
}

func (r *reference) sort(w []*refWorker) {
	cores := func(a, b *refWorker) int { return a.cores - b.cores }
	memory := func(a, b *refWorker) int { return a.memory - b.memory }
	byID := func(a, b *refWorker) int { return strings.Compare(a.ID, b.ID) }
	by := func(cmp func(a, b *refWorker) int) {
		slices.SortFunc(w, func(a, b *refWorker) int {
			if d := cmp(a, b); d != 0 {
				return d
			}
			return byID(a, b)
		})
	}
	switch r.set.WorkerSelectionPolicy {
	case scheduler.CoresFreeAsc:
		by(cores)
	case scheduler.CoresFreeDesc:
		by(cores)
		slices.Reverse(w)
	case scheduler.MemoryFreeAsc:
		by(memory)
	case scheduler.MemoryFreeDesc:
		by(memory)
		slices.Reverse(w)
	case scheduler.WorkerID:
		by(byID)
	}
}

// assign is scheduleExecutorsOnWorkers; p.Cores 0 is the mode of one executor per worker.
func (r *reference) assign(w []*refWorker, p fsm.Profile, coresLeft int) []int {
	step, single := max(p.Cores, 1), p.Cores == 0
	cores, execs := make([]int, len(w)), make([]int, len(w))
	left, sum := 0, 0
	for _, x := range w {
		left += x.cores
	}
	left = min(left, coresLeft)
	can := func(i int) bool {
		if left < step || w[i].cores-cores[i] < step {
			return false
		}
		if single && execs[i] > 0 {
			return true
		}
		for _, n := range p.Resources {
			if w[i].free[n.Name]-execs[i]*n.Amount < n.Amount {
				return false
			}
		}
		return w[i].memory-execs[i]*p.MemoryMB >= p.MemoryMB && sum+p.Live < p.Target
	}
	open := make([]int, len(w))
	for i := range open {
		open[i] = i
	}
	for open = slices.DeleteFunc(open, func(i int) bool { return !can(i) }); len(open) > 0; open = slices.DeleteFunc(open, func(i int) bool { return !can(i) }) {
		for _, i := range open {
			for can(i) {
				left -= step
				cores[i] += step
				if !single || execs[i] == 0 {
					execs[i]++
					sum++
				}
				if r.set.SpreadOutApps {
					break
				}
			}
		}
	}
	return cores
}

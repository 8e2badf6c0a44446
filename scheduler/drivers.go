package scheduler

import (
	"slices"

	"github.com/firesteel/firesteel/fsm"
)

// drivers places waiting drivers in the order of their submission. One that does not fit is passed by later ones.
func (p *pass) drivers() {
	if p.state.WaitingDriverCount() == 0 || !p.moreDrivers() {
		return
	}
	if queues, ok := p.state.Queues(fewShapes); ok {
		p.fromQueues(queues)
	} else {
		p.oneByOne()
	}
}

// moreDrivers tells whether another one may run.
func (p *pass) moreDrivers() bool {
	running := p.state.DriverCount() - p.state.WaitingDriverCount() + len(p.out.Plan.Drivers)
	return p.set.MaxDrivers <= 0 || running < p.set.MaxDrivers
}

// fromQueues takes the drivers out of queues, each of which waits for one thing: where one does not fit, those behind it do
// not either, since nothing becomes free in a pass.
func (p *pass) fromQueues(queues []fsm.Queue) {
	queues = slices.DeleteFunc(queues, func(q fsm.Queue) bool {
		n := driverNeed(q.First)
		if p.promising(&n) {
			return false
		}
		p.driverUnplaced(q.First, &n)
		return true
	})
	for len(queues) > 0 && p.moreDrivers() {
		i := oldest(queues)
		q := &queues[i]
		if p.driver(q.First) {
			q.Next()
		} else {
			q.First = nil
		}
		if q.First == nil {
			queues = slices.Delete(queues, i, i+1)
		}
	}
}

// oldest is the queue whose next driver was submitted first.
func oldest(queues []fsm.Queue) (best int) {
	for i := range queues {
		if queues[i].First.Seq < queues[best].First.Seq {
			best = i
		}
	}
	return best
}

// oneByOne looks at every driver: there are too many that each wait for something else.
func (p *pass) oneByOne() {
	for d := range p.state.WaitingDrivers() {
		if d.HoldMS > 0 {
			continue // its last run may be alive
		}
		if !p.moreDrivers() {
			return // Master.schedule looks at the rest too, and places none of them
		}
		p.driver(d)
	}
}

// driver places one driver, if it fits.
func (p *pass) driver(d *fsm.Driver) bool {
	v := p.capacityByID()
	pick := p.firstFit
	if p.set.SpreadOutDrivers {
		if p.ring == nil {
			p.ring = shuffled(len(v.slots), p.in.Seed)
		}
		pick = p.nextInRing
	}
	n := driverNeed(d)
	i, ok := int32(0), false
	if !v.hopeless(&n) {
		i, ok = pick(v, &n)
	}
	if !ok {
		p.driverUnplaced(d, &n)
		return false
	}
	v.take(i, n.cores, n.memory, n.resources, 1)
	p.out.Plan.Drivers = append(p.out.Plan.Drivers, fsm.DriverPlacement{DriverID: d.ID, WorkerID: v.slots[i].w.ID})
	return true
}

// fewLooks is at how many workers promising looks.
const fewLooks = 32

// promising tells whether it is worth to collect the whole cluster for a need: false where no worker can take it, as far as
// a few looks tell. Most of what waits for long is so.
func (p *pass) promising(n *need) bool {
	if n.memory > p.state.LargestMemoryMB() || !p.state.RunsAnywhere(n.build) {
		return false
	}
	free := p.state.FreeByCores(true)
	for range fewLooks {
		w, ok := free.Next()
		switch {
		case !ok || w.CoresFree() < n.cores:
			return false
		case w.MemoryFreeMB() >= n.memory && w.Runs(n.build):
			return true
		}
	}
	return true
}

func driverNeed(d *fsm.Driver) need {
	return need{build: d.Build, cores: max(d.Cores, 1), memory: d.MemoryMB, resources: d.Needs}
}

// shuffled is the order of the ring. Workers without a free core are left out of it: they could take no driver, and a
// permutation of the others is as random without them.
func shuffled(n int, seed uint64) []int32 {
	ring := make([]int32, n)
	for i := range ring {
		ring[i] = int32(i)
	}
	for i := n - 1; i > 0; i-- {
		seed += 0x9e3779b97f4a7c15
		j := int(mix(seed) % uint64(i+1))
		ring[i], ring[j] = ring[j], ring[i]
	}
	return ring
}

// mix is splitmix64's finaliser: the n-th random number of a seed is mix(seed + n * 0x9e37...). The package draws
// nothing by itself, and a plan is the same for the same seed in every release of Go.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// nextInRing goes round once, from behind the worker that was looked at last.
func (p *pass) nextInRing(v *view, n *need) (int32, bool) {
	q := v.search(n)
	for range p.ring {
		i := p.ring[p.ringPos]
		p.ringPos = (p.ringPos + 1) % len(p.ring)
		if q.fits(&v.slots[i]) {
			return i, true
		}
	}
	v.gaveUp(&q)
	return 0, false
}

// firstFit takes the first worker by id. A search for the same shape goes on where the last one ended, since what was
// too small then is not larger now.
func (p *pass) firstFit(v *view, n *need) (int32, bool) {
	key := shape{coresOfBuild{n.build, n.cores}, n.memory}
	start := 0
	if len(n.resources) == 0 {
		start = v.firstFit[key]
	}
	q := v.search(n)
	for i := start; i < len(v.slots); i++ {
		if q.fits(&v.slots[i]) {
			if len(n.resources) == 0 {
				v.firstFit[key] = i
			}
			return int32(i), true
		}
	}
	if start == 0 {
		v.gaveUp(&q)
	} else {
		v.firstFit[key] = len(v.slots)
	}
	return 0, false
}

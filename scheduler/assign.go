package scheduler

import (
	"slices"

	"github.com/firesteel/firesteel/fsm"
)

// grant is what an application is given on one worker.
type grant struct {
	slot      int32
	cores     int
	executors int
}

// demand is what one profile of an application may still be given.
type demand struct {
	need
	single    bool // the profile gives no core count: one executor per worker and pass, which takes all it may
	coresLeft int  // of the application
	slots     int  // executors of the profile that are missing to its target
}

// assign shares out workers to one demand: Master.scheduleExecutorsOnWorkers. The grants are in the order of the policy
// and are valid until the next call.
//
// Of the workers in the policy's order only the first coresLeft/step, and no more than the target misses executors, can
// ever be given something, since each one that is looked at takes at least one executor; so no more are looked for.
func (v *view) assign(d *demand, spread bool) []grant {
	v.sort()
	if v.empty() || v.hopeless(&d.need) {
		return nil
	}
	v.open = v.candidates(&d.need, min(d.coresLeft/d.cores, d.slots), v.open[:0])
	grants := v.granted[:0]
	for _, i := range v.open {
		grants = append(grants, grant{slot: i})
	}
	v.share(d, grants, spread)
	v.granted = slices.DeleteFunc(grants, func(g grant) bool { return g.executors == 0 })
	return v.granted
}

// candidates are the first so many workers that could take one executor, in the policy's order.
func (v *view) candidates(n *need, limit int, out []int32) []int32 {
	q := v.search(n)
	for place := 0; len(out) < limit; place++ {
		i, ok := v.at(place)
		if !ok {
			break
		}
		if q.fits(&v.slots[i]) {
			out = append(out, i)
		}
	}
	if len(out) == 0 && limit > 0 {
		v.gaveUp(&q)
	}
	return out
}

// share gives executors, or cores in single mode, worker by worker: one each and round again where they are spread, as
// many as one can take where they are not.
func (v *view) share(d *demand, grants []grant, spread bool) {
	left, started := d.coresLeft, 0
	can := func(g *grant) bool {
		s := &v.slots[g.slot]
		if left < d.cores || s.cores-g.cores < d.cores {
			return false
		}
		if d.single && g.executors > 0 {
			return true // only more cores for the executor that is planned already
		}
		return started < d.slots && s.memory-g.executors*d.memory >= d.memory && s.hasResources(d.resources, g.executors+1)
	}
	for again := true; again; {
		again = false
		for i := range grants {
			g := &grants[i]
			for can(g) {
				again = true
				left -= d.cores
				g.cores += d.cores
				if !d.single || g.executors == 0 {
					g.executors++
					started++
				}
				if spread {
					break
				}
			}
		}
	}
}

// placements turns grants into lines of a plan: in single mode one executor with all the cores of its worker, else as
// many as the cores make, of the profile's size each (Master.allocateWorkerResourceToExecutors).
func (v *view) placements(out []fsm.Placement, app *fsm.App, profile int, d *demand, grants []grant) []fsm.Placement {
	for _, g := range grants {
		cores := d.cores
		if d.single {
			cores = g.cores
		}
		for range g.executors {
			out = append(out, fsm.Placement{AppSeq: app.Seq, Profile: profile, WorkerID: v.slots[g.slot].w.ID, Cores: cores})
		}
	}
	return out
}

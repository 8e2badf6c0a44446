package scheduler

import "github.com/firesteel/firesteel/fsm"

// Plan decides where waiting drivers and missing executors run (Master.schedule). It fits on the state it was planned
// on in every line; on a later state, ApplyPlan leaves out what fits no longer.
func Plan(s *fsm.State, set Settings, in Input) Outcome {
	p := pass{state: s, set: set, in: in}
	p.out.Plan.At = in.At
	p.drivers()
	p.apps()
	if p.in.Warn {
		p.onlyAppUnplaced()
	}
	if p.view != nil {
		p.view.release()
	}
	return p.out
}

// pass is one run of Plan.
type pass struct {
	state *fsm.State
	set   Settings
	in    Input
	out   Outcome
	view  *view

	ring    []int32
	ringPos int
}

// capacity is made when it is first needed: most passes of a satisfied cluster need none.
func (p *pass) capacity() *view {
	if p.view == nil {
		p.view = newView(p.state, p.set.WorkerSelectionPolicy, p.in.Exclude, false)
	}
	return p.view
}

// capacityByID is capacity for drivers, which are placed by the workers' ids.
func (p *pass) capacityByID() *view {
	if p.view == nil {
		p.view = newView(p.state, p.set.WorkerSelectionPolicy, p.in.Exclude, true)
	}
	return p.view
}

// apps places executors: applications in the order of their registration, their profiles by ascending id.
func (p *pass) apps() {
	for a := range p.state.WantingApps() {
		v := p.capacity()
		v.sort()
		if v.empty() {
			return
		}
		failures := v.failures
		p.app(v, a)
		if v.failures > failures && p.allHopeless(v) {
			return
		}
	}
}

// fewShapes is up to how many shapes a pass looks through all that is wanted whenever one of them has failed.
const fewShapes = 64

// allHopeless tells that nothing that any application wants can be placed any more: then the rest of them need not be
// looked at one by one.
func (p *pass) allHopeless(v *view) bool {
	if p.state.WantedShapeCount() > fewShapes {
		return false
	}
	for s := range p.state.WantedShapes() {
		if !v.hopeless(&need{build: s.Build, cores: s.Cores, memory: s.MemoryMB, resources: s.Resources}) {
			return false
		}
	}
	return true
}

func (p *pass) app(v *view, a *fsm.App) {
	coresLeft := a.CoresLeft()
	for i := range a.Profiles {
		prof := &a.Profiles[i]
		d := demandOf(a, prof, coresLeft)
		if d.slots <= 0 || coresLeft < d.cores {
			continue
		}
		grants := v.assign(&d, p.set.SpreadOutApps)
		if len(grants) == 0 {
			continue
		}
		p.out.Plan.Executors = v.placements(p.out.Plan.Executors, a, prof.ID, &d, grants)
		for _, g := range grants {
			coresLeft -= g.cores
		}
		v.takeMany(grants, d.memory, d.resources)
	}
}

func demandOf(a *fsm.App, prof *fsm.Profile, coresLeft int) demand {
	return demand{
		need:      need{build: a.Build, cores: max(prof.Cores, 1), memory: prof.MemoryMB, resources: prof.Resources},
		single:    prof.Cores <= 0,
		coresLeft: coresLeft,
		slots:     prof.Target - prof.Live,
	}
}

package fsm

// applyPlan checks each planned line against the present state and carries out what still fits.
func (t *txn) applyPlan(c *ApplyPlan) (any, *Refusal) {
	var out PlanApplied
	for _, p := range c.Drivers {
		out.count(t.placeDriver(p, c.At))
	}
	for _, p := range c.Executors {
		out.count(t.placeExecutor(p, c.At))
	}
	return out, nil
}

func (p *PlanApplied) count(placed bool) {
	if placed {
		p.Started++
	} else {
		p.Refused++
	}
}

// placeExecutor is Master.launchExecutor with the conditions of canLaunchExecutor checked once more.
func (t *txn) placeExecutor(p Placement, at int64) bool {
	a, ok := t.apps.Get(seqKey(p.AppSeq))
	if !ok || a.State.Ended() {
		return false
	}
	prof, ok := a.Profile(p.Profile)
	if !ok || prof.Live >= prof.Target || p.Cores < max(prof.Cores, 1) || prof.Cores > 0 && p.Cores != prof.Cores || a.CoresLeft() < p.Cores {
		return false
	}
	w, ok := t.worker(p.WorkerID)
	if !ok || w.State != WorkerAlive || !w.Runs(a.Build) || w.CoresFree() < p.Cores || w.MemoryFreeMB() < prof.MemoryMB {
		return false
	}
	res, ok := pick(w, prof.Resources)
	if !ok {
		return false
	}
	memoryMB := prof.MemoryMB
	t.reserve(w, p.Cores, memoryMB, res)
	a = editApp(a)
	e := &Executor{
		AppSeq: a.Seq, AppID: a.ID, ID: a.NextExecID, Profile: p.Profile, WorkerID: w.ID, WorkerHost: w.Host, WorkerPort: w.Port,
		Cores: p.Cores, MemoryMB: memoryMB, Resources: res, State: ExecutorLaunching, Launched: at, Changed: at,
	}
	a.NextExecID++
	a.Cores += p.Cores
	prof, _ = a.Profile(p.Profile)
	prof.Live++
	a.State = AppRunning
	t.putApp(a)
	t.putExecutor(e)
	t.emit(Event{Kind: ExecutorPlaced, App: a, Executor: e})
	return true
}

package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// model is the naive truth: flat lists that are searched from end to end, and counts that are made when they are asked
// for. It knows Spark's rules and nothing of trees, transactions or indexes.
type model struct {
	workers                 []*modelWorker
	apps                    []*modelApp
	drivers                 []*modelDriver
	appNumber, driverNumber int
	maxRetries              int
}

type modelWorker struct {
	id, host, life string
	port           int
	cores, memory  int
	state          WorkerState
	lease          bool
	jvm            bool
	drained        bool // it is DEAD, and was DECOMMISSIONED
	undrained      bool // since it was drained last, in this life
}

type modelExecutor struct {
	id, cores, memory, profile int
	worker                     string
	state                      ExecutorState
}

type modelApp struct {
	id       string
	port     int
	max      int
	profiles []Profile
	state    AppState
	failures int
	execs    []*modelExecutor
}

type modelDriver struct {
	id, worker    string
	run           string   // id of the present or last run
	runs          []string // all of them
	cores, memory int
	supervise     bool
	killAsked     bool
	held, placed  bool
	holds         int    // how often it was held
	life          string // of the worker that it is held for
	state         DriverState
}

func (d *modelDriver) unhold() { d.held, d.worker = false, "" }

func (d *modelDriver) waits() bool { return d.state == DriverSubmitted || d.state == DriverRelaunching }

func (m *model) worker(id string) *modelWorker {
	for _, w := range m.workers {
		if w.id == id {
			return w
		}
	}
	return nil
}

func (m *model) app(id string) *modelApp {
	for _, a := range m.apps {
		if a.id == id && !a.state.Ended() {
			return a
		}
	}
	return nil
}

func (m *model) driver(id string) *modelDriver {
	for _, d := range m.drivers {
		if slices.Contains(d.runs, id) && (d.waits() || d.state == DriverRunning) {
			return d
		}
	}
	return nil
}

// run finds a live driver by its present or last run.
func (m *model) run(id string) *modelDriver {
	if d := m.driver(id); d != nil && d.run == id {
		return d
	}
	return nil
}

func (a *modelApp) exec(id int) *modelExecutor {
	for _, e := range a.execs {
		if e.id == id && !e.state.Finished() {
			return e
		}
	}
	return nil
}

// live are the cores and the executors that count for the application; profile -1: all of them.
func (a *modelApp) live(profile int, states ...ExecutorState) (cores, n int) {
	for _, e := range a.execs {
		if slices.Contains(states, e.state) && (profile < 0 || e.profile == profile) {
			cores += e.cores
			n++
		}
	}
	return cores, n
}

func (m *model) used(worker string) (cores, memory int) {
	for _, a := range m.apps {
		for _, e := range a.execs {
			if e.worker == worker && !e.state.Finished() {
				cores += e.cores
				memory += e.memory
			}
		}
	}
	for _, d := range m.drivers {
		if d.worker == worker && d.state == DriverRunning {
			cores += d.cores
			memory += d.memory
		}
	}
	return cores, memory
}

func (m *model) loseWorker(w *modelWorker, silent bool) {
	for _, a := range m.apps {
		for _, e := range a.execs {
			if e.worker == w.id && !e.state.Finished() {
				e.state = ExecutorLost
			}
		}
	}
	for _, d := range m.drivers {
		if d.worker != w.id || d.state != DriverRunning {
			continue
		}
		m.loseDriver(d, silent && w.lease)
	}
	w.drained, w.state = w.state == WorkerDecommissioned, WorkerDead
}

func (m *model) drain(w *modelWorker) {
	if w.state == WorkerDecommissioned {
		return
	}
	w.state, w.undrained = WorkerDecommissioned, false
	for _, a := range m.apps {
		for _, e := range a.execs {
			switch {
			case e.worker != w.id || e.state.Finished():
			case e.state == ExecutorLaunching:
				e.state = ExecutorLost
			default:
				e.state = ExecutorDecommissioned
			}
		}
	}
}

func (m *model) recommission(c *RecommissionWorker) Code {
	switch w := m.worker(c.ID); {
	case w == nil || w.state == WorkerDead && !w.drained:
		return CodeUnknownWorker
	case w.state == WorkerAlive:
	case w.jvm:
		return CodeInvalid
	case w.state == WorkerDead:
		w.drained, w.undrained = false, true
	default:
		w.state, w.undrained = WorkerAlive, true
	}
	return CodeOK
}

func (m *model) loseDriver(d *modelDriver, held bool) {
	switch {
	case d.killAsked:
		m.endDriver(d, DriverKilled)
	case d.supervise:
		d.state, d.held = DriverRelaunching, true
		if !held {
			d.unhold()
			return
		}
		d.holds++
		d.life = m.worker(d.worker).life
	default:
		m.endDriver(d, DriverError)
	}
}

func (m *model) endDriver(d *modelDriver, s DriverState) { d.state, d.held = s, false }

func (m *model) endApp(a *modelApp, s AppState) {
	for _, e := range a.execs {
		if !e.state.Finished() {
			e.state = ExecutorKilled
		}
	}
	a.state = s
}

// apply carries a command out and says how it is answered.
func (m *model) apply(c Command) Code {
	switch c := c.(type) {
	case *RegisterWorker:
		return m.registerWorker(c)
	case *WorkerLost:
		w := m.worker(c.ID)
		if w == nil || w.state == WorkerDead || c.Incarnation != "" && c.Incarnation != w.life {
			return CodeUnknownWorker
		}
		m.loseWorker(w, c.Silent)
	case *DecommissionWorker:
		w := m.worker(c.ID)
		if w == nil || w.state == WorkerDead || c.Incarnation != "" && c.Incarnation != w.life {
			return CodeUnknownWorker
		}
		m.drain(w)
	case *DecommissionHosts:
		for _, w := range m.workers {
			if w.state != WorkerDead && slices.ContainsFunc(c.Hosts, func(h string) bool { return strings.EqualFold(h, w.host) }) {
				m.drain(w)
			}
		}
	case *RecommissionWorker:
		return m.recommission(c)
	case *PruneWorkers:
		m.workers = slices.DeleteFunc(m.workers, func(w *modelWorker) bool { return w.state == WorkerDead })
	case *SuspectWorker:
		if w := m.worker(c.ID); w == nil || w.state == WorkerDead {
			return CodeUnknownWorker
		}
		if c.Since < 0 {
			return CodeInvalid
		}
	case *SetBrake:
		if c.Brake.Since < 0 || c.Brake.Until < c.Brake.Since {
			return CodeInvalid
		}
	case *WorkerReport:
		return m.report(c)
	case *RegisterApplication:
		m.registerApp(c)
	case *FinishApplication:
		a := m.app(c.AppID)
		if a == nil {
			return CodeUnknownApp
		}
		m.endApp(a, c.State)
	case *RequestExecutors:
		return m.requestExecutors(c)
	case *KillExecutors:
		a := m.app(c.AppID)
		if a == nil {
			return CodeUnknownApp
		}
		for _, id := range c.IDs {
			if e := a.exec(id); e != nil {
				e.state = ExecutorKilled
			}
		}
	case *ExecutorStateChanged:
		return m.executorChanged(c)
	case *ApplyPlan:
		m.plan(c)
	case *SubmitDriver:
		m.drivers = append(m.drivers, &modelDriver{
			id: fmt.Sprintf("driver-%04d", m.driverNumber), cores: c.Driver.Cores, memory: c.Driver.MemoryMB, supervise: c.Driver.Supervise, state: DriverSubmitted,
			run: fmt.Sprintf("driver-%04d", m.driverNumber), runs: []string{fmt.Sprintf("driver-%04d", m.driverNumber)},
		})
		m.driverNumber++
	case *KillDriver:
		d := m.driver(c.ID)
		switch {
		case d == nil:
			return CodeUnknownDriver
		case d.waits():
			m.endDriver(d, DriverKilled)
		default:
			d.killAsked = true
		}
	case *DriverStateChanged:
		d := m.run(c.ID)
		if d == nil || d.state != DriverRunning && !d.held {
			return CodeUnknownDriver
		}
		m.endDriver(d, c.State)
	case *LoseDriver:
		switch d := m.run(c.ID); {
		case d == nil || d.state != DriverRunning && !d.held:
			return CodeUnknownDriver
		case d.held:
			d.unhold()
		default:
			m.loseDriver(d, false)
		}
	case *ReleaseDriver:
		d := m.run(c.ID)
		if d == nil || !d.held || d.holds != c.Hold {
			return CodeUnknownDriver
		}
		d.unhold()
	}
	return CodeOK
}

func (m *model) registerWorker(c *RegisterWorker) Code {
	in := c.Worker
	same := m.worker(in.ID)
	if same != nil && same.state != WorkerDead && same.life == in.Incarnation {
		if c.Drain == DrainAsked || c.Drain == DrainKept && !same.undrained {
			m.drain(same)
		}
		return CodeOK
	}
	var holder *modelWorker
	for _, w := range m.workers {
		if w.host == in.Host && w.port == in.Port && w.state != WorkerDead && w.id != in.ID {
			holder = w
		}
	}
	if holder != nil && !c.ReplaceAddress {
		return CodeAddressTaken
	}
	state := WorkerAlive
	sameLife := same != nil && same.life == in.Incarnation
	undrained := sameLife && same.undrained
	if c.Drain == DrainAsked || c.Drain == DrainKept && !undrained || sameLife && same.drained {
		state, undrained = WorkerDecommissioned, false
	}
	if same != nil && same.state != WorkerDead {
		m.loseWorker(same, c.PastSilent)
	}
	if holder != nil {
		m.loseWorker(holder, false)
	}
	m.workers = slices.DeleteFunc(m.workers, func(w *modelWorker) bool {
		return w.id == in.ID || w.state == WorkerDead && w.host == in.Host && w.port == in.Port
	})
	for _, d := range m.drivers {
		if d.held && d.worker == in.ID && d.life != in.Incarnation && !c.PastSilent {
			d.unhold()
		}
	}
	m.workers = append(m.workers, &modelWorker{id: in.ID, host: in.Host, port: in.Port, life: in.Incarnation, cores: in.Cores, memory: in.MemoryMB, state: state, undrained: undrained, jvm: in.Kind == WorkerJVM, lease: in.DriverLeaseMS > 0})
	return CodeOK
}

func (m *model) registerApp(c *RegisterApplication) {
	for _, a := range m.apps {
		if a.port == c.App.DriverPort && !a.state.Ended() {
			return
		}
	}
	m.apps = append(m.apps, &modelApp{
		id: fmt.Sprintf("app-%04d", m.appNumber), port: c.App.DriverPort, max: c.App.MaxCores, profiles: slices.Clone(c.App.Profiles[:1]), state: AppWaiting,
	})
	m.appNumber++
}

func (m *model) requestExecutors(c *RequestExecutors) Code {
	a := m.app(c.AppID)
	if a == nil {
		return CodeUnknownApp
	}
	for _, want := range c.Targets {
		i := slices.IndexFunc(a.profiles, func(p Profile) bool { return p.ID == want.ID })
		if i < 0 {
			if want.Cores == 0 {
				want.Cores = a.profiles[0].Cores
			}
			if want.MemoryMB == 0 {
				want.MemoryMB = a.profiles[0].MemoryMB
			}
			a.profiles = append(a.profiles, want)
			continue
		}
		a.profiles[i].Target = want.Target
	}
	return CodeOK
}

func (m *model) executorChanged(c *ExecutorStateChanged) Code {
	a := m.app(c.AppID)
	if a == nil {
		return CodeUnknownApp
	}
	e := a.exec(c.ID)
	if e == nil {
		return CodeUnknownExecutor
	}
	before := e.state
	if c.State == ExecutorRunning {
		if before == ExecutorLaunching {
			e.state = ExecutorRunning
			a.failures = 0
		}
		return CodeOK
	}
	e.state = c.State
	if c.ExitStatus != nil && *c.ExitStatus == 0 || before == ExecutorDecommissioned {
		return CodeOK
	}
	a.failures++
	if _, running := a.live(-1, ExecutorRunning); a.failures >= m.maxRetries && running == 0 {
		m.endApp(a, AppFailed)
	}
	return CodeOK
}

func (m *model) report(c *WorkerReport) Code {
	w := m.worker(c.ID)
	if w == nil || w.state == WorkerDead {
		return CodeUnknownWorker
	}
	for _, a := range m.apps {
		for _, e := range a.execs {
			if e.worker != w.id || e.state.Finished() {
				continue
			}
			listed := slices.ContainsFunc(c.Executors, func(r ReportedExecutor) bool { return r.AppID == a.id && r.ID == e.id })
			switch {
			case listed && e.state == ExecutorLaunching:
				e.state = ExecutorRunning
				a.failures = 0
			case !listed && e.state != ExecutorLaunching:
				e.state = ExecutorLost
			}
		}
	}
	for _, id := range c.Drivers {
		if d := m.run(id); d != nil && d.held && d.worker == w.id && d.life == w.life && m.room(w, d.cores, d.memory) {
			d.state, d.held = DriverRunning, false
		}
	}
	for _, d := range m.drivers {
		if d.held && d.worker == w.id && d.life == w.life && !slices.Contains(c.Drivers, d.run) {
			d.unhold()
		}
	}
	return CodeOK
}

func (m *model) room(w *modelWorker, cores, memory int) bool {
	usedCores, usedMemory := m.used(w.id)
	return usedCores+cores <= w.cores && usedMemory+memory <= w.memory
}

func (m *model) plan(c *ApplyPlan) {
	fits := func(id string, cores, memory int) bool {
		w := m.worker(id)
		return w != nil && w.state == WorkerAlive && m.room(w, cores, memory)
	}
	for _, p := range c.Drivers {
		if d := m.driver(p.DriverID); d != nil && d.id == p.DriverID && d.waits() && !d.held && fits(p.WorkerID, d.cores, d.memory) {
			if d.placed {
				d.run = fmt.Sprintf("driver-%04d", m.driverNumber)
				d.runs = append(d.runs, d.run)
				m.driverNumber++
			}
			d.state, d.worker, d.placed = DriverRunning, p.WorkerID, true
		}
	}
	for _, p := range c.Executors {
		a := m.app(fmt.Sprintf("app-%04d", p.AppSeq-1))
		if a == nil {
			continue
		}
		i := slices.IndexFunc(a.profiles, func(x Profile) bool { return x.ID == p.Profile })
		if i < 0 {
			continue
		}
		prof := a.profiles[i]
		cores, _ := a.live(-1, ExecutorLaunching, ExecutorRunning)
		_, n := a.live(p.Profile, ExecutorLaunching, ExecutorRunning)
		if n >= prof.Target || p.Cores < 1 || prof.Cores > 0 && p.Cores != prof.Cores || cores+p.Cores > a.max || !fits(p.WorkerID, p.Cores, prof.MemoryMB) {
			continue
		}
		a.execs = append(a.execs, &modelExecutor{id: len(a.execs), cores: p.Cores, memory: prof.MemoryMB, profile: p.Profile, worker: p.WorkerID, state: ExecutorLaunching})
		a.state = AppRunning
	}
}

// compare tells the first difference to a state.
func (m *model) compare(s *State) error {
	if s.WorkerCount() != len(m.workers) {
		return fmt.Errorf("%d workers, the model has %d", s.WorkerCount(), len(m.workers))
	}
	for _, w := range m.workers {
		got, ok := s.Worker(w.id)
		cores, memory := m.used(w.id)
		if !ok || got.State != w.state || got.Undrained != w.undrained || got.Drained != (w.state == WorkerDead && w.drained) || got.Incarnation != w.life || got.CoresUsed != cores || got.MemoryUsedMB != memory {
			return fmt.Errorf("worker %+v, the model has %+v with %d cores and %d MiB used", got, w, cores, memory)
		}
	}
	live := 0
	for _, a := range m.apps {
		if a.state.Ended() {
			continue
		}
		live++
		if err := a.compare(s); err != nil {
			return err
		}
	}
	if s.AppCount() != live {
		return fmt.Errorf("%d applications, the model has %d", s.AppCount(), live)
	}
	return m.compareDrivers(s)
}

func (a *modelApp) compare(s *State) error {
	got, ok := s.App(a.id)
	cores, n := a.live(-1, ExecutorLaunching, ExecutorRunning)
	_, running := a.live(-1, ExecutorRunning)
	if !ok || got.State != a.state || got.Cores != cores || got.Running != running || got.Failures != a.failures || len(got.Profiles) != len(a.profiles) || got.NextExecID != len(a.execs) {
		return fmt.Errorf("application %+v, the model has %+v with %d cores, %d live and %d running", got, a, cores, n, running)
	}
	for _, p := range a.profiles {
		if g, ok := got.Profile(p.ID); !ok || g.Target != p.Target || g.Cores != p.Cores || g.MemoryMB != p.MemoryMB {
			return fmt.Errorf("application %s, profile %+v, the model has %+v", a.id, g, p)
		}
	}
	for _, e := range a.execs {
		g, ok := s.Executor(got, e.id)
		if !ok && e.state.Finished() {
			continue // only the last ones are kept
		}
		if !ok || g.State != e.state || g.WorkerID != e.worker || g.Cores != e.cores {
			return fmt.Errorf("executor %s/%d %+v, the model has %+v", a.id, e.id, g, e)
		}
	}
	return nil
}

func (m *model) compareDrivers(s *State) error {
	live := 0
	var waiting []string
	for _, d := range m.drivers {
		if d.waits() {
			waiting = append(waiting, d.id)
		}
		if !d.waits() && d.state != DriverRunning {
			continue
		}
		live++
		if g, ok := s.Driver(d.id); !ok || g.State != d.state || g.WorkerID != d.worker || g.KillAsked != d.killAsked || g.HoldMS > 0 != d.held || g.RunID != d.run {
			return fmt.Errorf("driver %+v, the model has %+v", g, d)
		}
	}
	var queue []string
	for d := range s.WaitingDrivers() {
		queue = append(queue, d.ID)
	}
	if s.DriverCount() != live || !slices.Equal(queue, waiting) {
		return fmt.Errorf("%d drivers with queue %v, the model has %d with %v", s.DriverCount(), queue, live, waiting)
	}
	for d := range s.CompletedDrivers() {
		i := slices.IndexFunc(m.drivers, func(x *modelDriver) bool { return x.id == d.ID })
		if i < 0 || m.drivers[i].state != d.State {
			return fmt.Errorf("completed driver %+v is not the model's", d)
		}
	}
	return nil
}

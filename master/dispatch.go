package master

import (
	"log/slog"
	"math"
	"slices"
	"sync"

	"github.com/firesteel/firesteel/fsm"
)

// workerLine is a connection over which one worker is told what to do. Its methods do not block.
type workerLine interface {
	launch(a *fsm.App, e *fsm.Executor)
	kill(e fsm.ExecutorKey)
	launchDriver(d *fsm.Driver)
	killDriver(runID string)
	applicationFinished(appID string)
	decommission()
	recommission()
	// forgets tells that the worker's list has nothing of executors that ended: one that is not in it may never have been
	// started, or be over.
	forgets() bool
	// close ends the line; the worker then comes back with its list.
	close()
	// done is closed when the line has ended.
	done() <-chan struct{}
}

// dispatcher keeps what each worker runs equal to what the state says it should run: the difference at the moment a
// worker shows its list, and every change after it.
type dispatcher struct {
	log   *slog.Logger
	state func() *fsm.State

	mu    sync.Mutex
	links map[string]*workerLink
	ran   map[uint64]map[string]bool // live applications by App.Seq: the workers that have something of them
}

// workerLink is one worker as the dispatcher sees it. Events up to the index at which the line was attached are in what
// was sent then: a JVM worker must never be sent a launch twice (trap 17).
type workerLink struct {
	mu       sync.Mutex
	line     workerLine
	attached uint64
	// launched are the executors that were sent over line, or are given up, and have not been heard of since. A worker may
	// show a list on a line that it made before such a launch reached it.
	launched map[fsm.ExecutorKey]bool
	runs     map[string]bool // the same for runs of drivers
	gone     bool            // no longer in dispatcher.links
}

func newDispatcher(log *slog.Logger, state func() *fsm.State) *dispatcher {
	return &dispatcher{log: log, state: state, links: map[string]*workerLink{}, ran: map[uint64]map[string]bool{}}
}

// find gives the link of a worker that has been attached, locked.
func (d *dispatcher) find(workerID string) (*workerLink, bool) {
	d.mu.Lock()
	l, ok := d.links[workerID]
	d.mu.Unlock()
	if !ok {
		return nil, false
	}
	l.mu.Lock()
	if l.gone {
		l.mu.Unlock()
		return nil, false
	}
	return l, true
}

// make gives the link of a worker, locked.
func (d *dispatcher) make(workerID string) *workerLink {
	for {
		if l, ok := d.find(workerID); ok {
			return l
		}
		d.mu.Lock()
		if _, ok := d.links[workerID]; !ok {
			d.links[workerID] = &workerLink{}
		}
		d.mu.Unlock()
	}
}

// workerList is what a worker shows of itself: executors and runs of drivers that are not over, and applications that it
// keeps something of.
type workerList struct {
	executors []fsm.ExecutorKey
	drivers   []string
	apps      []string
	drained   bool // it believes to be
}

// unclear are executors and runs of drivers that were to be launched over an earlier line, of this term or of another
// leader, by a worker that forgets. They must not be launched again (trap 17), and count as lost. So does a run whose end
// was asked for before its worker was told of it.
type unclear struct {
	executors []fsm.ExecutorKey
	drivers   []string
}

// attach starts to use a line to a worker that has just shown its list. The line may be the one in use already: then the
// worker has shown its list again.
func (d *dispatcher) attach(workerID string, line workerLine, list workerList) (unclear unclear) {
	l := d.make(workerID)
	defer l.mu.Unlock()
	unsure := l.line != line && line.forgets()
	if l.line != line {
		if l.line != nil {
			l.line.close()
		}
		l.launched, l.runs = map[fsm.ExecutorKey]bool{}, map[string]bool{}
	}
	s := d.state()
	w, ok := s.Worker(workerID)
	if !ok || w.State == fsm.WorkerDead { // lost since it showed its list: it has to register again
		line.close()
		return unclear
	}
	unclear.drivers = d.compareDrivers(s, workerID, l, line, list.drivers, unsure)
	if list.drained || w.State == fsm.WorkerDecommissioned {
		d.tellStanding(workerID, line) // before any launch: a worker that believes to be drained starts nothing
	}
	wanted := map[fsm.ExecutorKey]bool{}
	has := map[fsm.ExecutorKey]bool{}
	for _, key := range list.executors {
		has[key] = true
	}
	for e := range s.ExecutorsOn(workerID) {
		key := keyOf(e)
		wanted[key] = true
		if a, ok := s.App(e.AppID); ok && e.State == fsm.ExecutorLaunching && !has[key] && !l.launched[key] {
			l.launched[key] = true
			if unsure {
				unclear.executors = append(unclear.executors, key)
				continue
			}
			line.launch(a, e)
		}
	}
	for _, key := range list.executors {
		if !wanted[key] {
			d.log.Info("a worker runs an executor that it should not: killing it", "worker", workerID, "app", key.AppID, "executor", key.ID)
			line.kill(key)
		}
	}
	for _, id := range list.apps {
		if a, live := s.App(id); live {
			d.noteRan(a, workerID)
		} else {
			line.applicationFinished(id)
		}
	}
	l.line, l.attached = line, s.Index()
	return unclear
}

// compareDrivers is attach's part about drivers.
func (d *dispatcher) compareDrivers(s *fsm.State, workerID string, l *workerLink, line workerLine, listed []string, unsure bool) (unclear []string) {
	wanted := map[string]bool{}
	for drv := range s.DriversOn(workerID) {
		wanted[drv.RunID] = !drv.KillAsked
		if slices.Contains(listed, drv.RunID) || l.runs[drv.RunID] {
			continue
		}
		l.runs[drv.RunID] = true
		if unsure || drv.KillAsked {
			unclear = append(unclear, drv.RunID)
		} else {
			line.launchDriver(drv)
		}
	}
	for _, run := range listed {
		if !wanted[run] {
			d.log.Info("a worker runs a driver that it should not: killing it", "worker", workerID, "driver", run)
			line.killDriver(run)
		}
	}
	return unclear
}

// attachedLine gives a worker's line, if there is one that lives.
func (d *dispatcher) attachedLine(workerID string) (workerLine, bool) {
	l, ok := d.find(workerID)
	if !ok {
		return nil, false
	}
	defer l.mu.Unlock()
	if l.line == nil || closed(l.line.done()) {
		return nil, false
	}
	return l.line, true
}

// drop forgets a worker that is gone as of an index, and ends its line. One that has been attached since is another life.
func (d *dispatcher) drop(workerID string, index uint64) {
	l, ok := d.find(workerID)
	if !ok {
		return
	}
	defer l.mu.Unlock()
	if index <= l.attached {
		return
	}
	if l.line != nil {
		l.line.close()
	}
	l.line, l.launched, l.runs, l.gone = nil, nil, nil, true
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.links, workerID)
}

// tell hands an event's message to a worker's line unless attach has covered it.
func (d *dispatcher) tell(workerID string, index uint64, send func(l *workerLink)) {
	l, ok := d.find(workerID)
	if !ok {
		return
	}
	defer l.mu.Unlock()
	if l.line != nil && index > l.attached {
		send(l)
	}
}

// handle carries one event to the workers it concerns.
func (d *dispatcher) handle(ev fsm.Event) {
	switch ev.Kind {
	case fsm.ExecutorPlaced:
		d.noteRan(ev.App, ev.Executor.WorkerID)
		d.tell(ev.Executor.WorkerID, ev.Index, func(l *workerLink) {
			l.launched[keyOf(ev.Executor)] = true
			l.line.launch(ev.App, ev.Executor)
		})
	case fsm.ExecutorChanged:
		d.heardOf(ev.Executor)
		if e := ev.Executor; e.State == fsm.ExecutorLost && !e.HostLost { // nobody will look after it if it runs all the same
			d.tell(e.WorkerID, ev.Index, func(l *workerLink) { l.line.kill(keyOf(e)) })
		}
	case fsm.ExecutorDismissed:
		d.heardOf(ev.Executor)
		d.noteRan(ev.App, ev.Executor.WorkerID)
		d.tell(ev.Executor.WorkerID, ev.Index, func(l *workerLink) { l.line.kill(keyOf(ev.Executor)) })
	case fsm.DriverPlaced:
		d.tell(ev.Driver.WorkerID, ev.Index, func(l *workerLink) {
			l.runs[ev.Driver.RunID] = true
			l.line.launchDriver(ev.Driver)
		})
	case fsm.DriverDismissed:
		d.tell(ev.Driver.WorkerID, ev.Index, func(l *workerLink) { l.line.killDriver(ev.Driver.RunID) })
	case fsm.DriverChanged:
		if ev.Driver.State.Ends() {
			d.runIsOver(ev.Driver)
		}
	case fsm.AppEnded:
		for _, e := range ev.Executors {
			d.noteRan(ev.App, e.WorkerID)
		}
		for id := range d.takeRan(ev.App) {
			d.tell(id, ev.Index, func(l *workerLink) { l.line.applicationFinished(ev.App.ID) })
		}
	case fsm.WorkerChanged:
		if !ev.Registered {
			d.tell(ev.Worker.ID, ev.Index, func(l *workerLink) { d.tellStanding(ev.Worker.ID, l.line) })
		}
	case fsm.WorkerGone:
		d.drop(ev.Worker.ID, ev.Index)
	}
}

// heardOf: the worker has the launch of an executor that is not LAUNCHING any more, or does not need it.
func (d *dispatcher) heardOf(e *fsm.Executor) {
	if l, ok := d.find(e.WorkerID); ok {
		defer l.mu.Unlock()
		delete(l.launched, keyOf(e))
	}
}

// runIsOver: nothing of a driver that has ended is to be launched any more.
func (d *dispatcher) runIsOver(drv *fsm.Driver) {
	if l, ok := d.find(drv.WorkerID); ok {
		defer l.mu.Unlock()
		delete(l.runs, drv.RunID)
	}
}

// noteRan notes a worker that has something of an application. Spark tells every worker of the cluster of an end; those
// that never had an executor have nothing to clean. The event of the end names the application's last executors only.
func (d *dispatcher) noteRan(a *fsm.App, workerID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ran[a.Seq] == nil {
		d.ran[a.Seq] = map[string]bool{}
	}
	d.ran[a.Seq][workerID] = true
}

// takeRan gives the workers that have something of an application which has ended.
func (d *dispatcher) takeRan(a *fsm.App) map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.ran[a.Seq]
	delete(d.ran, a.Seq)
	return out
}

func keyOf(e *fsm.Executor) fsm.ExecutorKey { return fsm.ExecutorKey{AppID: e.AppID, ID: e.ID} }

// closeAll ends every line at the end of the term.
func (d *dispatcher) closeAll() {
	d.mu.Lock()
	ids := make([]string, 0, len(d.links))
	for id := range d.links {
		ids = append(ids, id)
	}
	d.mu.Unlock()
	for _, id := range ids {
		d.drop(id, math.MaxUint64)
	}
}

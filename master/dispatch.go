package master

import (
	"log/slog"
	"sync"

	"github.com/firesteel/firesteel/fsm"
)

// workerLine is a connection over which one worker is told what to do. Its methods do not block.
type workerLine interface {
	launch(a *fsm.App, e *fsm.Executor)
	kill(e fsm.ExecutorKey)
	applicationFinished(appID string)
	decommission()
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
}

// workerLink is one worker as the dispatcher sees it. Events up to the index at which the line was attached are in what
// was sent then: a JVM worker must never be sent a launch twice (trap 17).
type workerLink struct {
	mu       sync.Mutex
	line     workerLine
	attached uint64
}

func newDispatcher(log *slog.Logger, state func() *fsm.State) *dispatcher {
	return &dispatcher{log: log, state: state, links: map[string]*workerLink{}}
}

func (d *dispatcher) link(workerID string) *workerLink {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, ok := d.links[workerID]
	if !ok {
		l = &workerLink{}
		d.links[workerID] = l
	}
	return l
}

// attach starts to use a line to a worker that has just shown its list. listed are the executors it runs (running ones
// only), apps the applications it keeps something of.
func (d *dispatcher) attach(workerID string, line workerLine, listed []fsm.ExecutorKey, apps []string) {
	l := d.link(workerID)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line != nil && l.line != line {
		l.line.close()
	}
	s := d.state()
	wanted := map[fsm.ExecutorKey]bool{}
	has := map[fsm.ExecutorKey]bool{}
	for _, key := range listed {
		has[key] = true
	}
	for e := range s.ExecutorsOn(workerID) {
		key := fsm.ExecutorKey{AppID: e.AppID, ID: e.ID}
		wanted[key] = true
		if a, ok := s.App(e.AppID); ok && e.State == fsm.ExecutorLaunching && !has[key] {
			line.launch(a, e)
		}
	}
	for _, key := range listed {
		if !wanted[key] {
			d.log.Info("a worker runs an executor that it should not: killing it", "worker", workerID, "app", key.AppID, "executor", key.ID)
			line.kill(key)
		}
	}
	for _, id := range apps {
		if _, live := s.App(id); !live {
			line.applicationFinished(id)
		}
	}
	if w, ok := s.Worker(workerID); ok && w.State == fsm.WorkerDecommissioned {
		line.decommission()
	}
	l.line, l.attached = line, s.Index()
}

// attached gives a worker's line, if there is one that lives.
func (d *dispatcher) attachedLine(workerID string) (workerLine, bool) {
	l := d.link(workerID)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line == nil {
		return nil, false
	}
	select {
	case <-l.line.done():
		return nil, false
	default:
		return l.line, true
	}
}

// drop forgets a worker and ends its line.
func (d *dispatcher) drop(workerID string) {
	d.mu.Lock()
	l := d.links[workerID]
	delete(d.links, workerID)
	d.mu.Unlock()
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line != nil {
		l.line.close()
		l.line = nil
	}
}

// tell hands an event's message to a worker's line unless attach has covered it.
func (d *dispatcher) tell(workerID string, index uint64, send func(workerLine)) {
	l := d.link(workerID)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line != nil && index > l.attached {
		send(l.line)
	}
}

// handle carries one event to the workers it concerns.
func (d *dispatcher) handle(ev fsm.Event) {
	switch ev.Kind {
	case fsm.ExecutorPlaced:
		d.tell(ev.Executor.WorkerID, ev.Index, func(l workerLine) { l.launch(ev.App, ev.Executor) })
	case fsm.ExecutorDismissed:
		key := fsm.ExecutorKey{AppID: ev.Executor.AppID, ID: ev.Executor.ID}
		d.tell(ev.Executor.WorkerID, ev.Index, func(l workerLine) { l.kill(key) })
	case fsm.AppEnded:
		for _, id := range workersOf(ev) {
			d.tell(id, ev.Index, func(l workerLine) { l.applicationFinished(ev.App.ID) })
		}
	case fsm.WorkerChanged:
		if ev.Worker.State == fsm.WorkerDecommissioned {
			d.tell(ev.Worker.ID, ev.Index, func(l workerLine) { l.decommission() })
		}
	case fsm.WorkerGone:
		d.drop(ev.Worker.ID)
	}
}

// workersOf names the workers that ran anything of an ended application. Spark tells every worker of the cluster; those
// that never had an executor of it have nothing to clean.
func workersOf(ev fsm.Event) []string {
	seen := map[string]bool{}
	var out []string
	for _, e := range ev.Executors {
		if !seen[e.WorkerID] {
			seen[e.WorkerID] = true
			out = append(out, e.WorkerID)
		}
	}
	return out
}

// closeAll ends every line at the end of the term.
func (d *dispatcher) closeAll() {
	d.mu.Lock()
	ids := make([]string, 0, len(d.links))
	for id := range d.links {
		ids = append(ids, id)
	}
	d.mu.Unlock()
	for _, id := range ids {
		d.drop(id)
	}
}

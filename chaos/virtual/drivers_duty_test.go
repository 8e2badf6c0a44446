package virtual

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/lease"
)

// duty is what a leader does about workers and drivers in its term, as package master does it: sessions, launches and kills,
// verdicts on silent workers, holds of their drivers.
type duty struct {
	f     *fleet
	p     *process
	ctx   context.Context
	term  uint64
	since time.Time
	tasks sync.WaitGroup

	mu    sync.Mutex
	lines map[string]*dutyLine // by worker
	heard map[string]time.Time
	acks  []func()
}

// dutyLine is one worker's session as the leader sees it.
type dutyLine struct {
	wire     *wire
	life     string
	attached uint64
	launched map[string]bool
}

const (
	beatEvery     = 500 * time.Millisecond
	lostAfter     = 2500 * time.Millisecond
	newLeaderWait = 5 * time.Second // in which a new leader declares nobody lost for silence
)

func (f *fleet) takeDuty(ctx context.Context, p *process, term uint64, s *fsm.State) *duty {
	d := &duty{f: f, p: p, ctx: ctx, term: term, since: time.Now(), lines: map[string]*dutyLine{}, heard: map[string]time.Time{}}
	for drv := range s.WaitingDrivers() {
		d.hold(drv)
	}
	d.tasks.Go(d.watch)
	d.tasks.Go(d.acknowledge)
	p.duty.Store(d)
	return d
}

func (d *duty) end() {
	d.p.duty.CompareAndSwap(d, nil)
	d.tasks.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lines {
		l.wire.toWorker.send(msgClosed{})
	}
}

// propose commits a command here. false: it did not, or not for sure.
func (d *duty) propose(c fsm.Command, out any) (done bool, refusal error) {
	d.p.awake()
	result, _, err := d.p.node.ApplyLocal(d.ctx, fsm.Encode(c, ""))
	if err != nil {
		return false, nil
	}
	return true, fsm.DecodeResult(result, out)
}

// rest is a pause of this process: while it is frozen, longer.
func (d *duty) rest(t time.Duration) bool {
	if rest(d.ctx, t) != nil {
		return false
	}
	d.p.awake()
	return d.ctx.Err() == nil
}

// hold is master's duties.hold.
func (d *duty) hold(drv *fsm.Driver) {
	if drv.HoldMS == 0 {
		return
	}
	run, hold, wait := drv.RunID, drv.Holds, lease.Hold(time.Duration(drv.HoldMS)*time.Millisecond)
	if d.f.broken == noHold {
		wait = 0
	}
	d.tasks.Go(func() {
		if !d.rest(wait) {
			return
		}
		if d.f.broken == holdsMixed {
			if now, ok := d.p.state.State().Driver(run); ok {
				hold = now.Holds
			}
		}
		for d.ctx.Err() == nil {
			if done, _ := d.propose(&fsm.ReleaseDriver{ID: run, Hold: hold, At: now()}, nil); done {
				return
			}
			d.rest(100 * time.Millisecond)
		}
	})
}

// handle is called for what happened, in order.
func (d *duty) handle(events []fsm.Event) {
	for _, ev := range events {
		d.p.awake()
		switch ev.Kind {
		case fsm.DriverPlaced:
			d.tell(ev.Driver.WorkerID, ev.Index, func(l *dutyLine) { d.launch(l, ev.Driver) })
		case fsm.DriverDismissed:
			d.tell(ev.Driver.WorkerID, ev.Index, func(l *dutyLine) { l.wire.toWorker.send(msgKill{ev.Driver.RunID, d.term}) })
		case fsm.DriverChanged:
			d.hold(ev.Driver)
		case fsm.WorkerGone:
			d.tell(ev.Worker.ID, ev.Index, func(l *dutyLine) {
				l.wire.toWorker.send(msgClosed{})
				delete(d.lines, ev.Worker.ID)
			})
		}
	}
}

func (d *duty) tell(worker string, index uint64, do func(l *dutyLine)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.lines[worker]; l != nil && index > l.attached {
		do(l)
	}
}

func (d *duty) launch(l *dutyLine, drv *fsm.Driver) {
	l.launched[drv.RunID] = true
	l.wire.toWorker.send(msgLaunch{drv.ID, drv.RunID, drv.Attempt, drv.Supervise, d.term})
}

// receive is called for what comes of a worker, in order.
func (d *duty) receive(w *wire, m any) {
	if d.ctx.Err() != nil {
		return
	}
	switch m := m.(type) {
	case msgHello:
		d.welcome(w, m)
	case msgReport:
		d.reported(w, m.report1)
	case msgBeat:
		d.mu.Lock()
		defer d.mu.Unlock()
		for id, l := range d.lines {
			if l.wire == w {
				d.heard[id] = time.Now()
			}
		}
		ack := func() { w.toWorker.send(msgAck(m)) }
		if d.f.broken == acksUnconfirmed {
			ack()
			return
		}
		d.acks = append(d.acks, ack)
	}
}

// acknowledge is master's acks.
func (d *duty) acknowledge() {
	for d.rest(50 * time.Millisecond) {
		d.mu.Lock()
		acks := d.acks
		d.acks = nil
		d.mu.Unlock()
		if len(acks) == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(d.ctx, 2*time.Second)
		err := d.p.node.VerifyLeader(ctx, d.term)
		cancel()
		d.p.awake()
		if err == nil {
			for _, ack := range acks {
				ack()
			}
		}
	}
}

// welcome registers a worker, takes its list and begins to use its line.
func (d *duty) welcome(w *wire, h msgHello) {
	close := func() { w.toWorker.send(msgClosed{}) }
	c := &fsm.RegisterWorker{Worker: h.w}
	if old, ok := d.p.state.State().Worker(h.w.ID); ok && old.Incarnation != h.w.Incarnation {
		switch d.ask(old) {
		case answers:
			if old.State != fsm.WorkerDead {
				w.toWorker.send(msgRefused{})
				return
			}
			c.PastSilent = true
		case silent:
			c.PastSilent = true
		}
	}
	if d.f.broken == newLifeFrees {
		c.PastSilent = false
	}
	if done, refusal := d.propose(c, nil); !done || refusal != nil {
		close()
		return
	}
	for _, r := range h.over {
		d.reported(w, r)
	}
	if done, refusal := d.propose(&fsm.WorkerReport{ID: h.w.ID, Incarnation: h.w.Incarnation, Drivers: h.running, At: now()}, nil); !done || refusal != nil {
		close()
		return
	}
	w.toWorker.send(msgWelcome{d.term})
	d.attach(w, h)
}

func (d *duty) attach(w *wire, h msgHello) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.p.state.State()
	me, ok := s.Worker(h.w.ID)
	if !ok || me.State == fsm.WorkerDead || me.Incarnation != h.w.Incarnation {
		w.toWorker.send(msgClosed{})
		return
	}
	if old := d.lines[h.w.ID]; old != nil {
		old.wire.toWorker.send(msgClosed{})
	}
	l := &dutyLine{wire: w, life: h.w.Incarnation, attached: s.Index(), launched: map[string]bool{}}
	d.lines[h.w.ID], d.heard[h.w.ID] = l, time.Now()
	wanted := map[string]bool{}
	for drv := range s.DriversOn(h.w.ID) {
		wanted[drv.RunID] = !drv.KillAsked
		switch {
		case slices.Contains(h.running, drv.RunID):
		case drv.KillAsked:
			d.tasks.Go(func() { _, _ = d.propose(d.lost(drv.RunID, h.w.ID), nil) })
		default:
			d.launch(l, drv)
		}
	}
	for _, run := range h.running {
		if !wanted[run] {
			w.toWorker.send(msgKill{run, d.term})
		}
	}
}

func (d *duty) lost(run, worker string) *fsm.LoseDriver {
	return &fsm.LoseDriver{ID: run, WorkerID: worker, Reason: "it is over", At: now(), Retained: keepAll}
}

// reported commits the end of a run.
func (d *duty) reported(w *wire, r report1) {
	var c fsm.Command = &fsm.DriverStateChanged{ID: r.run, State: r.state, At: now(), Retained: keepAll}
	if r.state == fsm.DriverRelaunching {
		c = d.lost(r.run, "")
	}
	if done, _ := d.propose(c, nil); !done {
		w.toWorker.send(msgClosed{}) // it comes again with the next list
		return
	}
	w.toWorker.send(msgTaken{r.run}) // a refusal is acknowledged too
}

// What a question to a worker comes to.
type reply int

const (
	answers reply = iota
	gone          // refused: no process is there
	silent
)

// ask is a question to the address of a worker's life.
func (d *duty) ask(w *fsm.Worker) reply {
	if !d.rest(d.f.c.dice.upTo(normalLatency)) {
		return answers // which is no verdict
	}
	switch k := d.f.find(w.ID, w.Incarnation); {
	case !d.f.links.passes(d.p.addr, w.Host):
		return silent
	case k == nil || k.over():
		return gone
	case d.f.links.isFrozen(w.Host):
		return silent
	}
	return answers
}

// watch is master's liveness, without its patience for busy machines.
func (d *duty) watch() {
	for d.rest(100 * time.Millisecond) {
		for w := range d.p.state.State().Workers() {
			if w.State == fsm.WorkerDead {
				continue
			}
			d.mu.Lock()
			last := d.heard[w.ID]
			d.mu.Unlock()
			if last.IsZero() {
				last = d.since
			}
			if time.Since(last) < time.Second {
				continue
			}
			said := d.ask(w)
			switch {
			case d.ctx.Err() != nil:
				return
			case said == gone:
				_, _ = d.propose(&fsm.WorkerLost{ID: w.ID, Incarnation: w.Incarnation, Reason: "gone", At: now(), Retained: keepAll}, nil)
			case said == silent && time.Since(last) >= lostAfter && time.Since(d.since) >= newLeaderWait:
				_, _ = d.propose(&fsm.WorkerLost{ID: w.ID, Incarnation: w.Incarnation, Reason: "silent", At: now(), Retained: keepAll, Silent: true}, nil)
			case said == answers:
				d.mu.Lock()
				d.heard[w.ID] = time.Now()
				d.mu.Unlock()
			}
		}
	}
}

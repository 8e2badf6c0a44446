package virtual

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/lease"
)

// keeper is one life of a worker, a process: it keeps a session with whoever leads, runs drivers, and ends the supervised
// ones when its lease is over. A guardian, which is a process of its own and is not frozen with it, ends them if it cannot,
// and everything if it dies.
type keeper struct {
	f        *fleet
	id, life string
	addr     string
	ctx      context.Context // ends with the process
	kill     context.CancelFunc
	lease    *lease.Lease

	mu       sync.Mutex
	runs     map[string]*run1
	finals   []report1 // not acknowledged
	term     uint64
	session  *wire
	opened   bool
	refused  bool
	sequence uint64
	lastWord time.Time
	until    time.Time // the guardian's lease
	leased   chan struct{}
}

// run1 is one run of a driver, a process too.
type run1 struct {
	driver, run string
	supervise   bool
	attempt     int
	end         context.CancelCauseFunc // asks it to end
	over        chan struct{}
	at          string // which life of which worker, for messages
}

// The promise of every worker.
const (
	leaseTerm = 12 * time.Second
	killGrace = time.Second
	killTime  = 20 * time.Millisecond // of SIGKILL
	// prepareTime is what a run takes at least before its process is there: its directory, its files, the JVM.
	prepareTime = killTime
	leasePledge = leaseTerm + killGrace + time.Second
	// keepalive ends a session over which nothing comes.
	keepalive = 13 * time.Second
)

func (f *fleet) startKeeper(id string, n int) *keeper {
	k := &keeper{f: f, id: id, life: fmt.Sprintf("%s.%d", id, n), runs: map[string]*run1{}, leased: make(chan struct{}, 1)}
	k.addr = k.life
	k.ctx, k.kill = context.WithCancel(f.ctx)
	k.until = time.Now().Add(leaseTerm + killGrace)
	k.lease = lease.New(leaseTerm, func(left time.Duration) {
		k.mu.Lock()
		k.until = time.Now().Add(left + killGrace)
		k.mu.Unlock()
		select {
		case k.leased <- struct{}{}:
		default:
		}
	})
	f.mu.Lock()
	f.keepers[id] = append(f.keepers[id], k)
	f.mu.Unlock()
	f.tasks.Go(k.follow)
	if f.broken != leaseIgnored {
		f.tasks.Go(func() {
			k.lease.Watch(k.ctx, func() { k.awake(); k.endSupervised(fsm.DriverRelaunching) })
		})
		f.tasks.Go(k.guard)
	}
	f.tasks.Go(func() { // a dead worker's children are killed
		<-k.ctx.Done()
		_ = rest(f.ctx, f.c.dice.upTo(killTime))
		for _, r := range k.all() {
			r.end(errKilledHard)
		}
	})
	return k
}

func (k *keeper) over() bool { return k.ctx.Err() != nil }

func (k *keeper) awake() { _ = k.f.links.thawed(k.ctx, k.addr) }

func (k *keeper) all() (runs []*run1) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.runs {
		runs = append(runs, r)
	}
	return runs
}

// guard is the guardian.
func (k *keeper) guard() {
	for {
		k.mu.Lock()
		left := time.Until(k.until)
		k.mu.Unlock()
		var due <-chan time.Time
		if left > 0 {
			due = time.After(left)
		} else {
			for _, r := range k.all() {
				if r.supervise {
					r.end(errKilledHard)
				}
			}
			if k.f.broken != lateLaunches {
				due = time.After(killTime) // for what is started now
			}
		}
		select {
		case <-due:
		case <-k.leased:
		case <-k.ctx.Done():
			return
		}
	}
}

func (k *keeper) endSupervised(s fsm.DriverState) {
	for _, r := range k.all() {
		if r.supervise {
			r.end(wish{s})
		}
	}
}

// wish is why a run is ended: what it is then.
type wish struct{ state fsm.DriverState }

func (w wish) Error() string { return w.state.String() }

var errKilledHard = fmt.Errorf("killed hard: %w", wish{fsm.DriverRelaunching})

// follow keeps a session open.
func (k *keeper) follow() {
	for k.pause(20 * time.Millisecond) {
		k.mu.Lock()
		refused := k.refused && len(k.runs) == 0
		k.mu.Unlock()
		if refused {
			k.kill()
			return
		}
		k.once(k.f.c.any())
	}
}

func (k *keeper) pause(d time.Duration) bool {
	if rest(k.ctx, d+k.f.c.dice.upTo(d)) != nil {
		return false
	}
	k.awake()
	return k.ctx.Err() == nil
}

// once is one session, from its dial to its end.
func (k *keeper) once(p *process) {
	if p == nil || !k.f.links.passes(k.addr, p.addr) {
		k.pause(200 * time.Millisecond)
		return
	}
	d := p.duty.Load()
	if d == nil || p.dead() {
		k.pause(50 * time.Millisecond)
		return
	}
	w := &wire{f: k.f, sent: time.Now()}
	w.toLeader = k.f.newPipe(k.addr, p.addr, p.awake, func(m any) {
		if !p.dead() {
			d.receive(w, m)
		}
	})
	w.toWorker = k.f.newPipe(p.addr, k.addr, k.awake, func(m any) { k.receive(w, m) })
	defer w.toLeader.close()
	defer w.toWorker.close()
	sent := time.Now()
	k.mu.Lock()
	k.session, k.opened, k.lastWord, k.sequence = w, false, sent, 0
	h := msgHello{w: fsm.Worker{
		ID: k.id, Host: k.addr, Port: 7000, Cores: 3, MemoryMB: 4096, Kind: fsm.WorkerGo, Builds: []string{build}, Incarnation: k.life, Registered: now(),
		DriverLeaseMS: leasePledge.Milliseconds(),
	}, sent: sent, over: append([]report1(nil), k.finals...)}
	for run := range k.runs {
		h.running = append(h.running, run)
	}
	k.mu.Unlock()
	w.toLeader.send(h)
	for {
		select {
		case <-time.After(beatEvery):
		case <-w.toWorker.closed.Done():
			return
		case <-k.ctx.Done():
			return
		}
		k.awake()
		_ = rest(k.ctx, k.f.c.dice.upTo(normalLatency)) // nothing says that this is the first to run again
		k.mu.Lock()
		quiet, opened := time.Since(k.lastWord), k.opened
		if opened {
			k.sequence++
			k.lease.Beat(k.sequence)
			w.toLeader.send(msgBeat{k.sequence})
		}
		k.mu.Unlock()
		if quiet > keepalive || !opened && quiet > 5*time.Second || p.dead() {
			return
		}
	}
}

// receive is called for what comes of a leader, in order.
func (k *keeper) receive(w *wire, m any) {
	if k.over() || w.toWorker.closed.Err() != nil {
		return
	}
	k.mu.Lock()
	k.lastWord = time.Now()
	k.mu.Unlock()
	switch m := m.(type) {
	case msgWelcome:
		if !k.admit(m.term) {
			w.toWorker.close()
			return
		}
		k.mu.Lock()
		k.opened = true
		k.mu.Unlock()
		k.lease.Begin(k.helloSent(w))
	case msgRefused:
		k.mu.Lock()
		k.refused = true
		k.mu.Unlock()
		w.toWorker.close()
	case msgAck:
		k.lease.Acknowledged(m.sequence)
	case msgTaken:
		k.mu.Lock()
		for i, r := range k.finals {
			if r.run == m.run {
				k.finals = append(k.finals[:i:i], k.finals[i+1:]...)
				break
			}
		}
		k.mu.Unlock()
	case msgLaunch:
		if k.admit(m.term) {
			k.launch(m)
		}
	case msgKill:
		k.mu.Lock()
		r := k.runs[m.run]
		k.mu.Unlock()
		if k.admit(m.term) && r != nil {
			r.end(wish{fsm.DriverKilled})
		}
	}
}

func (k *keeper) helloSent(w *wire) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return w.sent
}

func (k *keeper) admit(term uint64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if term < k.term {
		return false
	}
	k.term = term
	return true
}

// launch is worker's startDriver and Drivers.Start.
func (k *keeper) launch(m msgLaunch) {
	_ = rest(k.ctx, k.f.c.dice.upTo(2*normalLatency)) // to read it; the lease may be noticed to be over before
	if m.supervise && k.lease.Over() && k.f.broken != lateLaunches && k.f.broken != leaseIgnored {
		k.final(report1{m.run, fsm.DriverRelaunching})
		return
	}
	k.mu.Lock()
	if k.runs[m.run] != nil || k.hasFinal(m.run) {
		k.mu.Unlock()
		return
	}
	r := &run1{driver: m.driver, run: m.run, attempt: m.attempt, supervise: m.supervise, over: make(chan struct{}), at: k.life}
	ctx, end := context.WithCancelCause(k.f.ctx)
	r.end = end
	var earlier []*run1
	for _, o := range k.runs {
		if o.driver == r.driver {
			earlier = append(earlier, o)
		}
	}
	k.runs[m.run] = r
	k.mu.Unlock()
	k.f.tasks.Go(func() {
		for _, o := range earlier {
			o.end(wish{fsm.DriverKilled})
			<-o.over
		}
		k.play(ctx, r)
	})
	if m.supervise && k.lease.Over() && k.f.broken == "" {
		k.endSupervised(fsm.DriverRelaunching)
	}
}

// play is the life of a run.
func (k *keeper) play(ctx context.Context, r *run1) {
	defer close(r.over)
	lives := k.f.lives
	if lives == 0 {
		lives = 2*time.Second + k.f.c.dice.upTo(90*time.Second)
	}
	state := fsm.DriverFinished
	_ = rest(ctx, prepareTime+k.f.c.dice.upTo(10*prepareTime))
	k.awake()
	late := r.supervise && k.lease.Over() && k.f.broken != lateLaunches && k.f.broken != leaseIgnored
	switch {
	case k.over():
	case late || ctx.Err() != nil:
		state = fsm.DriverRelaunching
		if w, ok := context.Cause(ctx).(wish); ok {
			state = w.state
		}
	default:
		state = k.live(ctx, r, lives)
	}
	k.awake()
	k.mu.Lock()
	delete(k.runs, r.run)
	k.mu.Unlock()
	if !k.over() {
		k.final(report1{r.run, state})
	}
}

// live is the time in which the process of a run is there.
func (k *keeper) live(ctx context.Context, r *run1, lives time.Duration) fsm.DriverState {
	k.f.begins(r)
	defer k.f.ends(r)
	state := fsm.DriverFinished
	if rest(ctx, lives) != nil {
		cause := context.Cause(ctx)
		state = fsm.DriverRelaunching
		if w, ok := cause.(wish); ok {
			state = w.state
			_ = rest(k.f.ctx, k.f.c.dice.upTo(killGrace)) // SIGTERM, and at the latest SIGKILL
		}
	}
	return state
}

func (k *keeper) hasFinal(run string) bool {
	for _, r := range k.finals {
		if r.run == run {
			return true
		}
	}
	return false
}

// final reports the end of a run, now and in every Hello until it is acknowledged.
func (k *keeper) final(r report1) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.finals = append(k.finals, r)
	if k.session != nil { // it follows the Hello
		k.session.toLeader.send(msgReport{r})
	}
}

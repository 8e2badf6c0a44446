package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

const (
	// watchEvery is how often the leader looks at all its workers.
	watchEvery = 200 * time.Millisecond
	// silentAfter is how long a line is believed in without a word on it, where another worker claims its address.
	silentAfter = 10 * time.Second
	// graceTime is how long a new leader declares nobody dead for silence: a worker must have had the time to find it. One
	// that the last leader suspected has graceOfSuspects.
	graceTime       = 5 * time.Second
	graceOfSuspects = 2 * time.Second
	// arriveTime is how long a worker without a line is not even asked, at the start of a term: most are on their way.
	arriveTime = time.Second
	// askAgain is the pause between two checks of one worker that did not end in a verdict, askAbsent that of one that
	// answers and has no session.
	askAgain  = 300 * time.Millisecond
	askAbsent = time.Second
	// asksAtOnce bounds the questions that are under way.
	asksAtOnce = 128
)

// liveness judges workers. Evidence (a session that ended, silence, gossip, a question that got no answer) makes a worker a
// suspect: nothing new is placed there. Two further questions in a row, each on a connection of its own, decide: an answer
// clears it, two refusals or silences condemn it. Whether it is then declared lost is the brake's and the grace's word.
//
// Time in which this process did not run is nobody's silence.
type liveness struct {
	log     *slog.Logger
	state   func() *fsm.State
	ask     question // on a new connection
	ping    question // on the line that is there; errNoPing where that cannot be asked
	lost    func(ctx context.Context, w *fsm.Worker, v verdict, d *fsm.Damping) error
	note    func(ctx context.Context, c *fsm.SuspectWorker) error // for the next leader
	hasLine func(workerID string) bool
	changed func()        // a worker may be used again
	unwell  func() int    // this master's own health by its gossip: 0 is well
	timeout time.Duration // spark.worker.timeout
	brake   *brake
	damping damping
	since   time.Time // the start of the term: nobody has been silent for longer than this leader listens

	mu     sync.Mutex
	wards  map[string]*ward
	over   bool // the term is: no check starts any more
	wg     sync.WaitGroup
	slots  chan struct{}
	stall  stall
	avoids atomic.Pointer[map[string]bool] // suspects and those held back; replaced, not changed
}

// ward is what the leader knows of one worker that is not dead.
type ward struct {
	life     string        // incarnation
	heard    time.Time     // zero: not in this term
	stalled  time.Duration // of liveness.stall, at heard
	every    time.Duration // how often it says that it is there; 0: not known
	absent   time.Time     // since when it has no line; zero: it has one
	suspect  *suspect      // nil: no doubts
	held     bool          // it comes and goes too often
	busy     bool          // a check is under way
	pinging  bool
	ended    time.Time // the last check
	pinged   time.Time
	restless bool // it was suspected by the last leader
}

func newLiveness(log *slog.Logger, state func() *fsm.State) *liveness {
	l := &liveness{
		log: log, state: state, since: time.Now(), wards: map[string]*ward{}, slots: make(chan struct{}, asksAtOnce),
		ping: func(context.Context, *fsm.Worker) error { return errNoPing }, unwell: func() int { return 0 }, changed: func() {},
		note:  func(context.Context, *fsm.SuspectWorker) error { return nil },
		brake: newBrake(log, defaultBrake), damping: defaultDamping,
	}
	l.brake.dead = l.dead
	return l
}

func (l *liveness) dead(workerID string) bool {
	w, ok := l.state().Worker(workerID)
	return !ok || w.State == fsm.WorkerDead
}

// ward gives what is known of a worker; the caller holds mu.
func (l *liveness) ward(workerID string) *ward {
	x, ok := l.wards[workerID]
	if !ok {
		x = &ward{}
		l.wards[workerID] = x
	}
	return x
}

// heard notes a sign of life.
func (l *liveness) heard(workerID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.ward(workerID)
	first := x.heard.IsZero()
	x.heard, x.stalled = time.Now(), l.stall.at(time.Now())
	if first { // in this term, or since it was declared dead: it may be held back, and must be so before it is used
		l.lookAtPast(workerID, x)
	}
}

// begins notes that a life of a worker has opened a session, in which it says every so often that it is there.
func (l *liveness) begins(workerID, incarnation string, every time.Duration) {
	l.heard(workerID)
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.ward(workerID)
	x.meet(&fsm.Worker{Incarnation: incarnation})
	x.every = every
	l.publish()
}

// lastHeard is when a worker was last heard of, or the start of the term.
func (l *liveness) lastHeard(workerID string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x, ok := l.wards[workerID]; ok && !x.heard.IsZero() {
		return x.heard
	}
	return l.since
}

// silence is for how long a worker has said nothing while this process listened; the caller holds mu.
func (l *liveness) silence(x *ward) time.Duration {
	now, from, stalled := time.Now(), l.since, time.Duration(0)
	if !x.heard.IsZero() {
		from, stalled = x.heard, x.stalled
	}
	return now.Sub(from) - (l.stall.at(now) - stalled)
}

// run looks at every worker until the term ends.
func (l *liveness) run(ctx context.Context) {
	defer l.end()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	l.lookAround(ctx)
	for {
		select {
		case <-tick.C:
			l.lookAround(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// end waits for the checks that are under way.
func (l *liveness) end() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.wg.Wait()
}

// inherit takes over what the last leader knew, before anything is placed.
func (l *liveness) inherit() {
	s := l.state()
	l.brake.inherit(s.Brake())
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range s.Workers() {
		if watch := w.Watched(); w.State != fsm.WorkerDead && watch.Suspected != 0 {
			x := l.ward(w.ID)
			x.life, x.restless = w.Incarnation, true
			x.suspect = &suspect{since: time.UnixMilli(watch.Suspected), reason: watch.Reason, noted: closedChan}
			l.log.Warn("the last leader suspected a worker", "worker", w.ID, "since", time.UnixMilli(watch.Suspected), "reason", watch.Reason)
		}
	}
	l.publish()
}

func (l *liveness) lookAround(ctx context.Context) {
	l.mu.Lock()
	l.stall.look(time.Now())
	l.mu.Unlock()
	s := l.state()
	alive := 0
	seen := make(map[string]bool, s.WorkerCount())
	for w := range s.Workers() {
		if w.State != fsm.WorkerDead {
			alive++
			seen[w.ID] = true
			l.lookAt(ctx, w)
		}
	}
	l.forget(seen)
	l.holdBack(s, alive)
	l.tendBrake(ctx, alive)
}

// lookAt does what is due for one worker.
func (l *liveness) lookAt(ctx context.Context, w *fsm.Worker) {
	has := l.hasLine(w.ID)
	l.mu.Lock()
	x := l.ward(w.ID)
	x.meet(w)
	x.present(has)
	silence, rules := l.silence(x), rulesOf(w.Kind)
	due, pause := "", askAgain
	switch {
	case x.suspect != nil:
		due = x.suspect.reason
	case !has:
		if time.Since(l.since) >= arriveTime {
			due, pause = "it has no session", askAbsent
		}
	case silence >= rules.silence(x.every, l.timeout):
		due = fmt.Sprintf("silent for %.1f s", silence.Seconds())
		l.suspect(w, x, due)
	}
	rest := x.busy || time.Since(x.ended) < pause
	ping := rules.pings && has && due == "" && !x.pinging && time.Since(x.pinged) >= l.pingEvery()
	l.mu.Unlock()
	switch {
	case due != "" && !rest:
		l.check(ctx, w)
	case ping:
		l.startPing(ctx, w)
	}
}

// present notes since when a worker has no line: a sign of life alone is no line.
func (x *ward) present(has bool) {
	if has {
		x.absent = time.Time{}
	} else if x.absent.IsZero() {
		x.absent = time.Now()
	}
}

// forget drops what is known of workers that are dead or gone.
func (l *liveness) forget(alive map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.wards, func(id string, x *ward) bool { return !alive[id] && !x.busy && !x.pinging })
	l.publish()
}

// checkID is check for a worker whose session has ended or whom gossip misses.
func (l *liveness) checkID(ctx context.Context, workerID string) {
	if w, ok := l.state().Worker(workerID); ok && w.State != fsm.WorkerDead {
		l.check(ctx, w)
	}
}

// hint is checkID on weak evidence, a lost packet perhaps, that may come often.
func (l *liveness) hint(ctx context.Context, workerID string) {
	l.mu.Lock()
	x, known := l.wards[workerID]
	rest := !known || time.Since(x.ended) < askAgain
	l.mu.Unlock()
	if !rest {
		l.checkID(ctx, workerID)
	}
}

// check starts to ask a worker, unless that is under way.
func (l *liveness) check(ctx context.Context, w *fsm.Worker) {
	has := l.hasLine(w.ID)
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.ward(w.ID)
	x.meet(w)
	x.present(has)
	if x.busy || l.over || ctx.Err() != nil {
		return
	}
	x.busy = true
	l.wg.Go(func() {
		defer func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			x.busy, x.ended = false, time.Now()
		}()
		l.judge(ctx, w, x)
	})
}

// judge asks a worker up to twice, and acts on what comes of it.
func (l *liveness) judge(ctx context.Context, w *fsm.Worker, x *ward) {
	began := time.Now()
	err := l.examine(ctx, w, x)
	switch {
	case ctx.Err() != nil:
		return
	case err == nil:
		l.heard(w.ID)
		l.clear(ctx, w, x)
		if v := l.judgeAbsent(x); v.reason != "" {
			l.declare(ctx, w, v, l.damping.death())
		}
		return
	}
	if v := l.condemn(w, x, began, err); v.reason != "" {
		if doubted, workers := l.unanswering(); l.brake.allows(w.ID, doubted, workers) {
			l.declare(ctx, w, v, l.damping.death())
		}
	}
}

// verdict is why a worker is lost; silent where nobody has seen that its process is gone.
type verdict struct {
	reason string
	silent bool
}

// condemn gives the reason why a worker that did not answer is lost, or none while it is given more time.
func (l *liveness) condemn(w *fsm.Worker, x *ward, began time.Time, err error) verdict {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return verdict{reason: fmt.Sprintf("its process is gone: nothing listens at %s:%d", w.Host, w.Port)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	grace := graceTime
	if x.restless {
		grace = graceOfSuspects
	}
	silence := l.silence(x)
	if x.heard.After(began) || silence < minSilence || time.Since(l.since) < grace {
		return verdict{}
	}
	return verdict{fmt.Sprintf("silent for %.1f s and no answer to two questions: %v", silence.Seconds(), err), true}
}

// judgeAbsent is about a worker that answers. If it does so without a line for too long, it is of no use.
func (l *liveness) judgeAbsent(x *ward) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x.absent.IsZero() || time.Since(x.absent) < l.timeout {
		return verdict{}
	}
	return verdict{fmt.Sprintf("no session for %d s, though its port answers", int(time.Since(x.absent).Seconds())), true}
}

func (l *liveness) declare(ctx context.Context, w *fsm.Worker, v verdict, d *fsm.Damping) {
	l.log.Warn("worker lost", "worker", w.ID, "reason", v.reason)
	if err := l.lost(ctx, w, v, d); err != nil && fsm.RefusalCode(err) == fsm.CodeOK {
		if ctx.Err() == nil {
			l.log.Warn("the loss of a worker could not be committed; it will be judged again", "worker", w.ID, "error", err)
		}
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.ward(w.ID); x.life == w.Incarnation { // and no new life has begun a session meanwhile
		*x = ward{busy: x.busy, pinging: x.pinging}
	}
	l.publish()
}

// declareLost takes a worker's own word that it is stopping.
func (l *liveness) declareLost(ctx context.Context, workerID, incarnation, reason string) {
	if w, ok := l.state().Worker(workerID); ok && w.State != fsm.WorkerDead && w.Incarnation == incarnation {
		l.declare(ctx, w, verdict{reason: reason}, nil)
	}
}

package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

const (
	// heartbeatEvery is how often a Go worker says that it is there, over its session; no heartbeat goes through the log.
	heartbeatEvery = 2 * time.Second
	// silentAfter is how long a worker may say nothing before it is asked.
	silentAfter = 10 * time.Second
	// probeTimeout bounds one question to a worker's Spark port, probePause is the time between the two that a verdict needs.
	probeTimeout = time.Second
	probePause   = time.Second
	checkEvery   = time.Second
)

// probe asks a worker's endpoint on its Spark port whether it is there.
type probe func(ctx context.Context, w *fsm.Worker) error

// liveness judges workers. Its evidence: a session or connection that ended, gossip, silence. Its verdicts: a worker
// whose port refuses connections is gone at once, since nothing listens where its process did; one that does not answer
// two questions in a row, and has been silent for silentAfter, is lost; one that answers and yet opens no session is
// lost after spark.worker.timeout.
type liveness struct {
	log     *slog.Logger
	state   func() *fsm.State
	ask     probe
	lost    func(ctx context.Context, w *fsm.Worker, reason string) error
	hasLine func(workerID string) bool
	timeout time.Duration // spark.worker.timeout
	since   time.Time     // the start of the term: nobody has been silent for longer than this leader listens

	mu     sync.Mutex
	last   map[string]time.Time // when a worker was last heard of
	absent map[string]time.Time // since when it has no line
	busy   map[string]bool      // a check is under way
	over   bool                 // the term is: no check starts any more
	wg     sync.WaitGroup
}

func newLiveness(log *slog.Logger, state func() *fsm.State) *liveness {
	return &liveness{log: log, state: state, since: time.Now(), last: map[string]time.Time{}, absent: map[string]time.Time{}, busy: map[string]bool{}}
}

// heard notes a sign of life.
func (l *liveness) heard(workerID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[workerID] = time.Now()
}

// lastHeard is when a worker was last heard of, or the start of the term.
func (l *liveness) lastHeard(workerID string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.last[workerID]; ok {
		return t
	}
	return l.since
}

// run looks at every worker once a second until the term ends.
func (l *liveness) run(ctx context.Context) {
	defer l.end()
	tick := time.NewTicker(checkEvery)
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

func (l *liveness) lookAround(ctx context.Context) {
	for w := range l.state().Workers() {
		if w.State == fsm.WorkerDead {
			continue
		}
		if !l.present(w.ID) || time.Since(l.lastHeard(w.ID)) >= silentAfter {
			l.check(ctx, w)
		}
	}
}

// present tells whether a worker has a line, and notes since when it has none: a sign of life alone is no line.
func (l *liveness) present(workerID string) bool {
	has := l.hasLine(workerID)
	l.mu.Lock()
	defer l.mu.Unlock()
	if has {
		delete(l.absent, workerID)
	} else if _, ok := l.absent[workerID]; !ok {
		l.absent[workerID] = time.Now()
	}
	return has
}

// checkID is check for a worker whose session has ended or whom gossip misses.
func (l *liveness) checkID(ctx context.Context, workerID string) {
	if w, ok := l.state().Worker(workerID); ok && w.State != fsm.WorkerDead {
		l.check(ctx, w)
	}
}

// check starts to ask a worker, unless that is under way.
func (l *liveness) check(ctx context.Context, w *fsm.Worker) {
	l.present(w.ID)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[w.ID] || l.over || ctx.Err() != nil {
		return
	}
	l.busy[w.ID] = true
	l.wg.Go(func() {
		defer func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			delete(l.busy, w.ID)
		}()
		if reason := l.judge(ctx, w); reason != "" && ctx.Err() == nil {
			l.declare(ctx, w, reason)
		}
	})
}

// judge gives the reason why a worker is lost, or nothing.
func (l *liveness) judge(ctx context.Context, w *fsm.Worker) string {
	var err error
	for try := range 2 {
		if try > 0 && !pause(ctx, probePause) {
			return ""
		}
		if err = l.ask(ctx, w); err == nil {
			l.heard(w.ID)
			return l.judgeAbsent(w)
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Sprintf("its process is gone: nothing listens at %s:%d", w.Host, w.Port)
		}
	}
	if silent := time.Since(l.lastHeard(w.ID)); silent >= silentAfter {
		return fmt.Sprintf("silent for %d s and no answer to two questions: %v", int(silent.Seconds()), err)
	}
	return ""
}

// judgeAbsent is about a worker that answers. If it does so without a line for too long, it is of no use.
func (l *liveness) judgeAbsent(w *fsm.Worker) string {
	if l.present(w.ID) {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if since := l.absent[w.ID]; time.Since(since) >= l.timeout {
		return fmt.Sprintf("no session for %d s, though its port answers", int(time.Since(since).Seconds()))
	}
	return ""
}

func (l *liveness) declare(ctx context.Context, w *fsm.Worker, reason string) {
	l.log.Warn("worker lost", "worker", w.ID, "reason", reason)
	if err := l.lost(ctx, w, reason); err != nil && fsm.RefusalCode(err) == fsm.CodeOK {
		if ctx.Err() == nil {
			l.log.Warn("the loss of a worker could not be committed; it will be judged again", "worker", w.ID, "error", err)
		}
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.last, w.ID)
	delete(l.absent, w.ID)
}

// declareLost takes a worker's own word that it is stopping.
func (l *liveness) declareLost(ctx context.Context, workerID, incarnation, reason string) {
	if w, ok := l.state().Worker(workerID); ok && w.State != fsm.WorkerDead && w.Incarnation == incarnation {
		l.declare(ctx, w, reason)
	}
}

// answers tells whether a worker answers one question now.
func (l *liveness) answers(ctx context.Context, w *fsm.Worker) bool { return l.ask(ctx, w) == nil }

// pause waits, and tells whether the term goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

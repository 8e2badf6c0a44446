package master

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// suspect is a worker that the leader has doubts about. A doubt is this leader's own until a question has gone without an
// answer; then the next leader is told too.
type suspect struct {
	since   time.Time // by the wall clock, of whichever leader began it
	reason  string
	failed  bool          // a question was not answered
	stalled time.Duration // of liveness.stall, when it began
	noted   chan struct{} // closed when the state has it or cannot be given it; nil: it is not told
	counts  bool          // when it passes, it was a flap
}

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// meet makes a ward that of the present life of its worker; the caller holds mu.
func (x *ward) meet(w *fsm.Worker) {
	if x.life != w.Incarnation { // a new life is no suspect for what befell the last one
		x.life, x.suspect, x.restless = w.Incarnation, nil, false
	}
}

// suspect begins to doubt a worker: nothing new is placed there from now on. The caller holds mu.
func (l *liveness) suspect(w *fsm.Worker, x *ward, reason string) {
	if x.suspect != nil || l.over {
		return
	}
	x.suspect = &suspect{since: time.Now(), reason: reason, stalled: l.stall.at(time.Now())}
	l.publish()
	l.log.Info("worker suspected: nothing new is placed there while it is asked", "worker", w.ID, "reason", reason)
}

// unanswered notes that a suspect has not answered a question, for the next leader too unless it will be decided at once.
// The caller holds mu.
func (l *liveness) unanswered(ctx context.Context, w *fsm.Worker, x *ward, err error) {
	l.suspect(w, x, "a question was not answered: "+err.Error())
	s := x.suspect
	if s == nil {
		return
	}
	s.failed = true
	if s.noted != nil || l.over || errors.Is(err, syscall.ECONNREFUSED) {
		return
	}
	s.counts = time.Since(l.since) >= graceTime
	noted := make(chan struct{})
	s.noted = noted
	note := &fsm.SuspectWorker{ID: w.ID, Incarnation: w.Incarnation, Since: s.since.UnixMilli(), Reason: s.reason, At: now()}
	l.log.Warn("a suspected worker does not answer", "worker", w.ID, "since", s.since, "reason", s.reason, "error", err)
	l.wg.Go(func() {
		defer close(noted)
		l.tellNext(ctx, note)
	})
}

// tellNext has a note for the next leader committed. Where that fails, the next leader finds out by itself.
func (l *liveness) tellNext(ctx context.Context, c *fsm.SuspectWorker) {
	if err := l.note(ctx, c); err != nil && fsm.RefusalCode(err) == fsm.CodeOK && ctx.Err() == nil {
		l.log.Warn("what is suspected could not be committed", "worker", c.ID, "error", err)
	}
}

// clear ends the doubts about a worker that answers.
func (l *liveness) clear(ctx context.Context, w *fsm.Worker, x *ward) {
	l.mu.Lock()
	s := x.suspect
	if s == nil || x.life != w.Incarnation {
		l.mu.Unlock()
		return
	}
	x.suspect, x.restless = nil, false
	flap := s.counts && l.stall.at(time.Now()) == s.stalled
	l.publish()
	l.mu.Unlock()
	l.log.Info("a suspected worker answers", "worker", w.ID, "after", time.Since(s.since).Round(time.Millisecond), "reason", s.reason)
	l.changed()
	if s.noted == nil {
		return
	}
	select {
	case <-s.noted:
	case <-ctx.Done():
		return
	}
	c := &fsm.SuspectWorker{ID: w.ID, Incarnation: w.Incarnation, At: now()}
	// Where this leader is slow itself, or doubts itself, the flap is not the worker's.
	if flap && l.unwell() == 0 && !l.brake.excuses(s.since) {
		c.Damping = l.damping.doubt()
	}
	l.tellNext(ctx, c)
}

// publish renews what the scheduler looks at; the caller holds mu.
func (l *liveness) publish() {
	var out map[string]bool
	for id, x := range l.wards {
		if x.suspect != nil || x.held {
			if out == nil {
				out = map[string]bool{}
			}
			out[id] = true
		}
	}
	if out == nil {
		l.avoids.Store(nil)
		return
	}
	l.avoids.Store(&out)
}

// avoided tells whether nothing new should be placed on a worker, for doubts about it. It costs the scheduler no lock.
func (l *liveness) avoided(workerID string) bool {
	m := l.avoids.Load()
	return m != nil && (*m)[workerID]
}

// suspects are the workers that have left a question unanswered; workers is how many there are in all that are not dead.
func (l *liveness) unanswering() (ids []string, workers int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, x := range l.wards {
		if x.life == "" { // declared lost a moment ago
			continue
		}
		workers++
		if x.suspect != nil && x.suspect.failed {
			ids = append(ids, id)
		}
	}
	return ids, workers
}

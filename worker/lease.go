package worker

import (
	"context"
	"sync"
	"time"
)

// lease measures how long ago a leader last heard of this worker. When that is longer than term, no leader is known to
// count on this worker any more: one may have declared it lost, and may launch its supervised drivers elsewhere once it
// has waited out what this worker promised in its Hello. All of it is by the monotonic clock of this process; the moment
// that counts is when a heartbeat was sent that a leader has acknowledged, so no answer can be older than it looks.
type lease struct {
	term time.Duration

	mu      sync.Mutex
	heard   time.Time
	sent    map[uint64]time.Time // heartbeats of the present session that nobody has acknowledged
	renewed chan struct{}
	onRenew func(left time.Duration) // called with what is left of the term
}

func newLease(term time.Duration) *lease {
	return &lease{term: term, heard: time.Now(), sent: map[uint64]time.Time{}, renewed: make(chan struct{}, 1)}
}

// begin is for a session that a leader has welcomed: it has heard the Hello that was sent at this moment.
func (l *lease) begin(helloSent time.Time) {
	l.mu.Lock()
	clear(l.sent)
	l.mu.Unlock()
	l.renew(helloSent)
}

// beat notes a heartbeat before it is sent.
func (l *lease) beat(sequence uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[sequence] = time.Now()
}

// acknowledged: a leader has this heartbeat, and with it all before it.
func (l *lease) acknowledged(sequence uint64) {
	l.mu.Lock()
	at, ok := l.sent[sequence]
	for s := range l.sent {
		if s <= sequence {
			delete(l.sent, s)
		}
	}
	l.mu.Unlock()
	if ok {
		l.renew(at)
	}
}

func (l *lease) renew(at time.Time) {
	l.mu.Lock()
	if at.After(l.heard) {
		l.heard = at
	}
	left := l.left()
	told := l.onRenew
	l.mu.Unlock()
	if told != nil && left > 0 {
		told(left)
	}
	select {
	case l.renewed <- struct{}{}:
	default:
	}
}

// left is called with mu held.
func (l *lease) left() time.Duration { return l.term - time.Since(l.heard) }

// watch calls expired whenever the term has passed, until ctx ends.
func (l *lease) watch(ctx context.Context, expired func()) {
	for {
		l.mu.Lock()
		left := l.left()
		l.mu.Unlock()
		var due <-chan time.Time
		if left > 0 {
			due = time.After(left)
		} else {
			expired()
		}
		select {
		case <-due:
		case <-l.renewed:
		case <-ctx.Done():
			return
		}
	}
}

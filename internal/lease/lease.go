package lease

import (
	"context"
	"sync"
	"time"
)

// Lease measures how long ago a leader last heard of this worker. When that is longer than Term, no leader is known to
// count on this worker any more: one may have declared it lost, and may launch its supervised drivers elsewhere once it
// has waited out what this worker promised in its Hello. All of it is by the monotonic clock of this process; the moment
// that counts is when a heartbeat was sent that a leader has acknowledged, so no answer can be older than it looks.
type Lease struct {
	term    time.Duration
	onRenew func(left time.Duration)

	mu      sync.Mutex
	heard   time.Time
	sent    map[uint64]time.Time // heartbeats of the present session that nobody has acknowledged
	renewed chan struct{}
}

// New begins a lease, as if a leader had just been heard. onRenew, unless it is nil, is called with what is left of the term
// whenever that has changed.
func New(term time.Duration, onRenew func(left time.Duration)) *Lease {
	return &Lease{term: term, onRenew: onRenew, heard: time.Now(), sent: map[uint64]time.Time{}, renewed: make(chan struct{}, 1)}
}

// Begin is for a session that a leader has welcomed: it has heard the Hello that was sent at this moment.
func (l *Lease) Begin(helloSent time.Time) {
	l.mu.Lock()
	clear(l.sent)
	l.mu.Unlock()
	l.renew(helloSent)
}

// Beat notes a heartbeat before it is sent.
func (l *Lease) Beat(sequence uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[sequence] = time.Now()
}

// Acknowledged: a leader has this heartbeat, and with it all before it.
func (l *Lease) Acknowledged(sequence uint64) {
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

func (l *Lease) renew(at time.Time) {
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

// Over tells whether the term has passed: no supervised driver may be started.
func (l *Lease) Over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left() <= 0
}

// left is called with mu held.
func (l *Lease) left() time.Duration { return l.term - time.Since(l.heard) }

// Watch calls expired whenever the term has passed, until ctx ends.
func (l *Lease) Watch(ctx context.Context, expired func()) {
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

package raftnode

import (
	"context"
	"sync"
)

// progress tracks the newest entry that has reached the machine, and wakes those who wait for one.
//
// hashicorp/raft's own AppliedIndex counts entries that were handed to the machine's queue, which is too early for a read.
type progress struct {
	mu      sync.Mutex
	applied uint64 // newest command or membership entry applied
	floor   uint64 // newest index known to have nothing unapplied below it (a barrier of the leader)
	waiters []waiter
}

type waiter struct {
	index uint64
	done  chan struct{}
}

func (p *progress) advance(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applied = max(p.applied, index)
	p.wake()
}

// drained records that everything up to index has been applied.
func (p *progress) drained(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.floor = max(p.floor, index)
	p.wake()
}

// wake releases the waiters whose index is reached. The caller holds mu.
func (p *progress) wake() {
	reached := max(p.applied, p.floor)
	kept := p.waiters[:0]
	for _, w := range p.waiters {
		if w.index <= reached {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	clear(p.waiters[len(kept):])
	p.waiters = kept
}

// index returns the newest command or membership entry applied. The no-op and the barrier of a term have an index too but
// nothing to apply, so it may rest below the commit index.
func (p *progress) index() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.applied
}

// wait returns when everything up to index has been applied, when ctx ends, or when stop closes (ErrClosed).
func (p *progress) wait(ctx context.Context, stop <-chan struct{}, index uint64) error {
	p.mu.Lock()
	if index <= max(p.applied, p.floor) {
		p.mu.Unlock()
		return nil
	}
	w := waiter{index: index, done: make(chan struct{})}
	p.waiters = append(p.waiters, w)
	p.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		p.forget(w)
		return context.Cause(ctx)
	case <-stop:
		p.forget(w)
		return ErrClosed
	}
}

func (p *progress) forget(gone waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, w := range p.waiters {
		if w.done == gone.done {
			p.waiters = append(p.waiters[:i], p.waiters[i+1:]...)
			return
		}
	}
}

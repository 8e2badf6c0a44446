package raftnode

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// futures waits for answers of raft. A future cannot be abandoned, and some are never answered once raft has shut down (its
// queues of verifications and of committed entries are dropped), so Close lets them drain first.
type futures struct {
	mu      sync.Mutex
	waiting int
	closed  bool          // no new requests: raft may never answer them
	idle    chan struct{} // closes when nothing waits; nil unless somebody drains
}

// await runs a request and waits for its answer no longer than ctx. Even handing a request in may block while raft waits
// for a hung disk.
func (f *futures) await(ctx context.Context, request func() raft.Future) error {
	done := make(chan error, 1)
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return ErrClosed
	}
	f.waiting++
	f.mu.Unlock()
	go func() {
		done <- request().Error()
		f.answered()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *futures) answered() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting--
	if f.waiting == 0 && f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}

// drain refuses new requests and waits until all others are answered, at most for d.
func (f *futures) drain(d time.Duration) {
	f.mu.Lock()
	f.closed = true
	if f.waiting == 0 {
		f.mu.Unlock()
		return
	}
	drained := make(chan struct{})
	f.idle = drained
	f.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
	}
}

// given makes a request of a future that exists already.
func given(future raft.Future) func() raft.Future {
	return func() raft.Future { return future }
}

package raftnode

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

const (
	// batchesInFlight: one entry is being replicated while the next is written. More would make entries smaller.
	batchesInFlight = 2
	// maxQueuedBytes bounds what waits for the log.
	maxQueuedBytes = 64 << 20
)

// batcher packs commands that arrive while an entry is under way into the next entry (group commit). An idle batcher adds no
// delay; under load entries grow by themselves.
type batcher struct {
	maxCommands, maxBytes int
	apply                 func(entry []byte) raft.ApplyFuture
	futures               *futures
	stopped               <-chan struct{} // nothing is decided any more

	mu     sync.Mutex
	queue  []*pending
	queued int // bytes in queue
	wake   chan struct{}

	entries, commands atomic.Uint64 // totals, for Stats
}

// pending is a command that waits for its result.
type pending struct {
	cmd  []byte
	ctx  context.Context
	done chan outcome // capacity 1
}

type outcome struct {
	result []byte
	index  uint64
	err    error
}

func newBatcher(maxCommands, maxBytes int, futures *futures, stopped <-chan struct{}, apply func([]byte) raft.ApplyFuture) *batcher {
	return &batcher{maxCommands: maxCommands, maxBytes: maxBytes, futures: futures, stopped: stopped, apply: apply, wake: make(chan struct{}, 1)}
}

// watcher tells that a node does not lead any more, or when to ask again.
type watcher func() (changed <-chan struct{}, lost bool)

// submit proposes cmd and waits for its result, the end of ctx, or where watch is given the end of this node's lead. After
// the latter two the outcome is unknown.
func (b *batcher) submit(ctx context.Context, watch watcher, cmd []byte) ([]byte, uint64, error) {
	p := &pending{cmd: cmd, ctx: ctx, done: make(chan outcome, 1)}
	if err := b.enqueue(p); err != nil {
		return nil, 0, err
	}
	var changed <-chan struct{}
	for {
		if watch != nil {
			var lost bool
			if changed, lost = watch(); lost {
				return nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, errLeaderChanged)
			}
		}
		select {
		case o := <-p.done:
			return o.result, o.index, o.err
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		case <-changed:
		case <-b.stopped:
			return nil, 0, ErrClosed
		}
	}
}

func (b *batcher) enqueue(p *pending) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queued+len(p.cmd) > maxQueuedBytes {
		return fmt.Errorf("%w: %d bytes in %d commands", ErrOverloaded, b.queued, len(b.queue))
	}
	b.queue = append(b.queue, p)
	b.queued += len(p.cmd)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

// run forms entries until ctx ends.
func (b *batcher) run(ctx context.Context) {
	slots := make(chan struct{}, batchesInFlight)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		batch := b.next(ctx)
		if batch == nil {
			return
		}
		future := b.apply(encodeEntry(commands(batch)))
		b.entries.Add(1)
		b.commands.Add(uint64(len(batch)))
		waiting.Go(func() {
			b.settle(ctx, future, batch)
			<-slots
		})
	}
}

// next waits for commands and takes as many as an entry may hold; nil when ctx has ended.
func (b *batcher) next(ctx context.Context) []*pending {
	for {
		if batch := b.take(); len(batch) > 0 {
			return batch
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// take removes the oldest commands from the queue, without those whose caller has gone.
func (b *batcher) take() []*pending {
	b.mu.Lock()
	defer b.mu.Unlock()
	var batch []*pending
	taken, bytes := 0, 0
	for _, p := range b.queue {
		if len(batch) == b.maxCommands || (len(batch) > 0 && bytes+len(p.cmd) > b.maxBytes) {
			break
		}
		taken++
		b.queued -= len(p.cmd)
		if p.ctx.Err() != nil {
			continue
		}
		batch = append(batch, p)
		bytes += len(p.cmd)
	}
	clear(b.queue[:taken])
	b.queue = b.queue[taken:]
	if len(b.queue) == 0 {
		b.queue = nil
	}
	return batch
}

func commands(batch []*pending) [][]byte {
	cmds := make([][]byte, len(batch))
	for i, p := range batch {
		cmds[i] = p.cmd
	}
	return cmds
}

// settle hands the results of one entry to their callers.
func (b *batcher) settle(ctx context.Context, future raft.ApplyFuture, batch []*pending) {
	if err := b.futures.await(ctx, given(future)); err != nil {
		err = proposalError(err)
		for _, p := range batch {
			p.done <- outcome{err: err}
		}
		return
	}
	switch response := future.Response().(type) {
	case [][]byte:
		for i, p := range batch {
			p.done <- outcome{result: response[i], index: future.Index()}
		}
	case error:
		for _, p := range batch {
			p.done <- outcome{err: response}
		}
	}
}

// proposalError sorts raft's errors: closed, or to be tried again. A failed disk write is the latter, since raft steps down
// and another may lead.
func proposalError(err error) error {
	switch {
	case errors.Is(err, raft.ErrRaftShutdown), errors.Is(err, ErrClosed):
		return ErrClosed
	case errors.Is(err, raft.ErrNotLeader):
		return ErrNotLeader
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

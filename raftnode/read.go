package raftnode

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"
)

// ReadBarrier returns once this node's machine holds everything that was committed when the call began: what is read from
// the machine afterwards is linearizable. It works on any node, holds while there is no leader, and returns the index that
// was waited for. Reads that may be stale need no call.
func (n *Node) ReadBarrier(ctx context.Context) (index uint64, err error) {
	err = n.hold(ctx, "read", func(ctx context.Context, leaderID, leaderAddr string) error {
		return n.try(ctx, leaderID, func(ctx context.Context) (err error) {
			if leaderID == n.cfg.ID {
				index, err = n.ReadIndex(ctx)
				return err
			}
			if index, err = n.cfg.Forwarder.ReadIndex(ctx, leaderID, leaderAddr); err != nil {
				return err
			}
			return n.WaitApplied(ctx, index)
		})
	})
	if err != nil {
		return 0, err
	}
	return index, nil
}

// WaitApplied returns when this node's machine has applied the entry at index: one from Propose or ReadIndex, not a number
// made up, since some indexes have nothing to apply.
func (n *Node) WaitApplied(ctx context.Context, index uint64) error {
	return n.applied.wait(ctx, n.ctx.Done(), index)
}

// ReadIndex confirms that this node leads and returns an index that covers everything committed before the call: the
// leader's side of a follower's ReadBarrier. On other nodes it returns a *NotLeaderError.
func (n *Node) ReadIndex(ctx context.Context) (uint64, error) {
	if err := n.isOpen(); err != nil {
		return 0, err
	}
	if err := n.waitReady(ctx); err != nil {
		return 0, err
	}
	return n.reads.join(ctx, n.readRound)
}

// waitReady waits for the barrier of this node's term: a fresh leader's commit index may lag.
func (n *Node) waitReady(ctx context.Context) error {
	for {
		_, _, changed := n.view.get()
		if n.raft.State() != raft.Leader {
			return n.notLeader()
		}
		if n.gate.isShut() {
			return ErrStalled
		}
		if ready := n.ready.Load(); ready != nil && ready.term == n.raft.CurrentTerm() {
			return nil
		}
		select {
		case <-changed:
		case <-n.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// readRound confirms leadership once for all reads that wait: a majority answers a heartbeat in the same term in which the
// commit index was read, and the machine has caught up to that.
func (n *Node) readRound() (uint64, error) {
	ctx, cancel := context.WithTimeoutCause(n.ctx, n.cfg.Hold, ErrUnavailable)
	defer cancel()
	ready := n.ready.Load()
	if ready == nil {
		return 0, n.notLeader()
	}
	commit := n.raft.CommitIndex()
	if err := n.verifyLeader(ctx); err != nil {
		return 0, err
	}
	if n.raft.CurrentTerm() != ready.term {
		return 0, n.notLeader()
	}
	if err := n.applied.wait(ctx, n.ctx.Done(), commit); err != nil {
		return 0, err
	}
	return n.applied.index(), nil
}

// verifyLeader asks a majority whether this node still leads.
func (n *Node) verifyLeader(ctx context.Context) error {
	term, mark := n.raft.CurrentTerm(), n.trans.confirmed.mark()
	err := n.futures.await(ctx, n.raft.VerifyLeader)
	switch {
	case err == nil:
		return n.confirm(ctx, term, mark)
	case errors.Is(err, raft.ErrNotLeader):
		return n.notLeader()
	case ctx.Err() != nil:
		return fmt.Errorf("%w: leadership not confirmed: %w", ErrUnavailable, err)
	}
	return proposalError(err)
}

// VerifyLeader returns nil if a majority confirms that this node leads in the given term: for a leader that is about to do
// something that cannot be undone.
func (n *Node) VerifyLeader(ctx context.Context, term uint64) error {
	if err := n.isOpen(); err != nil {
		return err
	}
	if err := n.verifyLeader(ctx); err != nil {
		return err
	}
	if now := n.raft.CurrentTerm(); now != term {
		return fmt.Errorf("%w of term %d any more: the term is %d", n.notLeader(), term, now)
	}
	return nil
}

// readRounds lets many reads share one confirmation. A read joins the round that has not begun yet.
type readRounds struct {
	mu      sync.Mutex
	next    *readRound
	running bool
}

type readRound struct {
	done  chan struct{}
	index uint64
	err   error
}

func (r *readRounds) join(ctx context.Context, run func() (uint64, error)) (uint64, error) {
	r.mu.Lock()
	if r.next == nil {
		r.next = &readRound{done: make(chan struct{})}
	}
	mine := r.next
	if !r.running {
		r.running = true
		go r.loop(run)
	}
	r.mu.Unlock()
	select {
	case <-mine.done:
		return mine.index, mine.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (r *readRounds) loop(run func() (uint64, error)) {
	for {
		r.mu.Lock()
		round := r.next
		r.next = nil
		if round == nil {
			r.running = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		round.index, round.err = run()
		close(round.done)
	}
}

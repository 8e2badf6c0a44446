package raftnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firesteel/firesteel/internal/delay"
	"github.com/hashicorp/raft"
)

// leadRetry is how long a leader with nobody to hand over to waits before it tries its duties again.
const leadRetry = time.Second

var (
	errLeadershipLost = errors.New("leadership lost")
	errNodeLost       = errors.New("raft node stopped leading")
)

// readyTerm says that this node leads term and that everything up to barrier has reached its machine.
type readyTerm struct {
	term, barrier uint64
}

// superviseLead starts and stops the leader's duties. It always takes what raft has to say, since raft waits for it.
func (n *Node) superviseLead() {
	var (
		leading bool
		current *leadership
		last    = closedChannel() // closes when the newest leadership has ended
	)
	stop := func(cause error) {
		if current != nil {
			n.ready.Store(nil)
			current.cancel(cause)
			current = nil
		}
	}
	begin := func() {
		current = n.newLeadership(last)
		last = current.done
	}
	for {
		select {
		case leading = <-n.notify:
			// A true that follows a true means lost and regained: stop, then start.
			stop(errLeadershipLost)
			if leading && !n.gate.isShut() {
				begin()
			}
		case <-n.gate.changed:
			// Raft cannot notice the loss while it waits for the disk, but the others may have a new leader by now.
			if shut := n.gate.isShut(); shut {
				n.log.Warn("local disk does not answer; no heartbeats until it does", "limit", n.cfg.StallLimit)
				stop(ErrStalled)
			} else if leading && current == nil {
				begin()
			}
		case <-n.ctx.Done():
			stop(ErrClosed)
			n.outlastRaft()
			<-last
			return
		}
	}
}

// outlastRaft goes on taking what raft has to say until it has been stopped: while it cannot say that it leads no more, it
// answers nobody, and Close would wait in vain for the answers that are due.
func (n *Node) outlastRaft() {
	for {
		select {
		case <-n.notify:
		case <-n.trans.stop:
			return
		}
	}
}

// leadership is one stretch of leading.
type leadership struct {
	cancel context.CancelCauseFunc
	done   chan struct{} // closes when Lead has returned, after that of all earlier ones
}

func (n *Node) newLeadership(previous <-chan struct{}) *leadership {
	ctx, cancel := context.WithCancelCause(n.ctx)
	l := &leadership{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		defer cancel(errNodeLost)
		<-previous
		n.lead(ctx)
	}()
	return l
}

func closedChannel() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// lead runs the duties until ctx ends, giving leadership away when they fail.
func (n *Node) lead(ctx context.Context) {
	for ctx.Err() == nil {
		term, err := n.leadOnce(ctx)
		n.ready.Store(nil)
		if ctx.Err() != nil {
			n.log.Info("stopped leading", "term", term, "cause", context.Cause(ctx))
			return
		}
		if n.raft.State() != raft.Leader {
			delay.For(ctx, leadRetry) // leadership was lost and raft is about to say so
			continue
		}
		n.log.Error("leader duties failed; handing leadership over", "term", term, "error", err)
		if err := n.TransferLeadership(ctx); err != nil {
			n.log.Warn("nobody takes the leadership; trying again", "in", leadRetry, "error", err)
			delay.For(ctx, leadRetry)
		} else {
			<-ctx.Done() // raft says so in a moment
		}
	}
}

// leadOnce waits for the barrier of the term, opens reads and runs the duties. It returns when ctx ends or on a failure.
func (n *Node) leadOnce(ctx context.Context) (term uint64, err error) {
	term = n.raft.CurrentTerm()
	var barrier raft.Future
	if err := n.futures.await(ctx, func() raft.Future { barrier = n.raft.Barrier(0); return barrier }); err != nil {
		return term, fmt.Errorf("barrier of term %d: %w", term, err)
	}
	// The barrier belongs to term if that has not changed meanwhile, for terms only grow.
	if now := n.raft.CurrentTerm(); now != term || n.raft.State() != raft.Leader {
		return term, fmt.Errorf("barrier of term %d: %w: the term is %d", term, errLeadershipLost, now)
	}
	ready := &readyTerm{term: term, barrier: barrier.(raft.IndexFuture).Index()}
	n.applied.drained(ready.barrier)
	if ctx.Err() != nil {
		return term, context.Cause(ctx)
	}
	n.ready.Store(ready)
	n.view.nudge()
	n.log.Info("leading", "term", term, "index", ready.barrier)
	if n.cfg.Lead != nil {
		if err := n.cfg.Lead(ctx, term); err != nil {
			return term, err
		}
	}
	<-ctx.Done()
	return term, nil
}

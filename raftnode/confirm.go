package raftnode

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"
)

// confirmations remembers who has answered this node as the leader of which term, and to what was sent when.
//
// raft's VerifyLeader takes the next heartbeats that are answered for a confirmation, those that were under way before it
// was called too. A leader that was frozen, or whose answers were held up, finds such answers when it goes on; meanwhile
// another may have been elected, and a read that trusted them would miss what that one has acknowledged.
type confirmations struct {
	mu      sync.Mutex
	clock   uint64 // counts what is sent, and marks between
	by      map[raft.ServerID]confirmation
	changed chan struct{} // closes with the next answer; nil while nobody waits
}

type confirmation struct {
	term uint64
	sent uint64 // by the clock
}

// mark is a moment: what is sent later has a higher number.
func (c *confirmations) mark() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	return c.clock
}

// answered notes that a follower has answered in the leader's own term to what was sent at a mark.
func (c *confirmations) answered(id raft.ServerID, term, sent uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = make(map[raft.ServerID]confirmation)
	}
	if old := c.by[id]; old.term < term || old.term == term && old.sent < sent {
		c.by[id] = confirmation{term, sent}
	}
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// count gives how many of the voters have answered in the term to what was sent after the mark, self among them, and a
// channel that closes when there may be more.
func (c *confirmations) count(voters []Server, self string, term, mark uint64) (n int, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range voters {
		by := c.by[raft.ServerID(v.ID)]
		if v.ID == self || by.term == term && by.sent > mark {
			n++
		}
	}
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return n, c.changed
}

// confirm waits until a majority has answered this node as the leader of the term, to what it sent after the mark. raft has
// sent, or is about to: it comes after VerifyLeader.
func (n *Node) confirm(ctx context.Context, term, mark uint64) error {
	for {
		_, _, lost := n.view.get()
		if n.raft.State() != raft.Leader || n.raft.CurrentTerm() != term {
			return n.notLeader()
		}
		voters := n.voters()
		count, more := n.trans.confirmed.count(voters, n.cfg.ID, term, mark)
		if 2*count > len(voters) {
			return nil
		}
		select {
		case <-more:
		case <-lost:
		case <-n.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%w: leadership not confirmed: %w", ErrUnavailable, context.Cause(ctx))
		}
	}
}

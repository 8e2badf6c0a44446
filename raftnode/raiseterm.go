package raftnode

import (
	"context"
	"fmt"

	"github.com/hashicorp/raft"
)

// RaiseTerm makes the terms of the group go on above floor: for a group that has been given the state of another one, whose
// terms the world outside remembers and fences by. A leader that calls it ceases to lead, and an election follows. It does
// nothing where the term is higher already.
//
// The node tells itself what a peer of that term would tell it. The request for a vote can never be granted, since its log is
// empty; a higher term is taken from it all the same, as raft demands.
func (n *Node) RaiseTerm(ctx context.Context, floor uint64) error {
	if err := n.isOpen(); err != nil {
		return err
	}
	if n.raft.CurrentTerm() > floor {
		return nil
	}
	n.log.Warn("raising the term", "from", n.raft.CurrentTerm(), "above", floor)
	id, addr := []byte(n.cfg.ID), []byte(n.trans.LocalAddr())
	err := n.trans.tell(ctx, &raft.RequestVoteRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: id, Addr: addr}, Term: floor, LeadershipTransfer: true,
	})
	if err != nil {
		return fmt.Errorf("raise the term above %d: %w", floor, err)
	}
	if err := n.trans.timeoutNow(ctx); err != nil { // else the others wait for a heartbeat that does not come
		return fmt.Errorf("call an election above term %d: %w", floor, err)
	}
	return nil
}

package raftnode

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// A member whose disk was lost comes back under its name, and the group counts on its vote. But it has forgotten what it
// acknowledged: together with another member that never had an entry, it could make a leader that lacks what was committed. So
// a node that starts on an empty disk neither gives nor asks for a vote, until it holds all that was committed before it came
// back (Admit), or it takes part in a first configuration, where nothing has been committed (Bootstrapper).

var errNotAdmitted = errors.New("this node started with an empty disk and has not caught up: it takes no part in elections")

// Joining tells whether this node takes no part in elections yet. It is remembered over restarts.
func (n *Node) Joining() bool { return n.mute.Load() }

// Admit ends Joining once this node holds everything up to index, which a leader gave after this node had started
// (ReadIndex there).
func (n *Node) Admit(ctx context.Context, index uint64) error {
	if err := n.WaitApplied(ctx, index); err != nil {
		return fmt.Errorf("catch up to index %d: %w", index, err)
	}
	n.log.Info("caught up: taking part in elections", "index", index)
	return n.endJoining()
}

func (n *Node) endJoining() error {
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	if err := n.identity.joined(n.cfg.DataDir); err != nil {
		return err
	}
	n.mute.Store(false)
	return nil
}

// refuseVote answers a request for a vote, and tells whether it was one.
func refuseVote(rpc raft.RPC) bool {
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}
	switch rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		rpc.Respond(&raft.RequestVoteResponse{RPCHeader: header}, nil)
	case *raft.RequestPreVoteRequest:
		rpc.Respond(&raft.RequestPreVoteResponse{RPCHeader: header}, nil)
	default:
		return false
	}
	return true
}

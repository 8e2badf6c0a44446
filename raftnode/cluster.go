package raftnode

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// Server is a member of the group.
type Server struct {
	ID    string
	Addr  string // Raft address
	Voter bool
}

// Servers returns the newest membership that this node knows, committed or not; empty before it belongs to a group.
func (n *Node) Servers() []Server {
	future := n.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	servers := future.Configuration().Servers
	list := make([]Server, len(servers))
	for i, s := range servers {
		list[i] = Server{ID: string(s.ID), Addr: string(s.Address), Voter: s.Suffrage == raft.Voter}
	}
	return list
}

func (n *Node) voters() []Server {
	var voters []Server
	for _, s := range n.Servers() {
		if s.Voter {
			voters = append(voters, s)
		}
	}
	return voters
}

// HasState tells whether this node belongs, or once belonged, to a group: it has a log, a snapshot or a term.
func (n *Node) HasState() bool {
	return n.raft.LastIndex() > 0 || n.raft.CurrentTerm() > 0
}

// Bootstrap makes this node the first member of a new group with the given servers, itself among them. The others need
// nothing: they learn it by replication. ErrAlreadyBootstrapped says that the node has state.
func (n *Node) Bootstrap(servers []Server) error {
	var conf raft.Configuration
	for _, s := range servers {
		suffrage := raft.Nonvoter
		if s.Voter {
			suffrage = raft.Voter
		}
		conf.Servers = append(conf.Servers, raft.Server{Suffrage: suffrage, ID: raft.ServerID(s.ID), Address: raft.ServerAddress(s.Addr)})
	}
	err := n.raft.BootstrapCluster(conf).Error()
	if errors.Is(err, raft.ErrCantBootstrap) {
		return fmt.Errorf("%w: %s", ErrAlreadyBootstrapped, n.cfg.DataDir)
	}
	if err != nil {
		return fmt.Errorf("bootstrap %s with %d servers: %w", n.cfg.ID, len(servers), err)
	}
	// There is no leader to wait for, so ask for the first election at once.
	if err := n.trans.timeoutNow(n.ctx); err != nil {
		n.log.Debug("no early election", "error", err)
	}
	return nil
}

// AddVoter makes the server a voting member, or gives a member its new address. A different member that holds the same
// address is removed first: it cannot be there any more. Only the leader can do it.
func (n *Node) AddVoter(ctx context.Context, id, addr string) error {
	for _, s := range n.Servers() {
		if s.ID == id && s.Addr == addr && s.Voter {
			return nil
		}
		if s.Addr == addr && s.ID != id {
			if err := n.RemoveServer(ctx, s.ID); err != nil {
				return fmt.Errorf("add %s: remove %s, which had its address %s: %w", id, s.ID, addr, err)
			}
		}
	}
	return n.change(ctx, "add voter "+id, func() raft.Future {
		return n.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(addr), 0, 0)
	})
}

// AddServer makes the server a member without a vote, which an [Autopilot] may give it, or gives a member its new address and
// leaves it its vote. A different member that holds the same address is removed first, as by AddVoter.
func (n *Node) AddServer(ctx context.Context, id, addr string) error {
	for _, s := range n.Servers() {
		switch {
		case s.ID == id && s.Addr == addr:
			return nil
		case s.ID == id && s.Voter:
			return n.AddVoter(ctx, id, addr)
		case s.Addr == addr && s.ID != id:
			if err := n.RemoveServer(ctx, s.ID); err != nil {
				return fmt.Errorf("add %s: remove %s, which had its address %s: %w", id, s.ID, addr, err)
			}
		}
	}
	return n.change(ctx, "add "+id, func() raft.Future {
		return n.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(addr), 0, 0)
	})
}

// RemoveServer takes a member out of the group. Only the leader can do it; one that removes itself steps down.
func (n *Node) RemoveServer(ctx context.Context, id string) error {
	return n.change(ctx, "remove "+id, func() raft.Future { return n.raft.RemoveServer(raft.ServerID(id), 0, 0) })
}

// TransferLeadership hands leadership to the most up-to-date follower. It returns nil once this node has stepped down.
func (n *Node) TransferLeadership(ctx context.Context) error {
	return n.change(ctx, "hand leadership over", n.raft.LeadershipTransfer)
}

// TransferLeadershipTo hands leadership to the given member.
func (n *Node) TransferLeadershipTo(ctx context.Context, id string) error {
	for _, s := range n.Servers() {
		if s.ID == id {
			return n.change(ctx, "hand leadership to "+id, func() raft.Future {
				return n.raft.LeadershipTransferToServer(raft.ServerID(id), raft.ServerAddress(s.Addr))
			})
		}
	}
	return fmt.Errorf("hand leadership to %s: it is no member", id)
}

// Snapshot writes a snapshot now and drops log entries that it makes needless. No new entry since the last one is no error.
func (n *Node) Snapshot(ctx context.Context) error {
	err := n.futures.await(ctx, func() raft.Future { return n.raft.Snapshot() })
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	return err
}

// change runs a leader's request in a goroutine, since raft may not even take it while the disk hangs.
func (n *Node) change(ctx context.Context, what string, request func() raft.Future) error {
	if err := n.isOpen(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(n.ctx, func() { cancel(ErrClosed) })()
	err := n.futures.await(ctx, request)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader):
		return fmt.Errorf("%s: %w", what, n.notLeader())
	case errors.Is(err, raft.ErrRaftShutdown), errors.Is(err, ErrClosed):
		return ErrClosed
	}
	return fmt.Errorf("%s: %w", what, err)
}

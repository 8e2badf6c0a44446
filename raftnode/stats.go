package raftnode

import "strings"

// Stats is a node's position, for status pages and tests.
type Stats struct {
	ID       string
	State    string // follower, candidate, leader, shutdown
	Term     uint64
	LeaderID string
	Ready    bool   // this node leads, its barrier has passed and its duties have begun
	Last     uint64 // newest entry in the local log
	Commit   uint64 // newest entry known to be committed
	// Applied is the newest command or membership entry that the machine has applied. It may rest below Commit: a term's
	// no-op and barrier have an index and nothing to apply.
	Applied uint64
	Servers []Server
	// Entries and Commands count what this node has proposed as leader since it started; Commands/Entries is the mean size
	// of a group commit.
	Entries, Commands uint64
	Stalled           bool   // a local write is older than StallLimit
	NoSpace           string // why no command is taken here, if the disk is full
	DeathCalls        uint64 // elections this node called because the leader's process was gone
}

// Stats returns the node's position.
func (n *Node) Stats() Stats {
	noSpace := ""
	if err := n.space.refusal(); err != nil {
		noSpace = err.Error()
	}
	return Stats{
		NoSpace: noSpace,
		ID:      n.cfg.ID, State: n.State(), Term: n.Term(), LeaderID: n.LeaderID(), Ready: n.ready.Load() != nil,
		Last: n.raft.LastIndex(), Commit: n.raft.CommitIndex(), Applied: n.applied.index(), Servers: n.Servers(),
		Entries: n.batch.entries.Load(), Commands: n.batch.commands.Load(),
		Stalled: n.gate.isShut(), DeathCalls: n.deathCalls.Load(),
	}
}

// Term returns the current term; 0 before the node belongs to a group.
func (n *Node) Term() uint64 { return n.raft.CurrentTerm() }

// State returns follower, candidate, leader or shutdown.
func (n *Node) State() string { return strings.ToLower(n.raft.State().String()) }

package raftnode

import "github.com/hashicorp/raft"

// Transport is what a node needs of a network: raft's own calls, the pre-vote and Close.
type Transport interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
}

// Parts are a disk and a network that the caller brings along in place of a data directory and sockets: a simulation, which
// can break both.
type Parts struct {
	Logs      raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore
	Transport Transport // the node closes it
}

// OpenOn starts a node on the given parts. Config's DataDir, Bind, Listener and Advertise are not used, and there is no
// death watch, which needs sockets. The stores stay open after Close.
func OpenOn(cfg Config, p Parts) (*Node, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return start(cfg, parts{
		storage:   storage{logs: p.Logs, stable: p.Stable, snaps: p.Snapshots},
		transport: p.Transport,
		identity:  identity{NodeID: cfg.ID, ClusterID: cfg.ClusterID},
		logger:    raftLogger(cfg.Logger),
	})
}

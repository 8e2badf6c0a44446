package master

import (
	"log/slog"
	"time"

	"github.com/firesteel/firesteel/config"
)

// Config of a master process.
type Config struct {
	ID      string // its name in the quorum, for ever
	DataDir string // of the Raft log and snapshots
	Bind    string // address to listen on; "" = the advertised host
	Spark   config.Master

	RPCPort    int // gRPC and Raft; 0 = any (for tests and dev: a master must keep its address)
	GossipPort int // TCP and UDP; 0 = any

	// BootstrapExpect is how many masters make the first configuration; 0 = wait to be added to a quorum.
	BootstrapExpect int
	Join            []string // gossip addresses of other masters, host:port
	Profile         string   // normal, fast or wan
	GossipKey       []byte   // without one gossip stays on loopback
	// DiskReserve is what of the data directory's disk is kept for Raft itself, in bytes; see raftnode.Config.Reserve.
	DiskReserve int64
	// Snapshots says when the log is cut; zero fields are raftnode's defaults.
	Snapshots Snapshots
	Logger    *slog.Logger

	leaderHears    time.Duration // for tests: another one than leaderHears
	submissionHold time.Duration // for tests: instead of submissionHold and readyHold

	exit func(code int) // for tests: instead of the end of the process of a removed master
}

// Snapshots is how often the state is written and how much of the log is kept.
type Snapshots struct {
	Threshold uint64        // log entries since the last one
	Interval  time.Duration // how often that is looked at
	Trailing  uint64        // entries kept for masters that are behind; others are sent a snapshot
}

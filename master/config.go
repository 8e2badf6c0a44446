package master

import (
	"log/slog"

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
	Logger          *slog.Logger

	exit func(code int) // for tests: instead of the end of the process of a removed master
}

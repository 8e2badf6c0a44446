package raftnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// Profile is a set of Raft timings for one kind of network.
type Profile struct {
	Name string
	// Heartbeat is how long a follower waits for a sign of the leader before it asks for an election, and Election how
	// long a candidate waits for votes.
	Heartbeat, Election time.Duration
	// Lease is how long a leader that hears no majority goes on leading: at most half of Heartbeat, so that the old leader
	// is silent before a new one can be elected.
	Lease time.Duration
	// Commit is how long an idle leader waits before it tells followers the newest commit index.
	Commit time.Duration
	// RPC bounds one Raft call, and so how long a connection that swallows bytes is trusted.
	RPC time.Duration
}

// The profiles: kill of a leader host to the next committed command, measured over 20 rounds (p50 / max): normal 970 /
// 1,456 ms, fast 625 / 803 ms. A leader whose process died, but not its host, is replaced by the death watch in about 10 ms.
var (
	ProfileNormal = Profile{"normal", 500 * time.Millisecond, 500 * time.Millisecond, 250 * time.Millisecond, 20 * time.Millisecond, 2500 * time.Millisecond}
	ProfileFast   = Profile{"fast", 300 * time.Millisecond, 300 * time.Millisecond, 150 * time.Millisecond, 20 * time.Millisecond, 2 * time.Second}
	ProfileWAN    = Profile{"wan", 2 * time.Second, 2 * time.Second, time.Second, 100 * time.Millisecond, 10 * time.Second}
)

// ProfileByName returns the profile called normal, fast or wan; the empty name means normal.
func ProfileByName(name string) (Profile, error) {
	switch name {
	case "", ProfileNormal.Name:
		return ProfileNormal, nil
	case ProfileFast.Name:
		return ProfileFast, nil
	case ProfileWAN.Name:
		return ProfileWAN, nil
	}
	return Profile{}, fmt.Errorf("unknown profile %q: use normal, fast or wan", name)
}

// Forwarder carries a follower's requests to the leader. Implementations call [Node.ApplyLocal] and [Node.ReadIndex] there.
// An error that wraps ErrNotLeader or ErrUnavailable is tried again; every other error is returned to the caller as it is.
// A call must end when ctx does: the node cancels it when the leader changes.
type Forwarder interface {
	Forward(ctx context.Context, leaderID, leaderAddr string, cmd []byte) (result []byte, index uint64, err error)
	ReadIndex(ctx context.Context, leaderID, leaderAddr string) (index uint64, err error)
}

// Config describes a node. ID, DataDir, Bind and Machine are required.
type Config struct {
	ID        string // the node's name, for ever; recorded in the data directory
	ClusterID string // when set, a data directory of another cluster is refused; see Node.SetClusterID
	DataDir   string // created if missing, mode 0700
	Bind      string // host:port of the Raft listener; port 0 picks a free one
	// Listener, where set, takes the place of Bind: a port shared with another protocol, told apart by the first byte ('R'
	// and 'W' are Raft's). The node closes it.
	Listener  net.Listener
	Advertise string // host:port that the others dial; default: the bound address
	Profile   Profile
	Logger    *slog.Logger

	Machine   Machine
	Forwarder Forwarder // nil: a follower cannot forward, and holds until it leads
	// Lead runs the leader's duties. It is called after the barrier of a new term, in a goroutine of its own, and must return
	// when ctx ends (leadership lost, local disk hung, Close). The next term's Lead starts only after it has returned.
	// An error while still leading gives leadership away. Returning nil early means that nothing is left to do in this term.
	Lead func(ctx context.Context, term uint64) error
	// Fatal stops the process: a log entry could not be decoded or applied, or the disk did not answer for FatalStall, failed or
	// gave back something else than was written. It must not return in production; the default panics.
	Fatal func(error)

	// Hold bounds how long Propose and ReadBarrier wait for a leader. Default 10 s.
	Hold time.Duration
	// MaxBatchCommands and MaxBatchBytes bound one log entry (a single larger command makes an entry of its own).
	// Defaults 1,024 and 512 KiB.
	MaxBatchCommands, MaxBatchBytes int

	SnapshotThreshold uint64        // entries since the last snapshot; default 8,192
	SnapshotInterval  time.Duration // how often that is checked; default 30 s
	TrailingLogs      uint64        // entries kept after a snapshot for slow followers; default 20,000

	// StallLimit is how long a local write may be in flight before heartbeats stop; default 1 s.
	StallLimit time.Duration
	// FatalStall is how long the gate may stay shut before Fatal; default 10 s.
	FatalStall time.Duration
	// Reserve is how many bytes of the disk are kept for Raft's own writes: in a file that is given up when nothing else is
	// left, and as many besides, without which no command is taken (ErrNoSpace). Default 64 MiB, or a 16th of a small disk;
	// negative for none.
	Reserve int64
	// AwaitAdmission has a node that starts on an empty disk take no part in elections before Admit or a promise to a
	// Bootstrapper: see Node.Joining.
	AwaitAdmission bool
	// NoDeathWatch turns the watches of the leader's process and of its silence off: raft's own timeouts remain.
	NoDeathWatch bool

	wrapLogs func(raft.LogStore) raft.LogStore // for tests: faults of the disk
}

// MaxCommandBytes bounds one command.
const MaxCommandBytes = 16 << 20

func (c *Config) setDefaults() {
	setDefault(&c.Profile, ProfileNormal)
	setDefault(&c.Logger, slog.Default())
	setDefault(&c.Hold, 10*time.Second)
	setDefault(&c.MaxBatchCommands, 1024)
	setDefault(&c.MaxBatchBytes, 512<<10)
	setDefault(&c.SnapshotThreshold, 8192)
	setDefault(&c.SnapshotInterval, 30*time.Second)
	setDefault(&c.TrailingLogs, 20_000)
	setDefault(&c.StallLimit, time.Second)
	setDefault(&c.FatalStall, 10*time.Second)
	if c.Fatal == nil {
		c.Fatal = func(err error) { panic(err) }
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) validate() error {
	switch {
	case c.ID == "":
		return errors.New("raft node: no id given")
	case c.Machine == nil:
		return errors.New("raft node: no machine given")
	case c.Profile.Lease > c.Profile.Heartbeat/2:
		return fmt.Errorf("raft node: leader lease %s exceeds half of the heartbeat timeout %s", c.Profile.Lease, c.Profile.Heartbeat)
	}
	return nil
}

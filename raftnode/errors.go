package raftnode

import (
	"errors"
	"fmt"
)

// Errors that callers decide by. All are matched with errors.Is.
var (
	// ErrNoLeader says that a proposal or read was held for as long as allowed and found no leader that would take it. A
	// command may have been committed nevertheless: repeat it with the same request id.
	ErrNoLeader = errors.New("no leader")
	// ErrNotLeader says that this node does not lead. The error is a *NotLeaderError with a hint.
	ErrNotLeader = errors.New("not the leader")
	// ErrUnavailable says that the leader could not be asked, or could not answer now. Forwarders wrap it around
	// transport failures; the node then tries again.
	ErrUnavailable = errors.New("leader unavailable")
	// ErrOverloaded says that the queue of commands waiting for the log is full. Nothing was proposed.
	ErrOverloaded = errors.New("too many commands wait for the log")
	// ErrCommandTooLarge says that a command exceeds MaxCommandBytes.
	ErrCommandTooLarge = errors.New("command too large")
	// ErrClosed says that the node is closed or closing.
	ErrClosed = errors.New("raft node is closed")
	// ErrForeignDataDir says that the data directory belongs to another node or another cluster.
	ErrForeignDataDir = errors.New("data directory belongs to another node or cluster")
	// ErrDataDirInUse says that another process holds the data directory.
	ErrDataDirInUse = errors.New("data directory is in use by another process")
	// ErrDataDir says that the data directory cannot be used (not a directory, not writable).
	ErrDataDir = errors.New("data directory is not usable")
	// ErrAddressInUse says that the Raft port is taken.
	ErrAddressInUse = errors.New("raft address is in use")
	// ErrBadEntry says that a log entry cannot be decoded.
	ErrBadEntry = errors.New("log entry cannot be decoded")
	// ErrAlreadyBootstrapped says that this node already has a log, a term or a snapshot.
	ErrAlreadyBootstrapped = errors.New("node already belongs to a cluster")
	// ErrStalled says that a write to the local disk has been in flight for longer than StallLimit.
	ErrStalled = errors.New("local disk does not answer")
	// ErrNoSpace says that the leader's disk is full, and that no other master has space either: nothing was proposed. The
	// command may be tried again when there is space.
	ErrNoSpace = errors.New("no space left for commands")
	// ErrDisk says that a read or write of the local disk failed, so that raft cannot go on.
	ErrDisk = errors.New("local disk fails")
	// ErrCorrupt says that the data directory does not hold what was written to it.
	ErrCorrupt = errors.New("data directory is damaged")
	// ErrUnsafe says that a change of the members could cost the quorum.
	ErrUnsafe = errors.New("the quorum could be lost")
	// ErrRaftEnded says that raft has stopped though nobody closed the node. The process must not stay, looking alive.
	ErrRaftEnded = errors.New("raft has ended")
)

// NotLeaderError is ErrNotLeader with what this node knows about the leader.
type NotLeaderError struct {
	LeaderID   string // empty when no leader is known
	LeaderAddr string // Raft address of the leader
}

// Error implements error.
func (e *NotLeaderError) Error() string {
	if e.LeaderID == "" {
		return "not the leader, and no leader is known"
	}
	return fmt.Sprintf("not the leader; the leader is %s at %s", e.LeaderID, e.LeaderAddr)
}

// Is makes errors.Is(err, ErrNotLeader) true.
func (e *NotLeaderError) Is(target error) bool { return target == ErrNotLeader }

// retryable tells whether the same bytes may be tried again: the command was not taken, or its outcome is unknown and the
// machine deduplicates it.
func retryable(err error) bool {
	for _, again := range []error{ErrNotLeader, ErrUnavailable, ErrStalled, ErrOverloaded, ErrNoSpace} {
		if errors.Is(err, again) {
			return true
		}
	}
	return false
}

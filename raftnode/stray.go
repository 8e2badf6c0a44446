package raftnode

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// strayLooks is for how many election timeouts a candidate may name a leader before that is an error: the candidacy of a
// handover, which a leader's heartbeats do not end, lasts at most two.
const strayLooks = 3

// strayCandidate finds a candidate that goes on naming a leader.
//
// One that was told to stand at once (a handover, the death watch) is not stopped by the heartbeats of another that won the
// same term, and raft notes their sender as its leader nevertheless. If that one falls silent before the first candidacy is
// over, raft never forgets it, since only followers do: the candidate refuses its vote to everybody, for it "has a leader",
// and if it lacks entries nobody can be elected without that leader (found in virtual time, chaos/virtual, seed 78).
type strayCandidate struct {
	leader string
	looks  int
}

// look is called once in an election timeout, and tells whether the candidate has strayed.
func (s *strayCandidate) look(state raft.RaftState, leader, self string) bool {
	if state != raft.Candidate || leader == "" || leader == self {
		*s = strayCandidate{}
		return false
	}
	if leader != s.leader {
		*s = strayCandidate{leader: leader}
	}
	s.looks++
	if s.looks < strayLooks {
		return false
	}
	*s = strayCandidate{}
	return true
}

// freeCandidate makes raft forget the leader, by the only message that does.
func (n *Node) freeCandidate(leader string) {
	n.log.Warn("a candidate that still names a leader which says nothing; standing for election afresh", "leader", leader)
	ctx, cancel := context.WithTimeout(n.ctx, time.Second)
	defer cancel()
	if err := n.trans.timeoutNow(ctx); err != nil {
		n.log.Debug("no fresh election", "error", err)
	}
}

package raftnode

import (
	"testing"

	"github.com/hashicorp/raft"
)

func TestStrayCandidate(t *testing.T) {
	t.Parallel()
	var s strayCandidate
	for i, c := range []struct {
		state  raft.RaftState
		leader string
		want   bool
	}{
		{raft.Candidate, "b", false}, {raft.Candidate, "b", false}, {raft.Candidate, "b", true}, // strayed
		{raft.Candidate, "b", false}, {raft.Candidate, "", false}, {raft.Candidate, "b", false}, {raft.Candidate, "b", false},
		{raft.Follower, "b", false}, {raft.Candidate, "b", false}, {raft.Candidate, "c", false}, {raft.Candidate, "c", false}, {raft.Candidate, "c", true},
		{raft.Candidate, "a", false}, {raft.Candidate, "a", false}, {raft.Candidate, "a", false}, {raft.Leader, "a", false},
	} {
		if got := s.look(c.state, c.leader, "a"); got != c.want {
			t.Errorf("look %d, %s with leader %q: %v", i, c.state, c.leader, got)
		}
	}
}

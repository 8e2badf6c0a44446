package raftnode

import (
	"errors"
	"testing"
)

func TestMembershipChanges(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, nil)
	leader, follower := g.leader(), g.follower()
	if err := follower.AddVoter(t.Context(), "m9", "127.0.0.1:9"); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("a follower added a voter: %v", err)
	}
	before := leader.Stats().Last
	if err := leader.AddVoter(t.Context(), follower.ID(), follower.Addr()); err != nil || leader.Stats().Last != before {
		t.Fatalf("adding a member that is there: %v", err)
	}
	// A new id at the address of an old one takes its place.
	if err := leader.AddVoter(t.Context(), "m9", follower.Addr()); err != nil {
		t.Fatal(err)
	}
	servers := make(map[string]string)
	for _, s := range leader.Servers() {
		servers[s.ID] = s.Addr
	}
	if len(servers) != 3 || servers["m9"] != follower.Addr() || servers[follower.ID()] != "" {
		t.Fatalf("servers %v", servers)
	}
	if err := leader.RemoveServer(t.Context(), "m9"); err != nil || len(leader.Servers()) != 2 {
		t.Fatalf("remove: %v, servers %v", err, leader.Servers())
	}
	g.propose(leader, "c")
	if err := leader.TransferLeadershipTo(t.Context(), "m9"); err == nil {
		t.Fatal("leadership handed to somebody who is no member")
	}
}

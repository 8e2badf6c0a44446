package raftnode

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
)

func TestProposeFromEveryNode(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, nil)
	var want []string
	for i := range 9 {
		cmd := fmt.Sprintf("c%d", i)
		g.propose(g.all()[i%3], cmd)
		want = append(want, cmd)
	}
	if got := g.same(); !slices.Equal(got, want) {
		t.Fatalf("commands %v, want %v", got, want)
	}
}

func TestReadYourWriteEverywhere(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, nil)
	for i := range 20 {
		cmd := fmt.Sprintf("c%d", i)
		g.propose(g.all()[i%3], cmd)
		reader := g.all()[(i+1)%3]
		g.read(reader)
		if !g.records[reader.ID()].has(cmd) {
			t.Fatalf("%s misses %s after a read barrier", reader.ID(), cmd)
		}
	}
}

func TestGroupCommit(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, nil)
	leader := g.leader()
	var clients sync.WaitGroup
	for i := range 64 {
		clients.Go(func() {
			for j := range 10 {
				g.propose(leader, fmt.Sprintf("c%d-%d", i, j))
			}
		})
	}
	clients.Wait()
	if got := len(g.same()); got != 640 {
		t.Fatalf("%d commands applied, want 640", got)
	}
	if s := leader.Stats(); s.Commands < 2*s.Entries {
		t.Fatalf("no group commit: %d commands in %d entries", s.Commands, s.Entries)
	}
}

func TestKilledLeaderIsReplacedByTheDeathWatch(t *testing.T) {
	t.Parallel()
	// With the slow profile the heartbeat timeout alone would take seconds.
	g := newGroup(t, 3, func(c *Config) { c.Profile = ProfileWAN })
	old := g.leader()
	g.propose(old, "before")
	for _, n := range g.all() {
		if n != old {
			g.eventually(n, "its death watch", func() bool { return n.watching.Load() == old.Addr() })
		}
	}
	g.kill(old.ID())
	survivors := g.all()
	for _, n := range survivors {
		g.propose(n, "after "+n.ID())
	}
	g.eventually(survivors[0], "an election called by the death watch", func() bool {
		return survivors[0].Stats().DeathCalls+survivors[1].Stats().DeathCalls > 0
	})
	if got := len(g.same()); got != 3 {
		t.Fatalf("%d commands, want 3", got)
	}
}

func TestRestartFromDisk(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, nil)
	g.propose(g.leader(), "one")
	for _, n := range g.all() {
		g.kill(n.ID())
	}
	for _, id := range []string{"m1", "m2", "m3"} {
		g.open(id)
	}
	g.propose(g.follower(), "two")
	if got := g.same(); !slices.Equal(got, []string{"one", "two"}) {
		t.Fatalf("commands %v", got)
	}
}

func TestCloseHandsOver(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, func(c *Config) { c.Profile = ProfileWAN; c.NoDeathWatch = true })
	old := g.leader()
	g.propose(old, "one")
	g.mu.Lock()
	delete(g.nodes, old.ID())
	g.mu.Unlock()
	term := old.Term()
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	leader := g.leader()
	if leader.Term() != term+1 {
		t.Fatalf("term %d after %d: not a handover", leader.Term(), term)
	}
	if _, _, err := old.Propose(context.Background(), []byte("x")); err != ErrClosed {
		t.Fatalf("propose on a closed node: %v", err)
	}
}

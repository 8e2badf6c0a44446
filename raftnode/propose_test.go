package raftnode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHeldProposalWakesWhenALeaderAppears(t *testing.T) {
	t.Parallel()
	g := emptyGroup(t, 3, nil)
	results := make(chan error, 3)
	for _, n := range g.all() {
		go func() {
			_, _, err := n.Propose(t.Context(), []byte("held by "+n.ID()))
			results <- err
		}()
	}
	var servers []Server
	for _, n := range g.all() {
		servers = append(servers, Server{n.ID(), n.Addr(), true})
	}
	if err := g.find("m2").Bootstrap(servers); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
	if got := g.same(); len(got) != 3 {
		t.Fatalf("commands %v", got)
	}
	if err := g.find("m1").Bootstrap(servers); !errors.Is(err, ErrAlreadyBootstrapped) {
		t.Fatalf("second bootstrap: %v", err)
	}
}

func TestNoLeaderError(t *testing.T) {
	t.Parallel()
	g := emptyGroup(t, 1, func(c *Config) { c.Hold = 50 * time.Millisecond })
	n := g.find("m1")
	_, _, err := n.Propose(t.Context(), []byte("c"))
	if !errors.Is(err, ErrNoLeader) || !strings.Contains(err.Error(), "command held for") {
		t.Fatalf("propose: %v", err)
	}
	if _, err := n.ReadBarrier(t.Context()); !errors.Is(err, ErrNoLeader) {
		t.Fatalf("read: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := n.Propose(ctx, []byte("c")); !errors.Is(err, context.Canceled) || errors.Is(err, ErrNoLeader) {
		t.Fatalf("propose with an ended context: %v", err)
	}
	if _, _, err := n.ApplyLocal(t.Context(), []byte("c")); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("apply: %v", err)
	}
	if _, err := n.ReadIndex(t.Context()); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("read index: %v", err)
	}
	if _, _, err := n.Propose(t.Context(), make([]byte, MaxCommandBytes+1)); !errors.Is(err, ErrCommandTooLarge) {
		t.Fatalf("large command: %v", err)
	}
}

func TestNotLeaderHint(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, nil)
	leader, follower := g.leader(), g.follower()
	_, _, err := follower.ApplyLocal(t.Context(), []byte("c"))
	var hint *NotLeaderError
	if !errors.As(err, &hint) || hint.LeaderID != leader.ID() || hint.LeaderAddr != leader.Addr() {
		t.Fatalf("hint %v, want %s at %s", err, leader.ID(), leader.Addr())
	}
}

// refusing is a forwarder whose leader gives a final answer.
type refusing struct{ err error }

func (r refusing) Forward(context.Context, string, string, []byte) ([]byte, uint64, error) {
	return nil, 0, r.err
}
func (r refusing) ReadIndex(context.Context, string, string) (uint64, error) { return 0, r.err }

func TestFinalAnswersAreNotRetried(t *testing.T) {
	t.Parallel()
	denied := errors.New("permission denied")
	g := newGroup(t, 3, func(c *Config) { c.Forwarder = refusing{denied} })
	if _, _, err := g.follower().Propose(t.Context(), []byte("c")); !errors.Is(err, denied) {
		t.Fatalf("propose: %v", err)
	}
	if _, err := g.follower().ReadBarrier(t.Context()); !errors.Is(err, denied) {
		t.Fatalf("read: %v", err)
	}
}

// Followers go on proposing while leaders come and go; every acknowledged command is there, once.
func TestForwardingAcrossLeaderLoss(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, nil)
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	acked := make(chan string, 100_000)
	for i := range 6 {
		clients.Go(func() {
			for j := 0; ctx.Err() == nil; j++ {
				// Whichever node is up takes it; the same bytes go to another one if that dies.
				cmd := fmt.Sprintf("c%d-%d", i, j)
				for ctx.Err() == nil {
					nodes := g.all()
					if _, _, err := nodes[(i+j)%len(nodes)].Propose(ctx, []byte(cmd)); err == nil {
						acked <- cmd
						break
					}
				}
			}
		})
	}
	for range 8 {
		old := g.leader()
		g.kill(old.ID())
		g.propose(g.follower(), "after "+old.ID()+fmt.Sprint(old.Term()))
		g.open(old.ID())
		g.leader()
	}
	stop()
	clients.Wait()
	close(acked)
	order := g.same()
	applied := make(map[string]bool, len(order))
	for _, cmd := range order {
		if applied[cmd] {
			t.Fatalf("%s is in the order twice", cmd)
		}
		applied[cmd] = true
	}
	count := 0
	for cmd := range acked {
		count++
		if !applied[cmd] {
			t.Fatalf("%s was acknowledged and is lost", cmd)
		}
	}
	if count < 100 {
		t.Fatalf("only %d commands acknowledged: too few to prove anything", count)
	}
}

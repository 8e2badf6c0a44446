package raftnode

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// leadUntil is a Lead that reports the cause of its end on the channel that begin returns.
func leadUntil(begin func(term uint64) chan error) func(context.Context, uint64) error {
	return func(ctx context.Context, term uint64) error {
		ended := begin(term)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil
	}
}

func TestLeadRunsOncePerTermAndNeverTwice(t *testing.T) {
	t.Parallel()
	var running atomic.Int32
	terms := make(chan uint64, 100)
	g := newGroup(t, 3, func(c *Config) {
		c.Lead = func(ctx context.Context, term uint64) error {
			// An old leader may lag, but one node's stretches must not overlap: counted per node below by the terms.
			running.Add(1)
			defer running.Add(-1)
			terms <- term
			<-ctx.Done()
			return nil
		}
	})
	seen := make(map[uint64]bool)
	for range 6 {
		term := <-terms
		if seen[term] {
			t.Fatalf("term %d was led twice", term)
		}
		seen[term] = true
		leader := g.leader()
		g.propose(leader, "c")
		if err := leader.TransferLeadership(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	g.closeAll()
	if n := running.Load(); n != 0 {
		t.Fatalf("%d duties run after Close", n)
	}
}

// A repeated true on raft's channel means lost and regained: the duties stop, then start.
func TestLeadRestartsOnRepeatedTrue(t *testing.T) {
	t.Parallel()
	started, ended := make(chan uint64, 4), make(chan error, 4)
	release := make(chan struct{})
	g := newGroup(t, 1, func(c *Config) {
		c.Lead = func(ctx context.Context, term uint64) error {
			started <- term
			<-ctx.Done()
			<-release
			ended <- context.Cause(ctx)
			return nil
		}
	})
	<-started
	g.find("m1").notify <- true
	select {
	case <-started:
		t.Fatal("the second stretch began before the first had ended")
	case release <- struct{}{}:
	}
	if cause := <-ended; !errors.Is(cause, errLeadershipLost) {
		t.Fatalf("ended with %v", cause)
	}
	<-started
	close(release)
}

func TestFailedLeadHandsOver(t *testing.T) {
	t.Parallel()
	var failing atomic.Value // the id that may not lead
	failing.Store("")
	leading := make(chan string, 100)
	g := newGroup(t, 3, func(c *Config) {
		id := c.ID
		c.Lead = func(ctx context.Context, _ uint64) error {
			leading <- id
			if failing.Load() == id {
				return errors.New("cannot establish")
			}
			<-ctx.Done()
			return nil
		}
	})
	first := <-leading
	failing.Store(first)
	// Bring it back to the failing node as often as needed: it must always give the leadership away.
	g.find(first).notify <- true // restart its duties, which now fail
	if again := <-leading; again != first {
		t.Fatalf("%s leads, want %s once more", again, first)
	}
	if next := <-leading; next == first {
		t.Fatalf("%s leads again after its duties failed", next)
	}
	g.propose(g.find(first), "c")
}

func TestFailedLeadAloneTriesAgain(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	done := make(chan struct{})
	newGroup(t, 1, func(c *Config) {
		c.Lead = func(ctx context.Context, _ uint64) error {
			if tries.Add(1) == 1 {
				return errors.New("cannot establish")
			}
			close(done)
			<-ctx.Done()
			return nil
		}
	})
	<-done
}

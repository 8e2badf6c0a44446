package raftnode

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// watched starts a watch of addr by a node that belongs to no cluster, and waits until it is connected.
func watched(t *testing.T, ctx context.Context, addr string) <-chan string {
	t.Helper()
	g := emptyGroup(t, 1, func(c *Config) { c.NoDeathWatch = true })
	n := g.find("m1")
	evidence := make(chan string, 1)
	go func() { evidence <- n.watchProcess(ctx, addr) }()
	g.eventually(n, "the watch", func() bool { return n.watching.Load() == addr })
	return evidence
}

func TestRefusedRedialIsEvidence(t *testing.T) {
	t.Parallel()
	peer, err := listenStream("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	evidence := watched(t, t.Context(), peer.Addr().String())
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-evidence; !strings.Contains(got, "nothing listens") {
		t.Fatalf("evidence %q", got)
	}
}

func TestNewIncarnationIsEvidence(t *testing.T) {
	t.Parallel()
	// A supervisor restarts the process before the watcher dials again: the listener never goes away.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	lives := make(chan net.Conn)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			inc := newIncarnation() // another one for each connection
			_, _ = conn.Write(inc[:])
			lives <- conn
		}
	}()
	evidence := watched(t, t.Context(), listener.Addr().String())
	_ = (<-lives).Close()
	second := <-lives
	defer second.Close()
	if got := <-evidence; !strings.Contains(got, "another process") {
		t.Fatalf("evidence %q", got)
	}
}

func TestBrokenConnectionAloneIsNoEvidence(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	own := newIncarnation()
	conns := make(chan net.Conn)
	go func() {
		for i := 0; ; i++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if i == 2 { // accepted, and never answered: a time-out
				conns <- conn
				continue
			}
			_, _ = conn.Write(own[:])
			conns <- conn
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	evidence := watched(t, ctx, listener.Addr().String())
	for range 2 {
		_ = (<-conns).Close() // the same process answers the redial, then it is silent
	}
	silent := <-conns
	defer silent.Close()
	back := <-conns // tried again after the time-out
	defer back.Close()
	cancel()
	if got := <-evidence; got != "" {
		t.Fatalf("evidence %q from a process that is alive", got)
	}
}

func TestAddressThatNeverAnsweredIsNoEvidence(t *testing.T) {
	t.Parallel()
	g := emptyGroup(t, 1, func(c *Config) { c.NoDeathWatch = true })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got := g.find("m1").watchProcess(ctx, "127.0.0.1:1"); got != "" {
		t.Fatalf("evidence %q", got)
	}
}

func TestOnlyTheWatchedLeaderIsReplaced(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, nil)
	leader, follower := g.leader(), g.follower()
	term := follower.Term()
	// Evidence about somebody who is not the leader (any more) changes nothing.
	follower.callElection(t.Context(), "m9", "test")
	leader.callElection(t.Context(), "m9", "test")
	if follower.Stats().DeathCalls+leader.Stats().DeathCalls != 0 || follower.Term() != term {
		t.Fatal("an election was called")
	}
	if rank, voter := follower.rank(leader.ID()); !voter || rank > 1 {
		t.Fatalf("rank %d, voter %v", rank, voter)
	}
}

func TestUnknownStreamsAreClosed(t *testing.T) {
	t.Parallel()
	peer, err := listenStream("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	conn, err := net.Dial("tcp", peer.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(testTimeout))
	var timeout net.Error
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || (errors.As(err, &timeout) && timeout.Timeout()) {
		t.Fatalf("read %d bytes, %v", n, err)
	}
}

// A node that has just come back lacks the newest term's entries: if it went first, the others would refuse it their
// votes and then wait out their timeouts (seen: 0.9 s and not 0.1 s for the second of two kills in a row).
func TestNodesThatAreBehindCallElectionsLast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		own    string
		behind bool
		rank   int
		voter  bool
	}{
		{"m1", false, 0, true}, {"m3", false, 1, true}, {"m1", true, 2, true}, {"m3", true, 3, true}, {"m2", false, 1, false},
	} {
		rank, voter := place([]string{"m3", "m1"}, c.own, c.behind)
		if rank != c.rank || voter != c.voter {
			t.Errorf("%s, behind %v: rank %d, voter %v; want %d, %v", c.own, c.behind, rank, voter, c.rank, c.voter)
		}
	}
}

package raftnode

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sort"
	"strconv"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/internal/delay"
)

const (
	watchDialTimeout = 500 * time.Millisecond
	watchRetryMin    = 50 * time.Millisecond
	watchRetryMax    = time.Second
	// rankDelay is how much longer each further follower, in the order of ids, waits before it calls an election.
	rankDelay = 60 * time.Millisecond
)

// incarnation names one life of a process's Raft port.
type incarnation [16]byte

func newIncarnation() (inc incarnation) {
	_, _ = rand.Read(inc[:]) // never fails
	return inc
}

// serveWatch tells the watcher who lives here and then speaks only when asked: the connection's end is the message.
func serveWatch(conn net.Conn, own incarnation, silent func() time.Duration) {
	if _, err := conn.Write(own[:]); err == nil {
		answerSilence(conn, silent)
	}
}

// watchLeader holds a connection to the leader's process, whoever that is, and calls an election when it is gone.
func (n *Node) watchLeader() {
	for n.ctx.Err() == nil {
		id, addr, changed := n.view.get()
		if id == "" || id == n.cfg.ID {
			select {
			case <-changed:
			case <-n.ctx.Done():
			}
			continue
		}
		ctx, cancel := context.WithCancelCause(n.ctx)
		go n.cancelOnNewLeader(ctx, id, cancel)
		if evidence := n.watchProcess(ctx, addr); evidence != "" {
			n.callElection(ctx, id, evidence)
		}
		cancel(nil)
	}
}

// watchProcess returns the evidence that the process at addr is gone, or "" when ctx ends first. A connection must have been
// up before: a wrong address or a firewall is no death.
func (n *Node) watchProcess(ctx context.Context, addr string) (evidence string) {
	conn, known := n.firstWatch(ctx, addr)
	if conn != nil {
		n.watching.Store(addr)
		defer n.watching.Store("")
	}
	for pause := watchRetryMin; conn != nil; {
		waitBroken(ctx, conn)
		if ctx.Err() != nil {
			return ""
		}
		again, found, err := n.dialWatch(addr)
		for err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
			// A time-out, a reset or an unreachable host is no evidence: heartbeats will tell.
			if delay.For(ctx, pause); ctx.Err() != nil {
				return ""
			}
			pause = min(2*pause, watchRetryMax)
			again, found, err = n.dialWatch(addr)
		}
		if err != nil {
			return "nothing listens at " + addr
		}
		if found != known {
			_ = again.Close()
			return "another process listens at " + addr
		}
		conn = again
	}
	return ""
}

// firstWatch dials until it is connected; nil when ctx ends first.
func (n *Node) firstWatch(ctx context.Context, addr string) (net.Conn, incarnation) {
	for pause := watchRetryMin; ctx.Err() == nil; pause = min(2*pause, watchRetryMax) {
		if conn, found, err := n.dialWatch(addr); err == nil {
			return conn, found
		}
		delay.For(ctx, pause)
	}
	return nil, incarnation{}
}

func (n *Node) dialWatch(addr string) (net.Conn, incarnation, error) {
	var found incarnation
	conn, err := n.stream.dial(addr, streamWatch, watchDialTimeout)
	if err != nil {
		return nil, found, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(watchDialTimeout))
	if _, err := io.ReadFull(conn, found[:]); err != nil {
		return nil, found, errors.Join(err, conn.Close())
	}
	_ = conn.SetReadDeadline(time.Time{})
	return conn, found, nil
}

// waitBroken returns when the connection ends, and closes it; it ends it itself when ctx does.
func waitBroken(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
}

// callElection makes this node a candidate, the lowest id first, if dead is still the leader it knows. A wrong guess costs
// one election: votes still need an up-to-date log and a majority.
func (n *Node) callElection(ctx context.Context, dead, evidence string) {
	rank, voter := n.rank(dead)
	if !voter {
		<-ctx.Done() // nothing to do here until there is another leader
		return
	}
	term := n.Term()
	delay.For(ctx, time.Duration(rank)*rankDelay)
	if n.Term() != term {
		delay.For(ctx, time.Duration(rank)*rankDelay) // an election is under way: let it end
	}
	if ctx.Err() != nil || n.IsLeader() {
		return
	}
	if now := n.LeaderID(); now != "" && now != dead {
		return
	}
	// Not with ctx, which ends as soon as this has worked.
	if err := n.trans.timeoutNow(n.ctx); err != nil {
		n.log.Warn("cannot call an election", "error", err)
		return
	}
	n.deathCalls.Add(1)
	n.log.Info("the leader's process is gone; calling an election", "leader", dead, "evidence", evidence, "rank", rank)
}

// rank is this node's place among the voters without dead, in the order of ids.
func (n *Node) rank(dead string) (rank int, voter bool) {
	var ids []string
	for _, s := range n.voters() {
		if s.ID != dead {
			ids = append(ids, s.ID)
		}
	}
	return place(ids, n.cfg.ID, n.behind())
}

// place is the order in which nodes call an election: by id, those that are behind after all others. One that is behind
// cannot win, but its attempt makes the others wait for their timeouts.
func place(ids []string, own string, behind bool) (rank int, voter bool) {
	sort.Strings(ids)
	rank = sort.SearchStrings(ids, own)
	voter = rank < len(ids) && ids[rank] == own
	if behind {
		rank += len(ids)
	}
	return rank, voter
}

// behind tells that this node lacks what the leader wrote at the start of its term, as a node does that has just come
// back: hashicorp/raft replicates to it again only after a pause that grew while it was away.
func (n *Node) behind() bool {
	last, err := strconv.ParseUint(n.raft.Stats()["last_log_term"], 10, 64)
	return err == nil && last < n.Term()
}

// String implements fmt.Stringer.
func (i incarnation) String() string { return fmt.Sprintf("%x", i[:4]) }

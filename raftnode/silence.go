package raftnode

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// A leader whose process is there and says nothing (frozen, cut off, its disk hung) is no case for the death watch. Raft's
// followers notice it after a random time between one and two heartbeat timeouts, each for itself; as long as one of them
// still believes, the other is refused its votes and waits out another timeout (seen: p50 0.8 s, p99 1.9 s at 500 ms). So
// followers that hear nothing ask each other, and when a majority hears nothing, call one election, in order, as for a dead
// process. A wrong guess costs one election, as there.

const (
	// silenceShare: whoever calls has heard nothing for this many heartbeat timeouts, who agrees for one. About the median of
	// what raft takes by itself, so that a slow machine loses no leader that it would have kept.
	silenceShare = 1.4
	// silenceChecks is how often in a heartbeat timeout the silence is looked at.
	silenceChecks = 20
	// askTimeout bounds the question to another follower.
	askTimeout = 250 * time.Millisecond
)

// askSilence is what a watcher sends on a watch's connection to learn how long its other end has heard nothing.
const askSilence = '?'

// silence is for how long a node has heard nothing of its leader.
type silence struct {
	now   atomic.Int64 // nanoseconds
	awake time.Time    // since when this process has run without a gap
	last  time.Time    // of the last look
}

// look brings the silence up to date. A process that was itself stopped, or starved of its processor, has not listened: its
// silence counts from when it woke.
func (s *silence) look(at, contact time.Time, gap time.Duration) time.Duration {
	if s.last.IsZero() || at.Sub(s.last) > gap {
		s.awake = at
	}
	s.last = at
	d := time.Duration(0)
	if !contact.IsZero() {
		d = min(at.Sub(contact), at.Sub(s.awake))
	}
	s.now.Store(int64(d))
	return d
}

// watchSilence calls an election when this node and enough others hear nothing of the leader.
func (n *Node) watchSilence() {
	heartbeat := n.cfg.Profile.Heartbeat
	limit := time.Duration(silenceShare * float64(heartbeat))
	tick := time.NewTicker(heartbeat / silenceChecks)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
		silent := n.silence.look(time.Now(), n.leaderContact(), heartbeat/2)
		id := n.LeaderID()
		if silent < limit || id == "" || id == n.cfg.ID {
			continue
		}
		if _, voter := n.rank(id); !voter {
			continue
		}
		agree, needed := n.agreeOnSilence(id, heartbeat)
		if agree < needed {
			continue
		}
		n.callElection(n.ctx, id, fmt.Sprintf("nothing was heard of it for %s, by %d voters", silent.Round(time.Millisecond), agree))
	}
}

// leaderContact is when the leader was last heard; zero where that says nothing, as for the leader itself.
func (n *Node) leaderContact() time.Time {
	if n.raft.State() != raft.Follower {
		return time.Time{}
	}
	return n.raft.LastContact()
}

// agreeOnSilence counts the voters that have heard nothing of the leader for as long, this node among them, and gives the
// majority.
func (n *Node) agreeOnSilence(leader string, limit time.Duration) (agree, needed int) {
	voters := n.voters()
	var count atomic.Int64
	count.Store(1)
	var wg sync.WaitGroup
	for _, s := range voters {
		if s.ID == leader || s.ID == n.cfg.ID {
			continue
		}
		wg.Go(func() {
			if silent, err := n.silenceOf(n.ctx, s.Addr); err == nil && silent >= limit {
				count.Add(1)
			}
		})
	}
	wg.Wait()
	return int(count.Load()), len(voters)/2 + 1
}

// silenceOf asks another node.
func (n *Node) silenceOf(ctx context.Context, addr string) (time.Duration, error) {
	conn, _, err := n.dialWatch(addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(askTimeout))
	if _, err := conn.Write([]byte{askSilence}); err != nil {
		return 0, err
	}
	var answer [4]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return 0, err
	}
	return time.Duration(binary.BigEndian.Uint32(answer[:])) * time.Millisecond, nil
}

// answerSilence answers the questions that come on a watch's connection until it ends.
func answerSilence(conn io.ReadWriter, silent func() time.Duration) {
	var ask [1]byte
	for {
		if _, err := io.ReadFull(conn, ask[:]); err != nil {
			return
		}
		if ask[0] != askSilence {
			continue
		}
		ms := min(silent().Milliseconds(), math.MaxUint32)
		if _, err := conn.Write(binary.BigEndian.AppendUint32(nil, uint32(ms))); err != nil {
			return
		}
	}
}

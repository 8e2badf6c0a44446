package virtual

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestStrayCandidate: a master that comes back behind the others and stands for election at once, which the leader's
// heartbeats do not stop, must not refuse its vote for ever when that leader freezes (found by TestQuorums, seed 78).
func TestStrayCandidate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(config{size: 3, seed: 1})
		l := startLoad(c)
		for i := range shortFaults / 2 {
			c.ledger.round(i, "stray candidate")
			strayCandidate(t, c)
		}
		c.settle(l)
		l.stop()
		c.close()
		for _, v := range c.ledger.violations {
			t.Error(v.text)
		}
	})
}

func strayCandidate(t *testing.T, c *cluster) {
	leader := c.awaitLeader(settleLimit)
	if leader == nil {
		t.Fatal("no leader")
	}
	var behind *master
	for _, m := range c.all() {
		if m != leader {
			behind = m
		}
	}
	behind.crash()
	handOver(&round{c: c, leader: leader}) // so that it comes back a term behind, and stands for that of the leader
	if leader = c.awaitLeader(settleLimit); leader == nil {
		t.Fatal("no leader of two")
	}
	time.Sleep(2 * time.Second) // virtual: raft tells a follower that refuses connections again only after a while
	behind.start()
	callElection(behind)
	time.Sleep(c.dice.upTo(150 * time.Millisecond))
	leader.freeze()
	if !c.replaced(leader, leaderLimit) {
		c.ledger.violate("no progress", "no new leader within %s", leaderLimit)
	}
	c.mend()
}

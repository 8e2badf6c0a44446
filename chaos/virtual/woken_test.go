package virtual

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// TestWokenLeaderReads: a leader that slept through the election of another must not answer a linearizable read by what
// arrived for it in its sleep. Its heartbeats of before were answered when it still led; raft's VerifyLeader counts such an
// answer for a read that began after it (found by TestQuorums, seed 123).
func TestWokenLeaderReads(t *testing.T) {
	t.Parallel()
	rounds := int(number(t, "FIRESTEEL_FAULTS", 100))
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(config{size: 3, seed: 1})
		l := &load{c: c, apps: map[string]string{}, drives: map[string]string{}}
		l.ctx, l.cancel = context.WithCancel(context.Background())
		for range rounds {
			wokenLeader(t, c, l)
		}
		l.stop()
		c.close()
		for _, v := range c.ledger.violations {
			t.Error(v.text)
		}
		t.Logf("%d reads, %d terms", c.ledger.reads, len(c.ledger.leaders))
	})
}

func wokenLeader(t *testing.T, c *cluster, l *load) {
	leader := c.awaitLeader(settleLimit)
	if leader == nil {
		t.Fatal("no leader")
	}
	c.net.change(func() { c.net.slowest = 40 * time.Millisecond }) // so that heartbeats are under way at any time
	time.Sleep(100*time.Millisecond + c.dice.upTo(100*time.Millisecond))
	leader.freeze()
	if !c.replaced(leader, leaderLimit) {
		t.Fatalf("no new leader within %s", leaderLimit)
	}
	sleeper := leader.running()
	for acked := false; !acked; {
		acked, _ = l.commit(&fsm.SetCluster{ID: "c"}, nil)
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			sleeper.awake()
			c.read(ctx, sleeper)
		})
	}
	time.Sleep(time.Second)
	leader.thaw()
	c.net.heal()
	readers.Wait()
}

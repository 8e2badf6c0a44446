package raftnode

import (
	"net"
	"testing"
	"time"
)

func TestSilentLeaderIsReplacedByAgreement(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, func(c *Config) { c.Profile.Lease = c.Profile.Heartbeat / 2 })
	old := g.leader()
	calls := func() (n uint64) {
		for _, m := range g.all() {
			n += m.Stats().DeathCalls
		}
		return n
	}
	began := calls()
	// Its process lives, and sends nothing: as with a disk that hangs.
	old.gate.mu.Lock()
	old.gate.shut = true
	old.gate.mu.Unlock()
	for _, n := range g.all() {
		if n != old {
			g.eventually(n, "a new leader", func() bool { return n.LeaderID() != "" && n.LeaderID() != old.ID() })
		}
	}
	t.Logf("%d elections were called by agreement", calls()-began) // raft's own timers may have been first
}

func TestAgreementNeedsTheOthers(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, nil)
	leader, follower := g.leader(), g.follower()
	// Nobody agrees that has heard something within the hour.
	if agree, needed := follower.agreeOnSilence(leader.ID(), time.Hour); agree != 1 || needed != 2 {
		t.Errorf("%d agree of %d needed", agree, needed)
	}
	for _, n := range g.all() {
		n.stream.silent.Store(silentFor(2 * time.Hour))
	}
	// All do that have not. A question may go unanswered on a busy machine; it is asked again.
	g.eventually(follower, "agreement", func() bool {
		agree, _ := follower.agreeOnSilence(leader.ID(), time.Hour)
		return agree == 2
	})
}

func silentFor(d time.Duration) *silence {
	s := &silence{}
	s.now.Store(int64(d))
	return s
}

func TestSilenceOfOneselfIsNoSilence(t *testing.T) {
	t.Parallel()
	var s silence
	at := time.Now()
	look := func(after, contact time.Duration) time.Duration {
		at = at.Add(after)
		if contact < 0 {
			return s.look(at, time.Time{}, 250*time.Millisecond)
		}
		return s.look(at, at.Add(-contact), 250*time.Millisecond)
	}
	ms := time.Millisecond
	if got := look(0, 2*time.Second); got != 0 {
		t.Errorf("%s at the start: nothing was listened to yet", got)
	}
	if got := look(25*ms, 10*ms); got != 10*ms {
		t.Errorf("%s, not 10 ms", got)
	}
	for range 20 {
		look(50*ms, time.Second)
	}
	if got := look(25*ms, 900*ms); got != 900*ms {
		t.Errorf("%s, not 900 ms", got)
	}
	if got := look(5*time.Second, 6*time.Second); got != 0 {
		t.Errorf("%s after this process was frozen", got)
	}
	if got := look(100*ms, 6*time.Second); got != 100*ms {
		t.Errorf("%s, not the 100 ms since it woke", got)
	}
	if got := look(25*ms, -1); got != 0 {
		t.Errorf("%s of a leader", got)
	}
}

func TestSilenceIsAnswered(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go answerSilence(theirs, func() time.Duration { return 1234567 * time.Microsecond })
	for range 2 {
		if _, err := ours.Write([]byte{'x', askSilence}); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 4)
		if _, err := ours.Read(answer); err != nil || [4]byte(answer) != [4]byte{0, 0, 4, 0xd2} {
			t.Fatalf("% x %v", answer, err)
		}
	}
	_ = theirs.Close()
}

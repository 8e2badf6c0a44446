package raftnode

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// stuckLogs is a log store on a disk that can hang.
type stuckLogs struct {
	raft.LogStore
	mu      sync.Mutex
	blocked chan struct{} // nil: the disk answers
}

func (s *stuckLogs) hang() { s.mu.Lock(); defer s.mu.Unlock(); s.blocked = make(chan struct{}) }

func (s *stuckLogs) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocked != nil {
		close(s.blocked)
		s.blocked = nil
	}
}

func (s *stuckLogs) wait() {
	s.mu.Lock()
	blocked := s.blocked
	s.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
}

func (s *stuckLogs) StoreLog(l *raft.Log) error    { s.wait(); return s.LogStore.StoreLog(l) }
func (s *stuckLogs) StoreLogs(l []*raft.Log) error { s.wait(); return s.LogStore.StoreLogs(l) }

func TestHungDiskOnLeaderFailsOver(t *testing.T) {
	t.Parallel()
	disks := make(map[string]*stuckLogs)
	g := newGroup(t, 3, func(c *Config) {
		disk := new(stuckLogs)
		disks[c.ID] = disk
		c.wrapLogs = func(s raft.LogStore) raft.LogStore { disk.LogStore = s; return disk }
	})
	old := g.leader()
	g.propose(old, "before")
	disk := disks[old.ID()]
	t.Cleanup(disk.heal) // runs before the group closes
	disk.hang()

	// The old leader has this command in its log file's queue when the others elect.
	stuck := make(chan error, 1)
	go func() {
		_, _, err := old.Propose(t.Context(), []byte("during"))
		stuck <- err
	}()
	g.eventually(old, "the gate to shut", func() bool { return old.Stats().Stalled })
	var survivors []*Node
	for _, n := range g.all() {
		if n != old {
			survivors = append(survivors, n)
			g.eventually(n, "a new leader", func() bool { return n.LeaderID() != "" && n.LeaderID() != old.ID() })
		}
	}
	g.propose(survivors[0], "after")
	if old.ready.Load() != nil {
		t.Error("the old leader still serves reads")
	}

	disk.heal()
	g.eventually(old, "the old leader to follow", func() bool { return old.LeaderID() != "" && old.LeaderID() != old.ID() })
	if err := <-stuck; err != nil {
		t.Errorf("the command that hung was not carried through: %v", err)
	}
	if got := g.same(); len(got) != 3 {
		t.Fatalf("commands %v, want before, during and after", got)
	}
}

func TestLeadEndsWhenTheDiskHangs(t *testing.T) {
	t.Parallel()
	var disk stuckLogs
	type stretch struct {
		term  uint64
		cause chan error
	}
	stretches := make(chan stretch, 4)
	g := newGroup(t, 1, func(c *Config) {
		c.wrapLogs = func(s raft.LogStore) raft.LogStore { disk.LogStore = s; return &disk }
		c.Lead = leadUntil(func(term uint64) chan error {
			s := stretch{term, make(chan error, 1)}
			stretches <- s
			return s.cause
		})
	})
	first := <-stretches
	t.Cleanup(disk.heal)
	disk.hang()
	go func() { _, _, _ = g.find("m1").Propose(t.Context(), []byte("x")) }()
	if cause := <-first.cause; !errors.Is(cause, ErrStalled) {
		t.Fatalf("Lead ended with %v", cause)
	}
	disk.heal()
	if second := <-stretches; second.term != first.term {
		t.Fatalf("term %d after %d: the only node should lead on", second.term, first.term)
	}
}

func TestGateTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fatal atomic.Int64
		g := newGate(time.Second, 10*time.Second, func(d time.Duration) { fatal.Store(int64(d)) })
		end := g.begin()
		time.Sleep(600 * time.Millisecond) // virtual time
		other := g.begin()
		time.Sleep(399 * time.Millisecond)
		if g.isShut() {
			t.Fatal("shut before the limit")
		}
		time.Sleep(2 * time.Millisecond)
		if !g.isShut() {
			t.Fatal("open after the limit")
		}
		end()
		synctest.Wait()
		if g.isShut() {
			t.Fatal("shut although the old write has ended")
		}
		time.Sleep(650 * time.Millisecond)
		if !g.isShut() {
			t.Fatal("open although the younger write is too old now")
		}
		time.Sleep(9 * time.Second)
		if fatal.Load() != 0 {
			t.Fatal("gave up too early")
		}
		time.Sleep(time.Second)
		if time.Duration(fatal.Load()) < 11*time.Second {
			t.Fatalf("fatal after %s", time.Duration(fatal.Load()))
		}
		other()
		if g.isShut() {
			t.Fatal("shut without a write")
		}
	})
}

// A process that was frozen for longer than a disk may hang has not seen its disk hang.
func TestTimeInWhichTheProcessStoodStillIsNoStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fatal atomic.Int64
		g := newGate(time.Second, 10*time.Second, func(d time.Duration) { fatal.Store(int64(d)) })
		end := g.begin()
		time.Sleep(1500 * time.Millisecond)
		if !g.isShut() {
			t.Fatal("open although the write hangs")
		}
		g.mu.Lock() // what wakes comes 20 s late
		for id, start := range g.writes {
			g.writes[id] = start.Add(-20 * time.Second)
		}
		g.due = g.due.Add(-20 * time.Second)
		g.mu.Unlock()
		time.Sleep(8 * time.Second)
		if fatal.Load() != 0 {
			t.Fatal("gave up after 9.5 s of a disk that hangs, and a sleep")
		}
		time.Sleep(2 * time.Second)
		if got := time.Duration(fatal.Load()); got < 11*time.Second || got > 12*time.Second {
			t.Fatalf("gave up after %s", got)
		}
		end()
	})
}

func TestStalledTransportSendsNothing(t *testing.T) {
	t.Parallel()
	g := newGate(time.Second, time.Minute, func(time.Duration) {})
	_, inner := raft.NewInmemTransport("a")
	trans := newTransport(inner, g)
	defer trans.Close()
	g.mu.Lock()
	g.shut = true
	g.mu.Unlock()
	err := trans.AppendEntries("b", "b", &raft.AppendEntriesRequest{}, &raft.AppendEntriesResponse{})
	if !errors.Is(err, ErrStalled) {
		t.Fatalf("append: %v", err)
	}
	if err := trans.InstallSnapshot("b", "b", &raft.InstallSnapshotRequest{}, &raft.InstallSnapshotResponse{}, nil); !errors.Is(err, ErrStalled) {
		t.Fatalf("snapshot: %v", err)
	}
	if _, err := trans.AppendEntriesPipeline("b", "b"); !errors.Is(err, raft.ErrPipelineReplicationNotSupported) {
		t.Fatalf("pipeline: %v", err)
	}
}

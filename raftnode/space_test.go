package raftnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// fakeDisk is a boltStore in memory on a disk with a size of its own.
type fakeDisk struct {
	*raft.InmemStore
	mu   sync.Mutex
	err  error
	free int64
}

func (d *fakeDisk) set(free int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free, d.err = free, err
}

func (d *fakeDisk) now() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *fakeDisk) statfs(string) (free, total int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.free, 1 << 40, nil
}

func (d *fakeDisk) StoreLogs(logs []*raft.Log) error {
	if err := d.now(); err != nil {
		return err
	}
	return d.InmemStore.StoreLogs(logs)
}

func (d *fakeDisk) Close() error { return nil }

func newFakeDisk(t *testing.T, reserve int64) (*fakeDisk, *space) {
	d := &fakeDisk{InmemStore: raft.NewInmemStore(), free: 1 << 30}
	s := &space{dir: t.TempDir(), reserve: reserve, log: testLogger(t, "m1"), poke: make(chan struct{}, 1), statfs: d.statfs}
	s.check()
	return d, s
}

func TestFloorOfSpace(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	d, s := newFakeDisk(t, 4*mib)
	if err := s.refusal(); err != nil || !exists(filepath.Join(s.dir, reserveFile)) {
		t.Fatalf("full at first: %v", err)
	}
	for _, c := range []struct {
		free int64
		full bool
	}{{5 * mib, false}, {4*mib - 1, true}, {4*mib + 1, true}, {5*mib + 1, false}, {4*mib + 1, false}, {0, true}, {mib, true}, {6 * mib, false}} {
		d.set(c.free, nil)
		s.check()
		if err := s.refusal(); (err != nil) != c.full || err != nil && !errors.Is(err, ErrNoSpace) {
			t.Errorf("%d bytes free: %v", c.free, err)
		}
	}
}

// A write that finds no space uses the reserve, then waits, and no failure reaches raft. Commands are taken again when the
// reserve is there again.
func TestWritesWaitForSpace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, s := newFakeDisk(t, 1<<20)
		g := &guard{store: d, dir: s.dir, space: s}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		g.bind(ctx, func(err error) { t.Errorf("fatal: %v", err) })
		d.set(1<<30, fmt.Errorf("write: %w", syscall.ENOSPC)) // a quota: the disk itself has space
		var done atomic.Bool
		go func() {
			if err := g.StoreLog(&raft.Log{Index: 1, Term: 1}); err != nil {
				t.Errorf("the write failed: %v", err)
			}
			done.Store(true)
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if done.Load() || !s.waits() || s.refusal() == nil || exists(filepath.Join(s.dir, reserveFile)) {
			t.Fatalf("done %v, waits %v, refusal %v", done.Load(), s.waits(), s.refusal())
		}
		s.check()
		if s.refusal() == nil {
			t.Fatal("commands are taken while a write waits")
		}
		d.set(1<<30, nil)
		time.Sleep(spaceRetry)
		synctest.Wait()
		<-s.poke
		s.check() // it has been so a moment ago
		s.check()
		if !done.Load() || s.waits() || s.refusal() != nil || !exists(filepath.Join(s.dir, reserveFile)) {
			t.Fatalf("done %v, waits %v, refusal %v", done.Load(), s.waits(), s.refusal())
		}
	})
}

func TestAFailingDiskIsFatal(t *testing.T) {
	t.Parallel()
	d, s := newFakeDisk(t, 1<<20)
	g := &guard{store: d, dir: s.dir, space: s}
	var fatal error
	g.bind(t.Context(), func(err error) { fatal = err })
	d.set(1<<30, &os.PathError{Op: "write", Path: "raft.db", Err: syscall.EIO})
	if err := g.StoreLog(&raft.Log{Index: 1}); !errors.Is(err, ErrDisk) || !errors.Is(fatal, syscall.EIO) {
		t.Fatalf("%v; fatal: %v", err, fatal)
	}
	fatal = nil
	if err := g.GetLog(7, new(raft.Log)); !errors.Is(err, raft.ErrLogNotFound) || fatal != nil {
		t.Fatalf("%v; fatal: %v", err, fatal)
	}
	if _, err := g.GetUint64([]byte("CurrentTerm")); err == nil || err.Error() != "not found" || fatal != nil {
		t.Fatalf("%v; fatal: %v", err, fatal)
	}
}

// A leader without space hands over to a member with some, and nobody's command is lost; without any such member it leads on
// and refuses, until there is space.
func TestLeaderWithoutSpace(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, func(c *Config) { c.Reserve = 1 << 20 })
	fill := func(n *Node, full bool) {
		n.space.mu.Lock()
		n.space.statfs = func(string) (int64, int64, error) {
			if full {
				return 0, 1 << 30, nil
			}
			return 1 << 30, 1 << 30, nil
		}
		n.space.mu.Unlock()
		n.space.poke <- struct{}{}
		g.eventually(n, "a look at the disk", func() bool { return (n.Stats().NoSpace != "") == full })
	}
	old := g.leader()
	g.propose(old, "before")
	fill(old, true)
	g.eventually(old, "the handover", func() bool { id := old.LeaderID(); return id != "" && id != old.ID() })
	g.propose(old, "after")
	for _, n := range g.all() {
		if n != old {
			fill(n, true)
		}
	}
	if _, _, err := g.all()[0].Propose(t.Context(), []byte("refused")); !errors.Is(err, ErrNoSpace) {
		t.Errorf("with all disks full: %v", err)
	}
	leader := g.leader()
	g.read(leader) // reads go on
	fill(leader, false)
	g.propose(old, "again")
	if got := g.same(); fmt.Sprint(got) != "[before after again]" {
		t.Errorf("commands %v", got)
	}
}

// Members without space leave an election to those that have some, but not for ever.
func TestReluctantCandidates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, s := newFakeDisk(t, 1<<20)
		if err := s.reluctant(); err != nil {
			t.Errorf("with space: %v", err)
		}
		d.set(0, nil)
		for _, c := range []struct {
			wait time.Duration
			asks bool
		}{{0, false}, {spaceReluctance - time.Millisecond, false}, {time.Millisecond, true}, {time.Second, true}, {time.Minute, false}, {spaceReluctance, true}} {
			time.Sleep(c.wait)
			if err := s.reluctant(); (err == nil) != c.asks {
				t.Errorf("after %s: %v", c.wait, err)
			}
		}
		answer := make(chan raft.RPCResponse, 1)
		if !s.declines(raft.RPC{Command: &raft.TimeoutNowRequest{}, RespChan: answer}) || !errors.Is((<-answer).Error, ErrNoSpace) {
			t.Error("it takes the leadership")
		}
		d.set(1<<30, nil)
		if s.declines(raft.RPC{Command: &raft.TimeoutNowRequest{}, RespChan: answer}) {
			t.Error("with space it does not take the leadership")
		}
		// A disk that hangs is none to lead with.
		s.statfs = func(string) (int64, int64, error) { time.Sleep(time.Minute); return 1 << 30, 1 << 30, nil }
		if err := s.reluctant(); !errors.Is(err, ErrStalled) {
			t.Errorf("with a disk that hangs: %v", err)
		}
		time.Sleep(time.Minute)
	})
}

package raftnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// defaultReserve is what a node keeps free for Raft itself, on a disk that is large enough.
	defaultReserve = 64 << 20
	// reserveShare is the part of a small disk that is reserved at most: one in so many.
	reserveShare = 16
	reserveFile  = "space.reserve"

	spaceInterval = time.Second            // between two looks at the free space, which costs microseconds
	spaceLook     = 500 * time.Millisecond // how long one may take that somebody waits for
	// spaceRetry is the pause of a write that found no space.
	spaceRetry = 250 * time.Millisecond
	// spaceHandover is the pause after all other masters have refused the leadership of a leader without space.
	spaceHandover = 5 * time.Second
	// spaceReluctance is how long a node without space leaves an election to those that have some. If there is no leader
	// then, one that can be read from is better than none.
	spaceReluctance = 3 * time.Second
)

// space watches the free space of the data directory's disk.
//
// It keeps a file of reserve bytes there. While less than reserve is free besides, the node is full: it takes no command, gives
// leadership away, and does not ask for it; but Raft's own writes (terms, votes, what a leader replicates) go on. When even
// they fail, the file is given up. When that is used too, writes wait, so that raft never sees a failure: it would answer
// one by stepping down, or by ending the process. All of it ends by itself as soon as there is space again.
type space struct {
	dir     string
	reserve int64
	log     *slog.Logger
	poke    chan struct{} // capacity 1: look now
	statfs  func(path string) (free, total int64, err error)

	mu        sync.Mutex
	full      bool
	reason    string // why
	kept      bool   // the reserve file is there
	declined  time.Time
	waiting   int  // writes that wait for space
	exhausted bool // a write has failed since the last look
}

// openSpace looks at the disk and makes the reserve file. It returns nil where reserve is negative: nothing is watched then.
func openSpace(dir string, reserve int64, log *slog.Logger) *space {
	if reserve < 0 {
		return nil
	}
	s := &space{dir: dir, reserve: reserve, log: log, poke: make(chan struct{}, 1), statfs: freeSpace}
	if s.reserve == 0 {
		s.reserve = defaultReserve
		if _, total, err := s.statfs(dir); err == nil {
			s.reserve = min(s.reserve, total/reserveShare)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, reserveFile)); err == nil {
		sys, ok := st.Sys().(*syscall.Stat_t)
		s.kept = ok && sys.Blocks*512 >= s.reserve
	}
	s.check()
	return s
}

// freeSpace is what this user may still write to the disk, and its size, in bytes.
func freeSpace(path string) (free, total int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, nil
}

// check looks at the disk and changes full.
func (s *space) check() {
	s.mu.Lock()
	statfs := s.statfs
	s.mu.Unlock()
	free, _, err := statfs(s.dir) // without the lock: it may hang
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.log.Warn("the free space cannot be seen", "dir", s.dir, "error", err)
		return
	}
	need := s.reserve
	if s.full {
		need += s.reserve / 4 // a little more, so that it does not come and go
	}
	switch {
	case free < need:
		s.set(fmt.Sprintf("%s free, at least %s are needed", bytesText(free), bytesText(need)))
	case s.exhausted:
		s.exhausted = false // it was so a moment ago, so look again; full until then
		s.set("a write failed for want of space")
	case s.waiting > 0: // what waits will show whether there is space
	case !s.kept && free < need+s.reserve:
		s.set(fmt.Sprintf("%s free, %s are needed to make the reserve again", bytesText(free), bytesText(need+s.reserve)))
	case !s.keepReserve():
		s.set("the reserve cannot be made")
	default:
		s.set("")
	}
}

// set makes the node full for a reason, or not full. The caller holds mu.
func (s *space) set(reason string) {
	switch was := s.full; {
	case reason != "" && !was:
		s.log.Error("disk full: no commands are taken until there is space; free some", "dir", s.dir, "reason", reason)
	case reason == "" && was:
		s.log.Info("there is space again: commands are taken", "dir", s.dir)
	}
	s.full, s.reason = reason != "", reason
}

// keepReserve makes the reserve file unless it is there. The caller holds mu.
func (s *space) keepReserve() bool {
	if s.kept || s.reserve == 0 {
		return true
	}
	path := filepath.Join(s.dir, reserveFile)
	if err := reserveSpace(path, s.reserve); err != nil {
		_ = os.Remove(path)
		s.log.Warn("no space can be reserved", "file", path, "bytes", s.reserve, "error", err)
		return !isNoSpace(err) // a file system that cannot reserve is used without
	}
	s.kept = true
	return true
}

func reserveSpace(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		err = fillFile(f, size)
	}
	if err == nil {
		err = f.Truncate(size) // one from before may have been larger
	}
	return errors.Join(err, f.Close())
}

// fillFile is for file systems that cannot allocate without writing.
func fillFile(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// ranOut is told of a write that found no space. It gives the reserve up, and tells whether that is worth another attempt
// at once.
func (s *space) ranOut(err error) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exhausted = true
	s.set(err.Error())
	path := filepath.Join(s.dir, reserveFile)
	if _, missing := os.Stat(path); missing != nil {
		s.kept = false
		return false
	}
	s.kept = false
	if err := os.Remove(path); err != nil {
		return false
	}
	s.log.Warn("disk full: the reserve is given up for Raft's own writes", "file", path, "bytes", s.reserve)
	return true
}

// waitsFor counts the writes that wait for space.
func (s *space) waitsFor(change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting += change
	if s.waiting == 0 {
		select {
		case s.poke <- struct{}{}:
		default: // it is about to look
		}
	}
}

// refusal says why no command is taken, or nil. A nil space never refuses.
func (s *space) refusal() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.full {
		return nil
	}
	return fmt.Errorf("%w: %s on this master: %s; free some there", ErrNoSpace, s.dir, s.reason)
}

// waits tells whether a write waits for space.
func (s *space) waits() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting > 0
}

// declines answers a request to become leader at once, and tells whether it was one that this node refuses.
func (s *space) declines(rpc raft.RPC) bool {
	if _, ok := rpc.Command.(*raft.TimeoutNowRequest); !ok {
		return false
	}
	err := s.look()
	if err == nil {
		return false
	}
	rpc.Respond(nil, err)
	return true
}

// look is refusal after a look at the disk just now. A disk that does not let itself be looked at is no disk to lead with.
func (s *space) look() error {
	if s == nil {
		return nil
	}
	looked := make(chan struct{})
	go func() { s.check(); close(looked) }()
	select {
	case <-looked:
		return s.refusal()
	case <-time.After(spaceLook):
		return fmt.Errorf("%w: %s: its free space could not be seen within %s", ErrStalled, s.dir, spaceLook)
	}
}

// reluctant is why this node does not ask for votes yet: it is full, and others may not be.
func (s *space) reluctant() error {
	err := s.look()
	if err == nil || errors.Is(err, ErrStalled) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch since := time.Since(s.declined); {
	case since < spaceReluctance:
		return err
	case since < 3*spaceReluctance:
		return nil
	}
	s.declined = time.Now() // a new election
	return err
}

func bytesText(n int64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// isNoSpace tells whether a write failed for want of space. bbolt wraps some of its errors by text alone.
func isNoSpace(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, io.ErrShortWrite) {
		return true
	}
	return strings.Contains(err.Error(), syscall.ENOSPC.Error()) || strings.Contains(err.Error(), syscall.EDQUOT.Error())
}

// watchSpace looks at the disk until Close, and gives leadership away while it is full. It is not waited for without
// bound, since looking at a hung disk hangs.
func (n *Node) watchSpace() {
	defer close(n.spaceDone)
	tick := time.NewTicker(spaceInterval)
	defer tick.Stop()
	var tried time.Time
	for {
		select {
		case <-tick.C:
		case <-n.space.poke:
		case <-n.ctx.Done():
			return
		}
		n.space.check()
		if n.space.refusal() == nil {
			tried = time.Time{}
		} else if n.raft.State() == raft.Leader && time.Since(tried) > spaceHandover {
			n.leadElsewhere()
			tried = time.Now()
		}
	}
}

// leadElsewhere hands leadership to a member that takes it: one without space refuses.
func (n *Node) leadElsewhere() {
	for _, s := range n.voters() {
		if s.ID == n.cfg.ID {
			continue
		}
		ctx, cancel := context.WithTimeout(n.ctx, transferTimeout)
		err := n.TransferLeadershipTo(ctx, s.ID)
		cancel()
		if err == nil {
			n.log.Info("disk full: leadership was handed over", "to", s.ID)
			return
		}
		n.log.Info("disk full: leadership is not taken", "by", s.ID, "error", err)
	}
}

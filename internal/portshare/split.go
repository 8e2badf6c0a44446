package portshare

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Config of a split.
type Config struct {
	Listener net.Listener
	// Branches is how many listeners come of it.
	Branches int
	// Choose gives the branch, 0 to Branches-1, of a connection by its first byte. Any other number closes it.
	Choose func(first byte) int
	// Silence is how long a fresh connection may say nothing before it is closed.
	Silence time.Duration
	// Handover is how long a connection waits for its branch's Accept before it is closed.
	Handover time.Duration
	// Prepare, if any, is called with each connection before anything is read from it.
	Prepare func(net.Conn)
}

// Split starts to accept and gives the branches. A branch that closes leaves the others open, and what comes for it is
// closed. The last one to close closes the listener and the connections that belong to no branch yet, and waits for the
// goroutines of the split.
func Split(cfg Config) []net.Listener {
	s := &splitter{cfg: cfg, open: cfg.Branches, done: make(chan struct{}), silent: map[net.Conn]struct{}{}}
	out := make([]net.Listener, cfg.Branches)
	for i := range out {
		b := &branch{s: s, conns: make(chan net.Conn), done: make(chan struct{})}
		s.branches = append(s.branches, b)
		out[i] = b
	}
	s.wg.Go(s.accept)
	return out
}

type splitter struct {
	cfg      Config
	branches []*branch
	done     chan struct{} // closed with the last branch
	wg       sync.WaitGroup

	mu     sync.Mutex
	open   int                   // branches
	silent map[net.Conn]struct{} // connections whose first byte is awaited; nil once closed
}

// acceptPause follows an Accept that failed for want of descriptors, say: a later one may succeed.
const acceptPause = 10 * time.Millisecond

func (s *splitter) accept() {
	for {
		c, err := s.cfg.Listener.Accept()
		switch {
		case err == nil:
			s.wg.Go(func() { s.sort(c) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			select {
			case <-time.After(acceptPause):
			case <-s.done:
				return
			}
		}
	}
}

// sort reads a connection's first byte and hands it to its branch.
func (s *splitter) sort(c net.Conn) {
	begin, ok := s.listen(c)
	if !ok {
		c.Close()
		return
	}
	i := s.cfg.Choose(begin[0])
	if i < 0 || i >= len(s.branches) {
		c.Close()
		return
	}
	s.branches[i].give(&sorted{Conn: c, begin: begin}, s.cfg.Handover)
}

// firstRead is room for what most clients send at once, so that it takes one read and not two.
const firstRead = 512

// listen waits for the first byte, and takes what comes with it; close ends the wait.
func (s *splitter) listen(c net.Conn) ([]byte, bool) {
	s.mu.Lock()
	if s.silent == nil {
		s.mu.Unlock()
		return nil, false
	}
	s.silent[c] = struct{}{}
	s.mu.Unlock()
	if s.cfg.Prepare != nil {
		s.cfg.Prepare(c)
	}
	// Deadlines that cannot be set mean a closed socket, which the read reports.
	_ = c.SetReadDeadline(time.Now().Add(s.cfg.Silence))
	begin := make([]byte, firstRead)
	n, _ := c.Read(begin)
	_ = c.SetReadDeadline(time.Time{})
	s.mu.Lock()
	defer s.mu.Unlock()
	_, live := s.silent[c]
	delete(s.silent, c)
	return begin[:n], n > 0 && live
}

// leave is called once by each branch.
func (s *splitter) leave() error {
	s.mu.Lock()
	s.open--
	if s.open > 0 {
		s.mu.Unlock()
		return nil
	}
	silent := s.silent
	s.silent = nil
	s.mu.Unlock()
	close(s.done)
	err := s.cfg.Listener.Close()
	for c := range silent {
		c.Close()
	}
	s.wg.Wait()
	return err
}

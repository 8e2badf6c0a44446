package wire

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Server accepts Spark's RPC connections on a listener, and hands HTTP connections to an http.Server's listener.
type Server struct {
	cfg   Config
	ln    net.Listener
	http  *handoff
	setup func(*Conn)

	mu     sync.Mutex
	conns  map[*Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

// sniffTimeout is how long a fresh connection may stay silent. Spark's clients speak first, at once.
const sniffTimeout = 60 * time.Second

// Serve starts to accept. setup is called for each RPC connection before it starts, to set its Value.
func Serve(ln net.Listener, cfg Config, setup func(*Conn)) *Server {
	s := &Server{cfg: cfg, ln: ln, setup: setup, http: newHandoff(ln.Addr()), conns: map[*Conn]struct{}{}}
	s.wg.Go(s.accept)
	return s
}

// HTTP is the listener of the connections that speak HTTP. If nobody accepts from it they are closed.
func (s *Server) HTTP() net.Listener { return s.http }

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Close stops accepting, closes every connection and waits for its goroutines.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	conns := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	err := s.ln.Close()
	s.http.Close()
	for _, c := range conns {
		c.Close()
	}
	s.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the listener at %s: %w", s.ln.Addr(), err)
	}
	return nil
}

func (s *Server) accept() {
	for {
		tcp, err := s.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // out of descriptors, say: the next connection may succeed
			continue
		}
		s.wg.Go(func() { s.take(tcp) })
	}
}

func (s *Server) take(tcp net.Conn) {
	if t, ok := tcp.(*net.TCPConn); ok {
		_ = t.SetKeepAliveConfig(keepAlive) // without it a dead host is noticed later, which is no reason to refuse
	}
	in := bufio.NewReaderSize(tcp, 16<<10)
	_ = tcp.SetReadDeadline(time.Now().Add(sniffTimeout))
	first, err := in.Peek(1)
	if err != nil {
		tcp.Close()
		return
	}
	_ = tcp.SetReadDeadline(time.Time{})
	// A frame starts with the high byte of a 64-bit length, which is 0; an HTTP request starts with a letter.
	if first[0] >= 'A' && first[0] <= 'Z' {
		s.http.offer(&sniffed{Conn: tcp, in: in})
		return
	}
	c := newConn(tcp, in, s.cfg, false)
	if !s.add(c) {
		tcp.Close()
		return
	}
	defer s.remove(c)
	if s.setup != nil {
		s.setup(c)
	}
	go c.read()
	c.serve()
}

func (s *Server) add(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// sniffed is a connection whose first bytes have been looked at.
type sniffed struct {
	net.Conn
	in *bufio.Reader
}

func (s *sniffed) Read(b []byte) (int, error) { return s.in.Read(b) }

// handoff is a net.Listener fed by hand.
type handoff struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandoff(addr net.Addr) *handoff {
	return &handoff{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// handoffTimeout closes an HTTP connection that no server takes.
const handoffTimeout = 5 * time.Second

func (h *handoff) offer(c net.Conn) {
	t := time.NewTimer(handoffTimeout)
	defer t.Stop()
	select {
	case h.conns <- c:
	case <-h.done:
		c.Close()
	case <-t.C:
		c.Close()
	}
}

func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handoff) Addr() net.Addr { return h.addr }

package wire

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/firesteel/firesteel/internal/portshare"
)

// Server accepts Spark's RPC connections on a listener, and hands HTTP connections to an http.Server's listener.
type Server struct {
	cfg   Config
	spark net.Listener
	http  net.Listener
	setup func(*Conn)

	mu     sync.Mutex
	conns  map[*Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

const (
	// sniffTimeout is how long a fresh connection may stay silent. Spark's clients speak first, at once.
	sniffTimeout = 60 * time.Second
	// handoverTimeout closes an HTTP connection that no server takes.
	handoverTimeout = 5 * time.Second
)

// Serve starts to accept. setup is called for each RPC connection before it starts, to set its Value.
func Serve(ln net.Listener, cfg Config, setup func(*Conn)) *Server {
	branches := portshare.Split(portshare.Config{
		Listener: ln, Branches: 2, Silence: sniffTimeout, Handover: handoverTimeout, Choose: protocolOf, Prepare: setKeepAlive,
	})
	s := &Server{cfg: cfg, spark: branches[0], http: branches[1], setup: setup, conns: map[*Conn]struct{}{}}
	s.wg.Go(s.accept)
	return s
}

// protocolOf tells HTTP (1) from Spark's RPC (0). A frame starts with the high byte of a 64-bit length, which is 0, an
// HTTP request with a letter. Anything else, such as TLS, is neither.
func protocolOf(first byte) int {
	switch {
	case first == 0:
		return 0
	case first >= 'A' && first <= 'Z':
		return 1
	}
	return -1
}

func setKeepAlive(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetKeepAliveConfig(keepAlive) // without it a dead host is noticed later, which is no reason to refuse
	}
}

// HTTP is the listener of the connections that speak HTTP. If nobody accepts from it they are closed.
func (s *Server) HTTP() net.Listener { return s.http }

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.spark.Addr() }

// Close stops accepting, closes every RPC connection and waits for its goroutines, and so for the handler's calls; a call
// that may block for long must end when its connection is Done. Connections that were accepted from HTTP are not its
// matter. It must not be called by the handler.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	conns := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	err := errors.Join(s.http.Close(), s.spark.Close())
	for _, c := range conns {
		c.Close()
	}
	s.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the listener at %s: %w", s.Addr(), err)
	}
	return nil
}

func (s *Server) accept() {
	for {
		tcp, err := s.spark.Accept()
		if err != nil { // closed: nothing else ends it
			return
		}
		s.wg.Go(func() { s.take(tcp) })
	}
}

func (s *Server) take(tcp net.Conn) {
	c := newConn(tcp, bufio.NewReaderSize(tcp, readBuffer), s.cfg, false)
	if !s.add(c) {
		tcp.Close()
		return
	}
	defer s.remove(c)
	if s.setup != nil {
		s.setup(c)
	}
	s.wg.Go(c.read)
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

package raftnode

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// The first byte of every connection to the Raft port says what it carries.
const (
	streamRaft  = 'R'
	streamWatch = 'W'
)

const sniffTimeout = 5 * time.Second

// streamLayer is the Raft port. It gives Raft connections to raft's transport and answers death watches itself.
type streamLayer struct {
	listener    net.Listener
	advertise   advertised
	incarnation incarnation
	silent      atomic.Pointer[silence] // what watchers may ask for; nil until the node is there
	accepted    chan net.Conn

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // all that are open, so that Close can end them
	closed bool
	stop   chan struct{}
	done   sync.WaitGroup
}

var _ raft.StreamLayer = (*streamLayer)(nil)

// advertised is a host:port as the others dial it; it need not be an IP address.
type advertised string

func (a advertised) Network() string { return "tcp" }
func (a advertised) String() string  { return string(a) }

// listenStream binds the Raft port. advertise may be empty; a port 0 in it means the bound one.
func listenStream(bind, advertise string) (*streamLayer, error) {
	listener, err := net.Listen("tcp", bind)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: %s; stop the process that holds it, or choose another port", ErrAddressInUse, bind)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen for raft on %s: %w", bind, err)
	}
	return newStream(listener, advertise)
}

// newStream serves the Raft port on a listener that is open already; on an error it closes it.
func newStream(listener net.Listener, advertise string) (*streamLayer, error) {
	advertise, err := advertisedAddress(listener.Addr().(*net.TCPAddr), advertise)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &streamLayer{
		listener: listener, advertise: advertised(advertise), incarnation: newIncarnation(),
		accepted: make(chan net.Conn), conns: make(map[net.Conn]struct{}), stop: make(chan struct{}),
	}
	s.done.Go(s.acceptLoop)
	return s, nil
}

func advertisedAddress(bound *net.TCPAddr, advertise string) (string, error) {
	if advertise == "" {
		if bound.IP.IsUnspecified() {
			return "", fmt.Errorf("raft listens on all addresses (%s): say which one the others should dial (advertise address)", bound)
		}
		return bound.String(), nil
	}
	host, port, err := net.SplitHostPort(advertise)
	if err != nil {
		return "", fmt.Errorf("raft advertise address %q is not host:port: %w", advertise, err)
	}
	if port == "0" || port == "" {
		port = fmt.Sprint(bound.Port)
	}
	return net.JoinHostPort(host, port), nil
}

func (s *streamLayer) acceptLoop() {
	for pause := time.Duration(0); ; {
		conn, err := s.listener.Accept()
		if err == nil {
			pause = 0
			if conn = s.track(conn); conn != nil {
				s.done.Go(func() { s.sniff(conn) })
			}
			continue
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second) // out of file descriptors, most likely
		select {
		case <-s.stop:
			return
		case <-time.After(pause):
		}
	}
}

// sniff reads the first byte of an incoming connection and passes it on.
func (s *streamLayer) sniff(conn net.Conn) {
	var kind [1]byte
	_ = conn.SetReadDeadline(time.Now().Add(sniffTimeout))
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	switch kind[0] {
	case streamRaft:
		select {
		case s.accepted <- conn:
			return
		case <-s.stop:
		}
	case streamWatch:
		serveWatch(conn, s.incarnation, s.silence)
	}
	_ = conn.Close()
}

func (s *streamLayer) silence() time.Duration {
	if known := s.silent.Load(); known != nil {
		return time.Duration(known.now.Load())
	}
	return 0
}

// Accept implements net.Listener for raft's transport.
func (s *streamLayer) Accept() (net.Conn, error) {
	select {
	case conn := <-s.accepted:
		return conn, nil
	case <-s.stop:
		return nil, net.ErrClosed
	}
}

// Dial implements raft.StreamLayer.
func (s *streamLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return s.dial(string(address), streamRaft, timeout)
}

func (s *streamLayer) dial(address string, kind byte, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", address, timeout)
	if err != nil {
		return nil, err
	}
	if conn = s.track(conn); conn == nil {
		return nil, net.ErrClosed
	}
	_ = conn.SetWriteDeadline(time.Now().Add(timeout))
	if _, err := conn.Write([]byte{kind}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	_ = conn.SetWriteDeadline(time.Time{})
	return conn, nil
}

// Addr implements net.Listener: the address that the others dial.
func (s *streamLayer) Addr() net.Addr { return s.advertise }

// Close implements net.Listener. It ends every connection, in and out, and waits for the goroutines.
func (s *streamLayer) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.stop)
	err := s.listener.Close()
	for conn := range s.conns {
		_ = conn.(*trackedConn).Conn.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
	return err
}

// track makes Close end conn. It returns nil, with conn closed, when the layer is closed already.
func (s *streamLayer) track(conn net.Conn) net.Conn {
	tracked := &trackedConn{Conn: conn, layer: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return nil
	}
	s.conns[tracked] = struct{}{}
	return tracked
}

type trackedConn struct {
	net.Conn
	layer *streamLayer
}

func (c *trackedConn) Close() error {
	c.layer.mu.Lock()
	delete(c.layer.conns, c)
	c.layer.mu.Unlock()
	return c.Conn.Close()
}

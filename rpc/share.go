package rpc

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"time"
)

// Share splits a listener by the first byte of each connection: HTTP/2, which gRPC speaks, begins with "PRI", Raft's
// streams with 'R' or 'W'. So masters need one open port for each other, not two.
func Share(ln net.Listener) (grpc, raft net.Listener) {
	s := &shared{ln: ln}
	g, r := s.branch(), s.branch()
	go s.accept(g, r)
	return g, r
}

type shared struct {
	ln   net.Listener
	mu   sync.Mutex
	open int
}

// branch is one side of a shared listener. The listener closes with the last of them.
type branch struct {
	s     *shared
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (s *shared) branch() *branch {
	s.open++
	return &branch{s: s, conns: make(chan net.Conn), done: make(chan struct{})}
}

const firstByteTimeout = 10 * time.Second

func (s *shared) accept(grpc, raft *branch) {
	for {
		c, err := s.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of descriptors, say: the next connection may succeed
			continue
		}
		go func() {
			in := bufio.NewReaderSize(c, 4<<10)
			_ = c.SetReadDeadline(time.Now().Add(firstByteTimeout))
			first, err := in.Peek(1)
			_ = c.SetReadDeadline(time.Time{})
			switch {
			case err != nil:
				c.Close()
			case first[0] == 'R' || first[0] == 'W':
				raft.give(&peeked{Conn: c, in: in})
			default:
				grpc.give(&peeked{Conn: c, in: in})
			}
		}()
	}
}

type peeked struct {
	net.Conn
	in *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.in.Read(b) }

func (b *branch) give(c net.Conn) {
	select {
	case b.conns <- c:
	case <-b.done:
		c.Close()
	}
}

func (b *branch) Accept() (net.Conn, error) {
	select {
	case c := <-b.conns:
		return c, nil
	case <-b.done:
		return nil, net.ErrClosed
	}
}

func (b *branch) Addr() net.Addr { return b.s.ln.Addr() }

func (b *branch) Close() error {
	b.once.Do(func() {
		close(b.done)
		b.s.mu.Lock()
		defer b.s.mu.Unlock()
		if b.s.open--; b.s.open == 0 {
			b.s.ln.Close()
		}
	})
	return nil
}

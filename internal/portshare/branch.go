package portshare

import (
	"net"
	"sync"
	"time"
)

// branch is the net.Listener of one protocol.
type branch struct {
	s     *splitter
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	err   error // of the close
}

// give hands a connection to Accept, or closes it.
func (b *branch) give(c net.Conn, patience time.Duration) {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case b.conns <- c:
		return
	case <-b.done:
	case <-t.C:
	}
	c.Close()
}

func (b *branch) Accept() (net.Conn, error) {
	select {
	case <-b.done: // even if a connection waits as well
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-b.conns:
		return c, nil
	case <-b.done:
		return nil, net.ErrClosed
	}
}

func (b *branch) Addr() net.Addr { return b.s.cfg.Listener.Addr() }

func (b *branch) Close() error {
	b.once.Do(func() {
		close(b.done)
		b.err = b.s.leave()
	})
	return b.err
}

// sorted is a connection whose beginning has been read already. Like any net.Conn that is not a socket itself it is read
// by one goroutine at a time.
type sorted struct {
	net.Conn
	begin []byte // what has not been given out yet
}

func (c *sorted) Read(b []byte) (int, error) {
	if len(c.begin) == 0 {
		return c.Conn.Read(b)
	}
	// No more than that: to wait for more could wait for ever.
	n := copy(b, c.begin)
	if c.begin = c.begin[n:]; len(c.begin) == 0 {
		c.begin = nil
	}
	return n, nil
}

package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// funcs is a Handler of functions; a nil one does nothing.
type funcs struct {
	ask    func(c *Conn, e Envelope) ([]byte, error)
	send   func(c *Conn, e Envelope)
	closed func(c *Conn, err error)
}

func (f funcs) Ask(c *Conn, e Envelope) ([]byte, error) {
	if f.ask == nil {
		return e.Payload, nil
	}
	return f.ask(c, e)
}

func (f funcs) Send(c *Conn, e Envelope) {
	if f.send != nil {
		f.send(c, e)
	}
}

func (f funcs) Closed(c *Conn, err error) {
	if f.closed != nil {
		f.closed(c, err)
	}
}

// piped starts a connection over net.Pipe and gives it with the peer's end. Its Handler is told of the end, which the
// test waits for when it is over.
func piped(t *testing.T, cfg Config) (*Conn, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	h := cfg.Handler.(funcs)
	ended := make(chan struct{})
	inner := h.closed
	h.closed = func(c *Conn, err error) {
		if inner != nil {
			inner(c, err)
		}
		close(ended)
	}
	cfg.Handler = h
	c := newConn(ours, bufio.NewReader(ours), cfg, false)
	c.Start()
	t.Cleanup(func() {
		c.Close()
		theirs.Close()
		<-ended
	})
	return c, theirs
}

// rawFrame is a frame as a test's own reader sees it, with the code under test left out.
type rawFrame struct {
	kind byte
	id   int64
	rest []byte // behind the id, or behind the type where there is none
}

func readRaw(t testing.TB, r io.Reader) rawFrame {
	t.Helper()
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		t.Errorf("read a frame: %v", err)
		return rawFrame{}
	}
	rest := make([]byte, binary.BigEndian.Uint64(head[:8])-9)
	if _, err := io.ReadFull(r, rest); err != nil {
		t.Errorf("read a frame: %v", err)
		return rawFrame{}
	}
	f := rawFrame{kind: head[8], rest: rest}
	if f.kind >= typeRPCRequest && f.kind <= typeRPCFailure {
		f.id, f.rest = int64(binary.BigEndian.Uint64(rest)), rest[8:]
	}
	return f
}

// text is an int32-length string at the start of what stands in a frame.
func (f rawFrame) text() string { return string(f.rest[4:][:binary.BigEndian.Uint32(f.rest)]) }

func mustWrite(t testing.TB, w io.Writer, b []byte) {
	t.Helper()
	if _, err := w.Write(b); err != nil {
		t.Errorf("write: %v", err)
	}
}

// served is a Server on loopback that ends with the test.
func served(t *testing.T, cfg Config) *Server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(ln, cfg, nil)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *Server) address() Address {
	a := s.Addr().(*net.TCPAddr)
	return Address{a.IP.String(), a.Port}
}

// dialled is a connection to a server that ends with the test.
func dialled(t *testing.T, s *Server, h funcs) *Conn {
	t.Helper()
	ended := make(chan struct{})
	inner := h.closed
	h.closed = func(c *Conn, err error) {
		if inner != nil {
			inner(c, err)
		}
		close(ended)
	}
	c, err := Dial(t.Context(), s.address(), Config{Handler: h})
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	t.Cleanup(func() { c.Close(); <-ended })
	return c
}

// patience bounds waits for what must come; it is never used up by a test that passes.
const patience = 20 * time.Second

func await[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("not reached")
	}
}

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// notes collects what handlers see.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, s)
}

func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.lines...)
}

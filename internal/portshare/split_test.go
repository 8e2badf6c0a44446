package portshare

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// queue is a net.Listener of what a test puts into it.
type queue struct {
	in   chan any // net.Conn or error
	done chan struct{}
	once sync.Once
}

func newQueue() *queue { return &queue{in: make(chan any, 10), done: make(chan struct{})} }

func (q *queue) Accept() (net.Conn, error) {
	select {
	case v := <-q.in:
		if err, ok := v.(error); ok {
			return nil, err
		}
		return v.(net.Conn), nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}
func (q *queue) Close() error   { q.once.Do(func() { close(q.done) }); return nil }
func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }

// dial gives the client's end of a new connection.
func (q *queue) dial() net.Conn {
	client, server := net.Pipe()
	q.in <- server
	return client
}

const (
	silence  = 10 * time.Second
	handover = 5 * time.Second
)

// split makes two branches: 'a' and 'b' choose, all else is refused.
func split(q *queue) (a, b net.Listener) {
	out := Split(Config{Listener: q, Branches: 2, Silence: silence, Handover: handover, Choose: func(first byte) int { return int(first) - 'a' }})
	return out[0], out[1]
}

// closedAfter tells how long it takes until the other end of a connection is closed.
func closedAfter(c net.Conn) time.Duration {
	start := time.Now()
	_, _ = c.Read(make([]byte, 1))
	return time.Since(start)
}

func TestEachByteIsReadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		a, b := split(q)
		defer a.Close()
		defer b.Close()
		for first, ln := range map[string]net.Listener{"a": a, "b": b} {
			client := q.dial()
			go func() { _, _ = io.WriteString(client, first+" and more"); client.Close() }()
			c, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(nil); n != 0 || err != nil {
				t.Errorf("an empty read: %d, %v", n, err)
			}
			if got, err := io.ReadAll(c); string(got) != first+" and more" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			c.Close()
		}
	})
}

func TestConnectionsThatAreClosed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		say  string
		want time.Duration
	}{"silent": {"", silence}, "for nobody": {"c", 0}, "below the first": {"A", 0}, "not accepted": {"a", handover}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newQueue()
				a, b := split(q)
				defer a.Close()
				defer b.Close()
				client := q.dial()
				if c.say != "" {
					_, _ = io.WriteString(client, c.say)
				}
				if got := closedAfter(client); got != c.want {
					t.Errorf("closed after %s, want %s", got, c.want)
				}
			})
		})
	}
}

// One that fails to be accepted does not end the listener; the last Close ends everything at once.
func TestAcceptErrorsAndClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		a, b := split(q)
		q.in <- errors.New("too many open files")
		client := q.dial()
		go func() { _, _ = io.WriteString(client, "a") }()
		c, err := a.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		silent, waiting := q.dial(), q.dial()
		_, _ = io.WriteString(waiting, "b")
		q.in <- errors.New("too many open files")
		start := time.Now()
		if err := errors.Join(a.Close(), b.Close(), b.Close()); err != nil {
			t.Error(err)
		}
		if got := closedAfter(silent) + closedAfter(waiting) + time.Since(start); got != 0 {
			t.Errorf("it took %s", got)
		}
		for _, ln := range []net.Listener{a, b} {
			if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept: %v", err)
			}
		}
	})
}

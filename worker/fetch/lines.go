package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// lines are the connections of one fetch, whichever library opens them: all end with the fetch or with its context, and
// one on which nothing moves for so long is given up.
type lines struct {
	ctx    context.Context // ends with them
	cancel context.CancelCauseFunc
	dialer func(ctx context.Context, network, address string) (net.Conn, error)
	idle   time.Duration
	stop   func() bool

	mu    sync.Mutex
	open  []net.Conn
	ended bool
	last  error // of the last dial that failed: libraries that keep only its text are common
	mute  bool  // a peer was silent for so long
}

func newLines(ctx context.Context, dialer func(context.Context, string, string) (net.Conn, error), idle time.Duration) *lines {
	l := &lines{dialer: dialer, idle: idle}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.stop = context.AfterFunc(ctx, l.end)
	return l
}

// dial has the signature that libraries ask for. Their context may be none at all; the fetch's counts.
func (l *lines) dial(_ context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(l.ctx, l.idle, fmt.Errorf("%w for %s", ErrSilent, l.idle))
	defer cancel()
	conn, err := l.dialer(ctx, network, address)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("connect to %s: %w", address, context.Cause(ctx))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended && err == nil:
		conn.Close()
		return nil, net.ErrClosed
	case l.ended:
		return nil, err
	case err != nil:
		l.last = err
		l.mute = l.mute || errors.Is(err, ErrSilent)
		return nil, err
	}
	l.open = append(l.open, conn)
	return &line{Conn: conn, lines: l}, nil
}

// dialAgain is dial for a library that tries a server again and again: not one that was silent.
func (l *lines) dialAgain(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	mute := l.mute
	l.mu.Unlock()
	if mute {
		return nil, fmt.Errorf("%w for %s", ErrSilent, l.idle)
	}
	return l.dial(ctx, network, address)
}

func (l *lines) end() {
	l.cancel(net.ErrClosed)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for _, c := range l.open {
		c.Close()
	}
	l.open = nil
}

// close ends all of them.
func (l *lines) close() {
	l.stop()
	l.end()
}

// lastFailure is why the last dial that failed did, or nil.
func (l *lines) lastFailure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// line is a connection that gives up a silent peer. Deadlines of libraries would stand in for ours, and are not set.
type line struct {
	net.Conn
	lines *lines
}

func (l *line) Read(b []byte) (int, error) {
	_ = l.Conn.SetReadDeadline(time.Now().Add(l.lines.idle)) // fails on a closed connection only, as the read will
	n, err := l.Conn.Read(b)
	return n, l.named(err)
}

func (l *line) Write(b []byte) (int, error) {
	_ = l.Conn.SetWriteDeadline(time.Now().Add(l.lines.idle))
	n, err := l.Conn.Write(b)
	return n, l.named(err)
}

func (l *line) named(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.lines.mu.Lock()
		l.lines.mute = true
		l.lines.mu.Unlock()
		return fmt.Errorf("%w for %s", ErrSilent, l.lines.idle)
	}
	return err
}

func (*line) SetDeadline(time.Time) error      { return nil }
func (*line) SetReadDeadline(time.Time) error  { return nil }
func (*line) SetWriteDeadline(time.Time) error { return nil }

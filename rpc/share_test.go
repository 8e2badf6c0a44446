package rpc

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func shared(t *testing.T) (grpc, raft net.Listener) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	grpc, raft = Share(ln)
	t.Cleanup(func() { grpc.Close(); raft.Close() })
	return grpc, raft
}

func dial(t *testing.T, ln net.Listener, first string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", ln.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, first); err != nil {
		t.Fatal(err)
	}
	return c
}

// accepted tells of each accepted connection, what came on it, up to five bytes.
func accepted(t *testing.T, ln net.Listener) <-chan string {
	t.Helper()
	out := make(chan string, 10)
	go func() {
		defer close(out)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 5)
			_ = c.SetReadDeadline(time.Now().Add(patience))
			n, _ := io.ReadFull(c, b)
			c.Close()
			out <- string(b[:n])
		}
	}()
	return out
}

func TestShareSortsByTheFirstByte(t *testing.T) {
	t.Parallel()
	grpc, raft := shared(t)
	g, r := accepted(t, grpc), accepted(t, raft)
	silent := dial(t, grpc, "")
	for first, to := range map[string]<-chan string{"PRI *": g, "\x16\x03\x01\x00\x00": g, "R1234": r, "W1234": r} {
		dial(t, grpc, first)
		if got := await(t, to, "the connection"); got != first {
			t.Errorf("%q came as %q", first, got)
		}
	}
	// A silent one hinders nobody, and is sorted when it speaks.
	if _, err := io.WriteString(silent, "Wlate"); err != nil {
		t.Fatal(err)
	}
	if got := await(t, r, "the late one"); got != "Wlate" {
		t.Errorf("got %q", got)
	}
}

func TestShareClosesWithItsLastHalf(t *testing.T) {
	t.Parallel()
	grpc, raft := shared(t)
	g, r := accepted(t, grpc), accepted(t, raft)
	silent := dial(t, grpc, "")
	if err := raft.Close(); err != nil {
		t.Error(err)
	}
	if _, open := <-r; open {
		t.Error("Raft's half accepts")
	}
	refused := dial(t, grpc, "R1234")
	if _, err := refused.Read(make([]byte, 1)); err == nil {
		t.Error("a connection for the closed half was served")
	}
	dial(t, grpc, "PRI *")
	if got := await(t, g, "the other half's connection"); got != "PRI *" {
		t.Errorf("got %q", got)
	}
	start := time.Now()
	if err := grpc.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > firstByteTimeout/2 {
		t.Errorf("Close waited %s for a silent connection", took)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the silent connection was served")
	}
	if _, err := grpc.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	if c, err := net.DialTimeout("tcp", grpc.Addr().String(), time.Second); err == nil {
		c.Close()
		t.Error("the port is open")
	}
	if err := errors.Join(grpc.Close(), raft.Close()); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

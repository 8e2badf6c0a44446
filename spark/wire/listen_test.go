package wire

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHTTPAndSparkShareAPort(t *testing.T) {
	t.Parallel()
	s := served(t, Config{Handler: funcs{}})
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
	})}
	over := make(chan error, 1)
	go func() { over <- web.Serve(s.HTTP()) }()
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			resp, err := client.Post("http://"+s.Addr().String()+"/v1/cluster", "text/plain", strings.NewReader(fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != nil || string(got) != fmt.Sprint("POST /v1/cluster ", i) {
				t.Errorf("got %q, %v", got, err)
			}
		})
		wg.Go(func() {
			c, err := Dial(soon(t), s.address(), Config{Handler: funcs{}})
			if err != nil {
				t.Error(err)
				return
			}
			c.Start()
			defer c.Close()
			if got, err := c.Ask(soon(t), sample); err != nil || string(got) != string(sample.Payload) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	s.Close()
	if err := await(t, over, "the web server's end"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the web server ended by %v", err)
	}
	web.Close()
}

// What is neither is closed at once, without a word.
func TestTLSIsRefused(t *testing.T) {
	t.Parallel()
	s := served(t, Config{Handler: funcs{}})
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: &tls.Config{InsecureSkipVerify: true}}
	if c, err := d.DialContext(soon(t), "tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Error("TLS was taken")
	}
}

func TestProtocolOf(t *testing.T) {
	t.Parallel()
	for first, want := range map[byte]int{0: 0, 'G': 1, 'P': 1, 'A': 1, 'Z': 1, 1: -1, 0x16: -1, 'a': -1, '[': -1, '@': -1, 0xFF: -1} {
		if got := protocolOf(first); got != want {
			t.Errorf("%#x: got %d, want %d", first, got, want)
		}
	}
}

// Close must not wait for connections that say nothing.
func TestCloseEndsEveryKindOfConnection(t *testing.T) {
	t.Parallel()
	stuck, closed := make(chan struct{}), make(chan error, 4)
	s := served(t, Config{Handler: funcs{
		send:   func(c *Conn, _ Envelope) { close(stuck); <-c.Done() },
		closed: func(_ *Conn, err error) { closed <- err },
	}})
	dial := func(first []byte) net.Conn {
		c, err := net.DialTimeout("tcp", s.Addr().String(), patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		mustWrite(t, c, first)
		return c
	}
	conns := []net.Conn{dial(nil), dial([]byte("GET / HTTP/1.1\r\n")), dial(oneWayFrame(sample)[:5]), dial(oneWayFrame(sample))}
	await(t, stuck, "the message")
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > sniffTimeout/4 {
		t.Errorf("Close took %s", took)
	}
	if err := await(t, closed, "Closed"); !errors.Is(err, ErrClosed) {
		t.Errorf("closed by %v", err)
	}
	for i, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("connection %d is open: %v", i, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	if c, err := net.DialTimeout("tcp", s.Addr().String(), time.Second); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

func TestSetupComesFirst(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(ln, Config{Handler: funcs{ask: func(c *Conn, _ Envelope) ([]byte, error) { return []byte(c.Value.(string)), nil }}},
		func(c *Conn) { c.Value = "of " + c.RemoteAddr().String() })
	defer s.Close()
	c := dialled(t, s, funcs{})
	if got, err := c.Ask(soon(t), sample); err != nil || string(got) != "of "+c.LocalAddr().String() {
		t.Errorf("got %q, %v", got, err)
	}
}

// Bytes that come together with the first one belong to the first frame.
func TestFramesThatComeInPieces(t *testing.T) {
	t.Parallel()
	s := served(t, Config{Handler: funcs{}})
	c, err := net.DialTimeout("tcp", s.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	frame := requestFrame(9, sample)
	for _, b := range frame {
		mustWrite(t, c, []byte{b})
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	if got := readRaw(t, r); got.kind != typeRPCResponse || got.id != 9 {
		t.Errorf("got %+v", got)
	}
	mustWrite(t, c, append(frame, frame...))
	for range 2 {
		if got := readRaw(t, r); got.id != 9 {
			t.Errorf("got %+v", got)
		}
	}
}

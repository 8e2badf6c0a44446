package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAskIsAnsweredBothWays(t *testing.T) {
	t.Parallel()
	double := func(_ *Conn, e Envelope) ([]byte, error) { return append(e.Payload, e.Payload...), nil }
	accepted := make(chan *Conn, 1)
	s := served(t, Config{Handler: funcs{ask: double, send: func(c *Conn, _ Envelope) { accepted <- c }}})
	c := dialled(t, s, funcs{ask: double})
	if !c.Dialled() || c.Peer() != s.address() || c.RemoteAddr().String() != s.Addr().String() {
		t.Errorf("dialled %v, peer %v at %v", c.Dialled(), c.Peer(), c.RemoteAddr())
	}
	if err := c.Send(Envelope{Sender: Address{"w7", 41001}, Endpoint: "Master"}); err != nil {
		t.Fatal(err)
	}
	back := await(t, accepted, "the one-way message")
	if back.Dialled() || back.Peer() != (Address{"w7", 41001}) || back.LocalAddr().String() != s.Addr().String() {
		t.Errorf("dialled %v, peer %v, local %v", back.Dialled(), back.Peer(), back.LocalAddr())
	}
	for _, conn := range []*Conn{c, back} {
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				payload := []byte(fmt.Sprint("payload ", i))
				got, err := conn.Ask(soon(t), Envelope{Endpoint: "x", Payload: payload})
				if want := append(payload, payload...); err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			})
		}
		wg.Wait()
	}
}

// An answer may be empty, and may be a failure; both end the ask, in whatever order they come.
func TestAnswersFindTheirAsks(t *testing.T) {
	t.Parallel()
	c, peer := piped(t, Config{Handler: funcs{}})
	type result struct {
		payload []byte
		err     error
	}
	first, second := make(chan result, 1), make(chan result, 1)
	ask := func(out chan result) int64 {
		go func() {
			b, err := c.Ask(soon(t), sample)
			out <- result{b, err}
		}()
		f := readRaw(t, peer)
		if f.kind != typeRPCRequest || !bytes.Equal(f.rest[4:], sample.append(nil)) {
			t.Errorf("asked with %+v", f)
		}
		return f.id
	}
	id1, id2 := ask(first), ask(second)
	if id1 == id2 {
		t.Fatal("two asks under way with one id")
	}
	mustWrite(t, peer, responseFrame(id1^id2^1, []byte("nobody asked for this")))
	mustWrite(t, peer, failureFrame(id2, "java.io.InvalidClassException: X"))
	r := await(t, second, "the failure")
	if remote, ok := errors.AsType[*RemoteError](r.err); !ok || remote.Text != "java.io.InvalidClassException: X" || !strings.Contains(r.err.Error(), remote.Text) {
		t.Errorf("got %v", r.err)
	}
	mustWrite(t, peer, responseFrame(id2, []byte("twice")))
	mustWrite(t, peer, responseFrame(id1, nil))
	if r := await(t, first, "the answer"); r.err != nil || len(r.payload) != 0 {
		t.Errorf("got %q, %v", r.payload, r.err)
	}
	if len(c.asks) != 0 {
		t.Errorf("%d asks are kept", len(c.asks))
	}
}

func TestWhatAPeerAsksIsAnswered(t *testing.T) {
	t.Parallel()
	_, peer := piped(t, Config{Handler: funcs{ask: func(_ *Conn, e Envelope) ([]byte, error) {
		if e.Endpoint == "Nowhere" {
			return nil, errors.New("org.apache.spark.SparkException: Could not find Nowhere.")
		}
		return append([]byte(e.Endpoint), e.Payload...), nil
	}}})
	nowhere := sample
	nowhere.Endpoint = "Nowhere"
	for _, c := range []struct {
		name string
		in   []byte
		kind byte
		text string
	}{
		{"an ask", requestFrame(5, sample), typeRPCResponse, "endpoint-verifier\xac\xed\x00\x05"},
		{"a refusal", requestFrame(5, nowhere), typeRPCFailure, "org.apache.spark.SparkException: Could not find Nowhere."},
		{"SASL", unhex(t, "000000000000002b 03 0000000000000005 00000016 ea 0000000d 737061726b5361736c55736572 00000000"), typeRPCFailure, ErrSASL.Error()},
		{"no envelope", unhex(t, "0000000000000016 03 0000000000000005 00000001 07"), typeRPCFailure, "wire: not an RPC envelope: sender: tag 7"},
	} {
		mustWrite(t, peer, c.in)
		got := readRaw(t, peer)
		if got.kind != c.kind || got.id != 5 || got.text() != c.text {
			t.Errorf("%s: answered %+v with %q", c.name, got, got.text())
		}
	}
	mustWrite(t, peer, unhex(t, "0000000000000011 06 00000004 2f6a6172"))
	if got := readRaw(t, peer); got.kind != typeStreamFailure || got.text() != "/jar" || !strings.Contains(string(got.rest[8:]), "no such stream") {
		t.Errorf("a stream request was answered %+v", got)
	}
}

// One-way messages that are no envelopes vanish, as they do with Spark; the connection survives.
func TestABadOneWayMessageIsDropped(t *testing.T) {
	t.Parallel()
	got := make(chan Envelope, 1)
	_, peer := piped(t, Config{Handler: funcs{send: func(_ *Conn, e Envelope) { got <- e }}})
	mustWrite(t, peer, unhex(t, "000000000000000e 09 00000001 07"))
	mustWrite(t, peer, oneWayFrame(sample))
	if e := await(t, got, "the good message"); e.Endpoint != sample.Endpoint {
		t.Errorf("got %+v", e)
	}
}

// Asks and one-way messages of one connection are served one at a time, in the order of the wire.
func TestOrderOfTheWire(t *testing.T) {
	t.Parallel()
	const n = 1000
	var seen notes
	var busy sync.Mutex
	note := func(e Envelope) {
		if !busy.TryLock() {
			t.Error("two calls at a time")
		}
		seen.add(string(e.Payload))
		busy.Unlock()
	}
	s := served(t, Config{Handler: funcs{
		ask:  func(_ *Conn, e Envelope) ([]byte, error) { note(e); return nil, nil },
		send: func(_ *Conn, e Envelope) { note(e) },
	}})
	c := dialled(t, s, funcs{})
	for i := range n {
		e := Envelope{Endpoint: "Master", Payload: []byte(fmt.Sprint(i))}
		var err error
		if i%100 == 99 {
			_, err = c.Ask(soon(t), e)
		} else {
			err = c.Send(e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got := seen.all()
	if len(got) != n {
		t.Fatalf("%d of %d", len(got), n)
	}
	for i, line := range got {
		if line != fmt.Sprint(i) {
			t.Fatalf("message %s came as number %d", line, i)
		}
	}
}

// A handler may ask the very peer whose message it serves.
func TestAHandlerMayAskItsPeer(t *testing.T) {
	t.Parallel()
	s := served(t, Config{Handler: funcs{ask: func(c *Conn, e Envelope) ([]byte, error) {
		return c.Ask(context.Background(), Envelope{Endpoint: "back", Payload: e.Payload})
	}}})
	c := dialled(t, s, funcs{ask: func(_ *Conn, e Envelope) ([]byte, error) { return append([]byte("back "), e.Payload...), nil }})
	got, err := c.Ask(soon(t), Envelope{Endpoint: "x", Payload: []byte("and forth")})
	if err != nil || string(got) != "back and forth" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAnUnansweredAskEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, peer := piped(t, Config{Handler: funcs{}})
		go func() { _, _ = io.Copy(io.Discard, peer) }()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Ask(ctx, sample)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "endpoint-verifier") || time.Since(start) != 3*time.Second {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
		if len(c.asks) != 0 {
			t.Error("the ask is kept")
		}
	})
}

// A peer that does not even read must not hold an ask up for longer.
func TestAnAskOfAPeerThatDoesNotReadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := piped(t, Config{Handler: funcs{}})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if _, err := c.Ask(ctx, sample); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
	})
}

func TestAPeerThatDoesNotReadIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := piped(t, Config{Handler: funcs{}})
		start := time.Now()
		waiting := make(chan error, 1)
		go func() {
			synctest.Wait() // until the first one holds the wire
			waiting <- c.Send(sample)
		}()
		err := c.Send(sample)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, ErrClosed) || time.Since(start) != writeTimeout {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
		if err := <-waiting; !errors.Is(err, ErrClosed) || time.Since(start) != writeTimeout {
			t.Errorf("the second got %v after %s", err, time.Since(start))
		}
		<-c.Done()
		if !errors.Is(c.Err(), os.ErrDeadlineExceeded) {
			t.Errorf("ended by %v", c.Err())
		}
	})
}

// A large frame may take long, as long as the peer takes some of it.
func TestASlowPeerIsNotGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, peer := piped(t, Config{Handler: funcs{}})
		e := Envelope{Endpoint: "x", Payload: make([]byte, 4*writeChunk)}
		read := make(chan int, 1)
		go func() {
			buf, total := make([]byte, writeChunk), 0
			for total < len(oneWayFrame(e)) {
				time.Sleep(writeTimeout / 2)
				n, err := io.ReadAtLeast(peer, buf[:min(len(buf), len(oneWayFrame(e))-total)], 1)
				if total += n; err != nil {
					break
				}
			}
			read <- total
		}()
		if err := c.Send(e); err != nil {
			t.Error(err)
		}
		if got := <-read; got != len(oneWayFrame(e)) {
			t.Errorf("%d bytes came", got)
		}
	})
}

func TestAsksEndWithTheConnection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(c *Conn, peer io.WriteCloser)
		want error
	}{
		{"closed by us", func(c *Conn, _ io.WriteCloser) { c.Close() }, ErrClosed},
		{"closed by the peer", func(_ *Conn, p io.WriteCloser) { p.Close() }, ErrClosed},
		{"no frame", func(_ *Conn, p io.WriteCloser) { _, _ = p.Write(bytes.Repeat([]byte{0}, 9)) }, ErrFrame},
		{"a length of 2^62", func(_ *Conn, p io.WriteCloser) {
			_, _ = p.Write(append(binary.BigEndian.AppendUint64(nil, 1<<62), typeOneWay))
		}, ErrFrameTooLarge},
		{"a frame cut short", func(_ *Conn, p io.WriteCloser) { _, _ = p.Write(oneWayFrame(sample)[:9]); p.Close() }, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			closed := make(chan error, 2)
			conn, peer := piped(t, Config{Handler: funcs{closed: func(_ *Conn, err error) { closed <- err }}})
			asked := make(chan error, 1)
			go func() {
				_, err := conn.Ask(soon(t), sample)
				asked <- err
			}()
			readRaw(t, peer)
			if conn.Err() != nil {
				t.Errorf("it lives, and has ended by %v", conn.Err())
			}
			c.end(conn, peer)
			if err := await(t, asked, "the ask's end"); !errors.Is(err, c.want) || !errors.Is(err, ErrClosed) {
				t.Errorf("the ask got %v", err)
			}
			if err := await(t, closed, "Closed"); !errors.Is(err, c.want) {
				t.Errorf("Closed was told %v", err)
			}
			await(t, conn.Done(), "Done")
			if !errors.Is(conn.Err(), c.want) {
				t.Errorf("Err says %v", conn.Err())
			}
			if err := conn.Send(sample); !errors.Is(err, ErrClosed) {
				t.Errorf("a later Send got %v", err)
			}
			if _, err := conn.Ask(soon(t), sample); !errors.Is(err, ErrClosed) {
				t.Errorf("a later Ask got %v", err)
			}
			if len(closed) != 0 {
				t.Error("Closed was called twice")
			}
		})
	}
}

// What a peer sent before it went away is served, and Closed comes behind it.
func TestClosedComesLast(t *testing.T) {
	t.Parallel()
	var seen notes
	end, release := make(chan struct{}), make(chan struct{})
	_, peer := piped(t, Config{Handler: funcs{
		send: func(_ *Conn, e Envelope) {
			<-release
			seen.add(string(e.Payload))
		},
		closed: func(*Conn, error) { seen.add("closed"); close(end) },
	}})
	for i := range 3 {
		mustWrite(t, peer, oneWayFrame(Envelope{Endpoint: "Master", Payload: []byte(fmt.Sprint(i))}))
	}
	peer.Close()
	close(release)
	await(t, end, "Closed")
	if got := strings.Join(seen.all(), " "); got != "0 1 2 closed" {
		t.Errorf("got %s", got)
	}
}

func TestWhatHasNoFormIsNotSent(t *testing.T) {
	t.Parallel()
	c, _ := piped(t, Config{Handler: funcs{}})
	bad := Envelope{Endpoint: strings.Repeat("x", 1<<16)}
	if err := c.Send(bad); !errors.Is(err, ErrEnvelope) {
		t.Errorf("Send: %v", err)
	}
	if _, err := c.Ask(soon(t), bad); !errors.Is(err, ErrEnvelope) {
		t.Errorf("Ask: %v", err)
	}
	if c.Err() != nil {
		t.Errorf("the connection ended: %v", c.Err())
	}
}

// The first address that a peer announces is its address for good: others find the connection by it.
func TestAPeerKeepsItsAddress(t *testing.T) {
	t.Parallel()
	c, peer := piped(t, Config{Handler: funcs{}})
	if !c.Peer().IsZero() {
		t.Errorf("known before it spoke: %v", c.Peer())
	}
	for i, from := range []Address{{}, {"w7", 1}, {"other", 2}, {}} {
		mustWrite(t, peer, requestFrame(int64(i), Envelope{Sender: from, Endpoint: "x"}))
		readRaw(t, peer)
		want := Address{"w7", 1}
		if i == 0 {
			want = Address{}
		}
		if c.Peer() != want {
			t.Errorf("after %v it is %v", from, c.Peer())
		}
	}
}

func TestDialSaysWhere(t *testing.T) {
	t.Parallel()
	s := served(t, Config{Handler: funcs{}})
	addr := s.address()
	s.Close()
	if _, err := Dial(soon(t), addr, Config{Handler: funcs{}}); err == nil || !strings.Contains(err.Error(), addr.URL()) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, addr, Config{Handler: funcs{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

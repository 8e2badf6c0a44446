package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Handler takes what a peer asks and sends. Calls for one connection come one after the other, in the order of the
// wire. A call may block without hindering answers to our own asks on that connection, until so much waits behind it that
// we stop reading from the peer (see queued); it should end when the connection is Done.
type Handler interface {
	// Ask is answered by the payload of the reply (a bare object stream), or by an error, whose text the peer is given.
	Ask(c *Conn, e Envelope) ([]byte, error)
	// Send takes a one-way message.
	Send(c *Conn, e Envelope)
	// Closed is called once, after the last Ask or Send of the connection has returned.
	Closed(c *Conn, err error)
}

// Config of connections, dialled or accepted.
type Config struct {
	Handler  Handler
	MaxFrame int64 // bytes; 0 = DefaultMaxFrame
}

func (c Config) maxFrame() int64 {
	if c.MaxFrame > 0 {
		return c.MaxFrame
	}
	return DefaultMaxFrame
}

// ErrClosed is the cause of an ask or send on a connection that has ended.
var ErrClosed = errors.New("wire: connection closed")

// RemoteError is the text of a failure frame: the peer could not process the request at all.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return "the peer could not process the request: " + e.Text }

// queued bounds how many requests of one peer wait to be served before we stop reading from it. Their bytes are bounded
// too, by the size of the largest frame.
const queued = 256

const (
	// writeTimeout ends a connection whose peer has taken nothing of a chunk for so long.
	writeTimeout = 30 * time.Second
	writeChunk   = 256 << 10 // bytes that must get away within writeTimeout
	readBuffer   = 16 << 10
)

// Conn is one connection with a Spark peer.
type Conn struct {
	cfg  Config
	tcp  net.Conn
	in   *bufio.Reader
	dial bool

	peer  atomic.Pointer[Address] // as it announces itself
	inbox *inbox
	done  chan struct{}
	once  sync.Once
	err   error // why it ended; set before done is closed

	writing chan struct{} // holds one token while a frame is being written
	mu      sync.Mutex
	asks    map[int64]chan frame // nil once it has ended

	// Value is for the handler's own notes about this peer. It is set before the first call of the handler and read by
	// it; the handler guards what is inside.
	Value any
}

// Dial opens a connection to a Spark server.
func Dial(ctx context.Context, addr Address, cfg Config) (*Conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive}
	tcp, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr.URL(), err)
	}
	c := newConn(tcp, bufio.NewReaderSize(tcp, readBuffer), cfg, true)
	c.peer.Store(&addr)
	return c, nil
}

// A driver is silent while it is idle, so only the connection tells that its host is there (trap 15).
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

func newConn(tcp net.Conn, in *bufio.Reader, cfg Config, dial bool) *Conn {
	return &Conn{
		cfg: cfg, tcp: tcp, in: in, dial: dial, inbox: newInbox(queued, cfg.maxFrame()), done: make(chan struct{}),
		writing: make(chan struct{}, 1), asks: map[int64]chan frame{},
	}
}

// Start begins to read and serve. Value must be set before.
func (c *Conn) Start() {
	go c.read()
	go c.serve()
}

// Peer is the address that the other side announces for its server: what it was dialled at, or the sender of the first
// of its envelopes that names one. Zero while it is not known.
func (c *Conn) Peer() Address {
	if a := c.peer.Load(); a != nil {
		return *a
	}
	return Address{}
}

// Dialled tells whether we opened the connection.
func (c *Conn) Dialled() bool { return c.dial }

// RemoteAddr is the TCP address of the other side.
func (c *Conn) RemoteAddr() net.Addr { return c.tcp.RemoteAddr() }

// LocalAddr is the TCP address of this side.
func (c *Conn) LocalAddr() net.Addr { return c.tcp.LocalAddr() }

// Done is closed when the connection has ended; Err then says why.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the connection ended; nil while it lives.
func (c *Conn) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Close ends the connection.
func (c *Conn) Close() { c.end(ErrClosed) }

func (c *Conn) end(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.done)
		c.tcp.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asks = nil
	})
}

// closed is the error of what was tried on a connection that has ended: ErrClosed, and why.
func (c *Conn) closed() error {
	if errors.Is(c.err, ErrClosed) {
		return c.err
	}
	return fmt.Errorf("%w: %w", ErrClosed, c.err)
}

// Send sends a one-way message. It returns when the message is with the operating system; a peer that does not read can
// make it wait until the connection is given up (writeTimeout).
func (c *Conn) Send(e Envelope) error {
	if err := e.check(); err != nil {
		return fmt.Errorf("send to %s: %w", c.Peer(), err)
	}
	if err := c.write(oneWayFrame(e)); err != nil {
		return fmt.Errorf("send to %s: %w", c.Peer(), err)
	}
	return nil
}

// Ask sends a request and waits for the payload of the reply. A failure frame comes back as a *RemoteError. It ends with
// ctx, whatever the peer does.
func (c *Conn) Ask(ctx context.Context, e Envelope) ([]byte, error) {
	payload, err := c.ask(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("ask %s at %s: %w", e.Endpoint, c.Peer(), err)
	}
	return payload, nil
}

func (c *Conn) ask(ctx context.Context, e Envelope) ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	reply := make(chan frame, 1)
	id, err := c.register(reply)
	if err != nil {
		return nil, err
	}
	defer c.forget(id)
	// A peer that does not read holds the write up for longer than ctx may last, and half a frame cannot be taken back.
	written := make(chan error, 1)
	go func() { written <- c.write(requestFrame(id, e)) }()
	for {
		select {
		case err := <-written:
			if err != nil {
				return nil, err
			}
			written = nil
		case f := <-reply:
			if f.kind == typeRPCFailure {
				return nil, &RemoteError{Text: f.text}
			}
			return f.body, nil
		case <-c.done:
			return nil, c.closed()
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer: %w", ctx.Err())
		}
	}
}

func (c *Conn) register(reply chan frame) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asks == nil {
		return 0, c.closed()
	}
	for {
		id := rand.Int64()
		if _, taken := c.asks[id]; !taken {
			c.asks[id] = reply
			return id, nil
		}
	}
}

func (c *Conn) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asks, id)
}

// write puts one frame on the wire. Frames never mix.
func (c *Conn) write(frame []byte) error {
	select {
	case c.writing <- struct{}{}:
		defer func() { <-c.writing }()
	case <-c.done:
		return c.closed()
	}
	select {
	case <-c.done: // both were ready
		return c.closed()
	default:
	}
	for len(frame) > 0 {
		chunk := frame[:min(len(frame), writeChunk)]
		// A deadline that cannot be set means a closed socket, which the write reports.
		_ = c.tcp.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := c.tcp.Write(chunk); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = fmt.Errorf("the peer has read nothing for %s: %w", writeTimeout, err)
			}
			c.end(err)
			return c.closed()
		}
		frame = frame[len(chunk):]
	}
	return nil
}

// read takes frames off the wire: answers go to who asked, requests to serve.
func (c *Conn) read() {
	defer c.inbox.close()
	for {
		f, err := readFrame(c.in, c.cfg.maxFrame())
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w by the peer", ErrClosed)
			} else {
				err = fmt.Errorf("read from %s: %w", c.tcp.RemoteAddr(), err)
			}
			c.end(err)
			return
		}
		switch f.kind {
		case typeRPCResponse, typeRPCFailure:
			c.answered(f)
		default:
			if !c.inbox.put(f, c.done) {
				return
			}
		}
	}
}

// answered hands an answer to who asked. One that nobody waits for any more is dropped.
func (c *Conn) answered(f frame) {
	c.mu.Lock()
	reply := c.asks[f.id]
	delete(c.asks, f.id)
	c.mu.Unlock()
	if reply != nil {
		reply <- f // holds one, and each ask is answered once
	}
}

// serve hands requests to the handler in the order of the wire.
func (c *Conn) serve() {
	for f := range c.inbox.frames {
		c.serveOne(f)
		c.inbox.served(f)
	}
	<-c.done
	c.cfg.Handler.Closed(c, c.err)
}

func (c *Conn) serveOne(f frame) {
	if f.kind == typeStreamRequest {
		// Masters and workers serve no streams; drivers host jars and files themselves.
		_ = c.write(streamFailureFrame(f.text, "no such stream: "+f.text))
		return
	}
	e, err := parseEnvelope(f.body)
	if err != nil {
		if f.kind == typeRPCRequest {
			_ = c.write(failureFrame(f.id, err.Error()))
		}
		return
	}
	if !e.Sender.IsZero() && c.peer.Load() == nil { // fixed from then on: others find this connection by it
		c.peer.Store(&e.Sender)
	}
	if f.kind == typeOneWay {
		c.cfg.Handler.Send(c, e)
		return
	}
	payload, err := c.cfg.Handler.Ask(c, e)
	if err != nil {
		_ = c.write(failureFrame(f.id, err.Error())) // a failed write ends the connection, and there is nobody to tell
		return
	}
	_ = c.write(responseFrame(f.id, payload))
}

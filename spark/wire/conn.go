package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Handler takes what a peer asks and sends. Calls for one connection come one after the other, in the order of the
// wire; a call may block without hindering answers to our own asks on that connection.
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

// queued bounds how many requests of one peer wait to be served before we stop reading from it.
const queued = 256

// writeTimeout ends a connection whose peer has stopped reading.
const writeTimeout = 30 * time.Second

// Conn is one connection with a Spark peer.
type Conn struct {
	cfg  Config
	tcp  net.Conn
	in   *bufio.Reader
	dial bool

	peer  atomic.Pointer[Address] // as it announces itself
	inbox chan frame
	done  chan struct{}
	once  sync.Once
	err   error // why it ended; set before done is closed

	writing sync.Mutex
	mu      sync.Mutex
	asks    map[int64]chan frame

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
	c := newConn(tcp, bufio.NewReaderSize(tcp, 16<<10), cfg, true)
	c.peer.Store(&addr)
	return c, nil
}

// A driver is silent while it is idle, so only the connection tells that its host is there (trap 15).
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

func newConn(tcp net.Conn, in *bufio.Reader, cfg Config, dial bool) *Conn {
	return &Conn{
		cfg: cfg, tcp: tcp, in: in, dial: dial, inbox: make(chan frame, queued), done: make(chan struct{}), asks: map[int64]chan frame{},
	}
}

// Start begins to read and serve. Value must be set before.
func (c *Conn) Start() {
	go c.read()
	go c.serve()
}

// Peer is the address that the other side announces for its server: what it was dialled at, or the sender of its
// envelopes. Zero while it is not known.
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

// Send sends a one-way message.
func (c *Conn) Send(e Envelope) error { return c.write(oneWayFrame(e)) }

// Ask sends a request and waits for the payload of the reply. A failure frame comes back as a *RemoteError.
func (c *Conn) Ask(ctx context.Context, e Envelope) ([]byte, error) {
	reply := make(chan frame, 1)
	id, err := c.register(reply)
	if err != nil {
		return nil, err
	}
	defer c.forget(id)
	if err := c.write(requestFrame(id, e)); err != nil {
		return nil, err
	}
	select {
	case f := <-reply:
		if f.kind == typeRPCFailure {
			return nil, &RemoteError{Text: f.text}
		}
		return f.body, nil
	case <-c.done:
		return nil, fmt.Errorf("ask %s at %s: %w", e.Endpoint, c.Peer(), c.err)
	case <-ctx.Done():
		return nil, fmt.Errorf("ask %s at %s: no answer: %w", e.Endpoint, c.Peer(), ctx.Err())
	}
}

func (c *Conn) register(reply chan frame) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asks == nil {
		return 0, ErrClosed
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

func (c *Conn) write(frame []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	select {
	case <-c.done:
		return fmt.Errorf("send to %s: %w", c.Peer(), ErrClosed)
	default:
	}
	// A deadline that cannot be set means a closed socket, which the write reports.
	_ = c.tcp.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := c.tcp.Write(frame); err != nil {
		err = fmt.Errorf("send to %s: %w", c.Peer(), err)
		c.end(err)
		return err
	}
	return nil
}

// read takes frames off the wire: answers go to who asked, requests to serve.
func (c *Conn) read() {
	defer close(c.inbox)
	for {
		f, err := readFrame(c.in, c.cfg.maxFrame())
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w by the peer", ErrClosed)
			}
			c.end(err)
			return
		}
		switch f.kind {
		case typeRPCResponse, typeRPCFailure:
			c.mu.Lock()
			reply := c.asks[f.id]
			delete(c.asks, f.id)
			c.mu.Unlock()
			if reply != nil {
				reply <- f // holds one, and each ask is answered once
			}
		default:
			select {
			case c.inbox <- f:
			case <-c.done:
				return
			}
		}
	}
}

// serve hands requests to the handler in the order of the wire.
func (c *Conn) serve() {
	for f := range c.inbox {
		c.serveOne(f)
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
	if !e.Sender.IsZero() && !c.dial {
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

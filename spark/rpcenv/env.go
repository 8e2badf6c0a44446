package rpcenv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/wire"
)

// Config of an Env.
type Config struct {
	// Address is what we announce: peers key their view of a connection on it. Zero for an environment without a server.
	Address   wire.Address
	Endpoints map[string]Endpoint
	MaxFrame  int64 // bytes; 0 = wire.DefaultMaxFrame
	// ProbeSUID is for processes that stand in for Spark's: the serialVersionUID of releases.ProbeClass in the release that
	// they play, by which they answer who asks for it. 0: any will do.
	ProbeSUID int64
	Logger    *slog.Logger
}

// Env is our side: the endpoints that peers reach over connections that either side opened.
type Env struct {
	address   wire.Address
	endpoints map[string]Endpoint
	wire      wire.Config
	probe     int64
	log       *slog.Logger
	server    *wire.Server
	questions questions
}

// New makes an environment. Serve makes it reachable; Dial works without.
func New(cfg Config) *Env {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	e := &Env{address: cfg.Address, endpoints: cfg.Endpoints, probe: cfg.ProbeSUID, log: cfg.Logger}
	e.wire = wire.Config{Handler: handler{e}, MaxFrame: cfg.MaxFrame}
	return e
}

// Serve accepts peers on a listener.
func (e *Env) Serve(ln net.Listener) {
	e.server = wire.Serve(ln, e.wire, func(c *wire.Conn) { c.Value = newPeer(e, c, Dialect{}) })
}

// HTTP is the listener of what comes on the same port and speaks HTTP.
func (e *Env) HTTP() net.Listener { return e.server.HTTP() }

// Close closes what was accepted and waits for it. Dialled peers are closed by those who dialled them.
func (e *Env) Close() error {
	if e.server == nil {
		return nil
	}
	return e.server.Close()
}

// Dial opens a connection to a peer whose dialect is known.
func (e *Env) Dial(ctx context.Context, addr wire.Address, d Dialect) (*Peer, error) {
	c, err := wire.Dial(ctx, addr, e.wire)
	if err != nil {
		return nil, err
	}
	p := newPeer(e, c, d)
	c.Value = p
	c.Start()
	return p, nil
}

func newPeer(e *Env, c *wire.Conn, d Dialect) *Peer {
	return &Peer{env: e, conn: c, dialect: d, served: make(chan struct{})}
}

// handler is the wire's view of an Env.
type handler struct{ e *Env }

var _ wire.Handler = handler{}

// errNotVerifier answers what is not a question to the verifier.
var errNotVerifier = errors.New("the endpoint verifier answers CheckExistence only")

func (h handler) Ask(c *wire.Conn, env wire.Envelope) ([]byte, error) {
	p := c.Value.(*Peer)
	if env.Endpoint == Verifier {
		return h.verify(c, p, env)
	}
	m, err := h.e.decode(p, env)
	if err != nil {
		h.e.log.Warn("an ask that cannot be served", "peer", c.RemoteAddr().String(), "endpoint", env.Endpoint, "error", err)
		return nil, err
	}
	ep, ok := h.e.endpoints[env.Endpoint]
	if !ok {
		return nil, fmt.Errorf("org.apache.spark.SparkException: Could not find %s.", env.Endpoint)
	}
	reply, err := ep.ReceiveAndReply(p, m)
	if err != nil {
		return nil, err
	}
	return p.encode(reply)
}

// verify answers whether an endpoint is here (RpcEndpointVerifier).
func (h handler) verify(c *wire.Conn, p *Peer, env wire.Envelope) ([]byte, error) {
	known := p.Dialect().Table
	if a, ok := h.e.questions.get(env.Payload, known); ok {
		if known == nil {
			p.Adopt(Dialect{Table: a.table})
		}
		return a.reply, nil
	}
	m, err := h.e.decode(p, env)
	if err != nil {
		h.e.log.Warn("an ask that cannot be served", "peer", c.RemoteAddr().String(), "endpoint", env.Endpoint, "error", err)
		return nil, err
	}
	check, ok := m.(*messages.CheckExistence)
	if !ok {
		return nil, errNotVerifier
	}
	_, exists := h.e.endpoints[check.Name]
	reply, err := p.encode(&messages.Boolean{Value: exists || check.Name == Verifier})
	if err == nil {
		h.e.questions.put(env.Payload, answer{table: p.Dialect().Table, reply: reply})
	}
	return reply, err
}

func (h handler) Send(c *wire.Conn, env wire.Envelope) {
	p := c.Value.(*Peer)
	m, err := h.e.decode(p, env)
	if err != nil {
		h.e.log.Warn("a message that cannot be read was dropped", "peer", c.RemoteAddr().String(), "endpoint", env.Endpoint, "error", err)
		return
	}
	ep, ok := h.e.endpoints[env.Endpoint]
	if !ok {
		h.e.log.Warn("a message for an endpoint that is not here was dropped", "peer", c.RemoteAddr().String(), "endpoint", env.Endpoint)
		return
	}
	ep.Receive(p, m)
}

func (h handler) Closed(c *wire.Conn, err error) {
	p := c.Value.(*Peer)
	for _, ep := range h.e.endpoints {
		if w, ok := ep.(Watcher); ok {
			w.Disconnected(p, err)
		}
	}
	close(p.served)
}

// decode reads a message, and learns the peer's dialect from the first one.
func (e *Env) decode(p *Peer, env wire.Envelope) (messages.Message, error) {
	tree, err := javaser.Decode(env.Payload, javaser.DefaultLimits())
	if err != nil {
		return nil, err
	}
	if env.Endpoint == Verifier && e.probe != 0 {
		if err := e.compareProbe(tree); err != nil {
			return nil, err
		}
	}
	if p.Dialect().Table == nil {
		t, err := tableOf(messages.SUIDs(tree))
		if err != nil {
			return nil, err
		}
		p.Adopt(Dialect{Table: t})
	}
	return messages.Parse(tree)
}

// compareProbe is what a JVM does with every class of a message, for the one class that tells releases apart.
func (e *Env) compareProbe(tree javaser.Value) error {
	if suid, ok := messages.SUIDs(tree)[releases.ProbeClass]; ok && suid != e.probe {
		return errors.New(releases.WriteAnswer(suid, e.probe))
	}
	return nil
}

// tableOf recognises a build by the first message of a connection, which for every Spark client is CheckExistence.
func tableOf(suids map[string]int64) (*releases.Table, error) {
	if suid, ok := suids["org.apache.spark.rpc.netty.RpcEndpointVerifier$CheckExistence"]; ok {
		return releases.ByCheckExistence(suid)
	}
	_, t, err := releases.Identify(suids)
	return t, err
}

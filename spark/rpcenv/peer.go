package rpcenv

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/wire"
)

// Dialect is how a peer's build writes its classes: the table of its build, and a ref of its own to clone ours from,
// since the class of refs moves between releases that are equal otherwise (facts/spark-wire.md, 6.3).
type Dialect struct {
	Table *releases.Table
	Ref   *javaser.Object // may be nil
}

// Peer is one connection with a Spark process.
type Peer struct {
	env  *Env
	conn *wire.Conn

	mu      sync.Mutex
	dialect Dialect
	served  chan struct{}

	// Note is for the endpoint's own use. It is only touched by the calls of the endpoint, which come one at a time.
	Note any
}

// Address is what the peer announces for its server; zero for an executor, which has none.
func (p *Peer) Address() wire.Address { return p.conn.Peer() }

// Dialled tells whether we opened the connection.
func (p *Peer) Dialled() bool { return p.conn.Dialled() }

// Dialect is what is known of the peer's build; a nil table where nothing is yet.
func (p *Peer) Dialect() Dialect {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialect
}

// Adopt fixes the peer's dialect, once more is known than its first message told.
func (p *Peer) Adopt(d Dialect) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.Table != nil {
		p.dialect.Table = d.Table
	}
	if d.Ref != nil {
		p.dialect.Ref = d.Ref
	}
}

// Done is closed when the connection has ended.
func (p *Peer) Done() <-chan struct{} { return p.conn.Done() }

// Served is closed when the connection has ended and the last message that came on it has been served.
func (p *Peer) Served() <-chan struct{} { return p.served }

// Close ends the connection.
func (p *Peer) Close() { p.conn.Close() }

func (p *Peer) encode(m messages.Message) ([]byte, error) { return Encode(m, p.Dialect()) }

// Encode makes the object stream of a message in a dialect.
func Encode(m messages.Message, d Dialect) ([]byte, error) {
	if d.Table == nil {
		return nil, fmt.Errorf("encode %T: the peer's build is not known", m)
	}
	b, err := messages.Encode(m, messages.Env{Classes: d.Table, Template: d.Ref})
	if err != nil {
		return nil, fmt.Errorf("encode %T for %s: %w", m, d.Table.Name(), err)
	}
	return b, nil
}

// Send sends a one-way message to an endpoint of the peer.
func (p *Peer) Send(endpoint string, m messages.Message) error {
	payload, err := p.encode(m)
	if err != nil {
		return err
	}
	return p.SendPayload(endpoint, payload)
}

// SendPayload sends an object stream that is made already.
func (p *Peer) SendPayload(endpoint string, payload []byte) error {
	return p.conn.Send(p.envelope(endpoint, payload))
}

// Ask asks an endpoint of the peer.
func (p *Peer) Ask(ctx context.Context, endpoint string, m messages.Message) (messages.Message, error) {
	payload, err := p.encode(m)
	if err != nil {
		return nil, err
	}
	return p.AskPayload(ctx, endpoint, payload)
}

// AskPayload asks with an object stream that is made already.
func (p *Peer) AskPayload(ctx context.Context, endpoint string, payload []byte) (messages.Message, error) {
	reply, err := p.conn.Ask(ctx, p.envelope(endpoint, payload))
	if err != nil {
		return nil, err
	}
	return messages.Decode(reply, javaser.DefaultLimits())
}

// ErrNoRelease says that a peer's answer to a question for its release tells none.
var ErrNoRelease = errors.New("the peer does not tell its Spark release")

// AskRelease asks a Spark process for the serialVersionUID of its releases.ProbeClass, which tells its feature release. A
// right guess (0: none) keeps the question out of the peer's log. The error wraps ErrNoRelease where the peer answers
// otherwise than Spark does; any other may be gone when it is asked again.
func (p *Peer) AskRelease(ctx context.Context, endpoint string, guess int64) (probe int64, err error) {
	table := p.Dialect().Table
	if table == nil {
		return 0, fmt.Errorf("%w: its dialect is not known", ErrNoRelease)
	}
	q, err := table.Question(endpoint, guess)
	if err != nil {
		return 0, err
	}
	reply, err := p.Ask(ctx, Verifier, &messages.Unknown{Class: q.Class.Name, Tree: q})
	if refusal := (*wire.RemoteError)(nil); errors.As(err, &refusal) {
		if probe, ok := releases.ReadAnswer(refusal.Text); ok {
			return probe, nil
		}
		return 0, fmt.Errorf("%w: %w", ErrNoRelease, err)
	}
	if err != nil {
		return 0, err
	}
	if _, ok := reply.(*messages.Boolean); !ok || guess == 0 {
		return 0, fmt.Errorf("%w: it answers %s", ErrNoRelease, reply.ClassName())
	}
	return guess, nil
}

func (p *Peer) envelope(endpoint string, payload []byte) wire.Envelope {
	return wire.Envelope{Sender: p.env.address, Receiver: p.Address(), Endpoint: endpoint, Payload: payload}
}

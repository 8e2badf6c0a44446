package master

import (
	"context"
	"errors"
	"time"

	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
)

// appClient is the name of a driver's endpoint (StandaloneAppClient).
const appClient = "AppClient"

// driverLine is a way to a driver: the connection that it opened, one that we opened, or a relay through another master.
type driverLine interface {
	send(m messages.Message) error
	done() <-chan struct{}
	close()
}

// peerLine speaks over a connection with the driver itself.
type peerLine struct {
	ctx  context.Context // the term
	peer *rpcenv.Peer
	own  bool // we opened it, so we close it
}

var _ driverLine = (*peerLine)(nil)

// findDriver finds the connection that a driver opened to this master.
func (d *duties) findDriver(l *appLink) (driverLine, bool) {
	p, ok := d.m.peers.find(l.driver)
	if !ok || closed(p.Done()) {
		return nil, false
	}
	p.Adopt(l.dialectOn(p))
	return &peerLine{ctx: d.ctx, peer: p}, true
}

// dialectOn is what a driver's own connection does not tell of its dialect. One that it registered on has its ref; its
// class table is known by the application's build.
func (l *appLink) dialectOn(p *rpcenv.Peer) rpcenv.Dialect {
	if l.learn != nil && p.Dialect().Ref != nil {
		build, _ := releases.SplitLabel(l.app.Build)
		if t, ok := releases.ForBuild(build); ok {
			return rpcenv.Dialect{Table: t}
		}
	}
	l.learnDialect()
	return l.dialect
}

// dialDriver opens a connection to a driver and asks for its endpoint, as Spark's own processes do before they use one:
// after a driver's end its port may be anybody's. A driver that is too busy to answer in time counts as there.
func (d *duties) dialDriver(ctx context.Context, l *appLink) (driverLine, error) {
	p, err := d.m.env.Dial(ctx, l.driver, l.dialect)
	if err != nil {
		return nil, err
	}
	reply, err := p.Ask(ctx, rpcenv.Verifier, &messages.CheckExistence{Name: appClient})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		p.Close()
		return nil, err
	}
	if yes, ok := reply.(*messages.Boolean); err == nil && (!ok || !yes.Value) {
		p.Close()
		return nil, errNoDriver
	}
	return &peerLine{ctx: d.ctx, peer: p, own: true}, nil
}

func (p *peerLine) send(m messages.Message) error {
	return sendWithin(p.ctx, p.peer, appClient, m)
}

// done waits for what the driver said last to take effect: it unregisters and closes in one breath, and must not be
// taken for one that vanished.
func (p *peerLine) done() <-chan struct{} { return p.peer.Served() }

func (p *peerLine) close() {
	if p.own {
		p.peer.Close()
	}
}

// stuckAfter is how long a message may still be on its way out when the term has ended.
const stuckAfter = time.Second

// sendWithin sends a message to a peer. One that does not read must not hold up the end of the term, and with it the
// beginning of the next one: its connection is closed.
func sendWithin(term context.Context, p *rpcenv.Peer, endpoint string, m messages.Message) error {
	sent := make(chan struct{})
	defer close(sent)
	stop := context.AfterFunc(term, func() {
		select {
		case <-sent:
		case <-time.After(stuckAfter):
			p.Close()
		}
	})
	defer stop()
	return p.Send(endpoint, m)
}

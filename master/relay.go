package master

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/rpcenv"
)

const relayTimeout = 3 * time.Second

// relayLine speaks to a driver that this master cannot reach, over the connection that the driver has opened to another
// master. What the driver answers comes in by that master's door.
type relayLine struct {
	ctx  context.Context
	l    *appLink
	pool *rpc.Pool
	via  string // the other master's gRPC address
	end  chan struct{}
	once sync.Once
}

var _ driverLine = (*relayLine)(nil)

// relayThrough looks for a master that the driver is connected to.
func (d *duties) relayThrough(ctx context.Context, l *appLink) (driverLine, error) {
	for _, addr := range d.m.otherMasters() {
		r := &relayLine{ctx: ctx, l: l, pool: d.m.pool, via: addr, end: make(chan struct{})}
		select {
		case <-l.relayed: // a signal about an earlier relay; one that comes from here on is about this one
		default:
		}
		if err := r.deliver(nil); err != nil {
			continue // no connection there, or no such master now
		}
		d.spawn(r.watch)
		d.log.Info("a driver is spoken to through another master", "app", l.app.ID, "driver", l.driver.String(), "via", addr)
		return r, nil
	}
	return nil, fmt.Errorf("reach driver %s through another master: %w", l.driver, rpc.ErrNoPeer)
}

// relayCheck is how often a relay is tried where nothing is said: the other master may be gone, and nobody tells then.
const relayCheck = 5 * time.Second

// watch ends the line when the other master has lost the driver, or is lost itself.
func (r *relayLine) watch() {
	defer r.close()
	tick := time.NewTicker(relayCheck)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if r.deliver(nil) != nil {
				return
			}
		case <-r.l.relayed:
			return
		case <-r.ctx.Done():
			return
		case <-r.end:
			return
		}
	}
}

func (r *relayLine) deliver(payloads [][]byte) error {
	ctx, cancel := context.WithTimeout(r.ctx, relayTimeout)
	defer cancel()
	return r.pool.Relay(ctx, r.via, sparkAddress(r.l.driver), appClient, payloads)
}

func (r *relayLine) send(m messages.Message) error {
	payload, err := rpcenv.Encode(m, r.l.dialect)
	if err != nil {
		return err
	}
	if err := r.deliver([][]byte{payload}); err != nil {
		r.close()
		return err
	}
	return nil
}

func (r *relayLine) done() <-chan struct{} { return r.end }
func (r *relayLine) close()                { r.once.Do(func() { close(r.end) }) }

package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firesteel/firesteel/chaos/history"
	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
)

// crowd is the load of simulated drivers: they come at a rate, live for a while, and end or vanish.
type crowd struct {
	host    string
	masters []string
	table   *releases.Table
	rec     *history.Recorder
	rng     *rand.Rand
	complain

	wg   sync.WaitGroup
	stop context.CancelFunc
	gate chan struct{}

	ports atomic.Int64

	mu    sync.Mutex
	waits []time.Duration // from the first request to the answer
}

// atOnce bounds the drivers that live at a time: while nobody leads they pile up.
const atOnce = 150

func (c *crowd) start(ctx context.Context, perSecond int) {
	ctx, c.stop = context.WithCancel(ctx)
	c.gate = make(chan struct{}, atOnce)
	c.wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			select {
			case <-ctx.Done():
				return
			case c.gate <- struct{}{}:
			}
			d := simDriver{
				crowd: c, name: fmt.Sprintf("storm-%d", n), cores: c.rng.IntN(4),
				lives: between(c.rng, 200*time.Millisecond, 8*time.Second), vanishes: c.rng.IntN(5) == 0,
			}
			c.wg.Go(func() {
				defer func() { <-c.gate }()
				if err := d.live(ctx); err != nil {
					c.complain("driver %s: %v", d.name, err)
				}
			})
		}
	})
}

// end lets every driver end now, and waits for it.
func (c *crowd) end() {
	c.stop()
	c.wg.Wait()
}

// simDriver is one of them.
type simDriver struct {
	*crowd
	name     string
	cores    int // executors of one core, so many at most
	lives    time.Duration
	vanishes bool // without unregistering

	addr  string
	id    string
	early []messages.Message // about executors, before the id was known
}

// Drivers are given ports one after the other, from a range that nothing else on the machine draws from. Linux would give a
// port again within moments of its last use, and while nobody leads, the last user's application is still in the books: what
// a master can make of a driver at the address of another one is a question of its own.
const (
	firstPort = 18000
	lastPort  = 32000
)

func (d *simDriver) listen() (app *simapp.App, err error) {
	for range 100 {
		port := firstPort + int(d.ports.Add(1))%(lastPort-firstPort)
		app, err = simapp.New(simapp.Config{Table: d.table, Cores: d.cores, Host: d.host, Port: port, Observe: d.observe})
		if err == nil {
			return app, nil
		}
	}
	return nil, err
}

func (d *simDriver) live(ctx context.Context) error {
	app, err := d.listen()
	if err != nil {
		return err
	}
	asked := time.Now()
	d.addr = app.Address()
	d.rec.Register(d.name)
	_, at, err := app.Register(ctx, d.name, d.masters, 100*time.Millisecond)
	if err == nil {
		d.mu.Lock()
		d.waits = append(d.waits, at.Sub(asked))
		d.mu.Unlock()
		select {
		case <-time.After(d.lives):
		case <-ctx.Done():
		}
		if !d.vanishes {
			d.rec.Unregister(d.name)
			_ = app.Unregister() // the connection may be gone: it is not known whether a master has it
		}
	}
	d.rec.Leave(d.name)
	return app.Close()
}

// observe is called for one message at a time.
func (d *simDriver) observe(from *rpcenv.Peer, m messages.Message) {
	switch m := m.(type) {
	case *messages.RegisteredApplication:
		d.rec.Answered(d.name, m.AppID)
		if d.id == "" {
			d.id = m.AppID
			for _, e := range d.early {
				d.executor(e)
			}
			d.early = nil
		}
	case *messages.ApplicationRemoved:
		d.rec.Removed(d.name, fmt.Sprintf("%s, said by %s (dialled by us: %t) to %s", m.Reason, from.Address(), from.Dialled(), d.addr))
	case *messages.ExecutorAdded, *messages.ExecutorUpdated:
		if d.id == "" {
			d.early = append(d.early, m)
			return
		}
		d.executor(m)
	}
}

func (d *simDriver) executor(m messages.Message) {
	switch m := m.(type) {
	case *messages.ExecutorAdded:
		d.rec.Told(d.id, m.ID, m.WorkerID, d.rec.Exact())
	case *messages.ExecutorUpdated:
		switch {
		case m.State == messages.ExecutorRunning:
			d.rec.Running(d.id, m.ID, d.rec.Exact())
		case m.State.Finished():
			d.rec.Over(d.id, m.ID, m.State.String(), d.rec.Exact())
		}
	}
}

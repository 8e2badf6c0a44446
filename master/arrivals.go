package master

import (
	"bytes"
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// A driver registers with every master in the same breath. One of them leads, and its copy is all that is needed; the
// others would only have the leader decide, log and replicate the same description twice more. So a follower holds its
// copy back until it sees the application in the log. Where the leader is not reached by the driver it does not come,
// and the follower's copy goes to the leader after leaderHears.

// leaderHears is how long a follower waits for the leader to have heard a driver by itself. It ends early when the
// leader changes, so it adds nothing to a failover.
const leaderHears = 250 * time.Millisecond

// arrivals tells those who wait for it that an application of a driver is in the state.
type arrivals struct {
	mu      sync.Mutex
	waiting map[wire.Address][]chan *fsm.App // each has room for one

	proposed atomic.Int64 // registrations that this master has brought to the log itself
}

func newArrivals() *arrivals { return &arrivals{waiting: map[wire.Address][]chan *fsm.App{}} }

// follow hands on what the state machine tells until ctx ends.
func (a *arrivals) follow(ctx context.Context, m *fsm.Machine) {
	_, sub := m.Subscribe()
	defer sub.Close()
	for {
		_, events, err := sub.Next(ctx)
		if err != nil {
			return
		}
		for i := range events {
			if ev := &events[i]; ev.Kind == fsm.AppChanged {
				a.tell(ev.App)
			}
		}
	}
}

func (a *arrivals) tell(app *fsm.App) {
	a.mu.Lock()
	defer a.mu.Unlock()
	addr := wireAddress(app.DriverHost, app.DriverPort)
	for _, c := range a.waiting[addr] {
		c <- app
	}
	delete(a.waiting, addr)
}

// await gives a channel on which the next application of a driver comes; stop ends the wait.
func (a *arrivals) await(addr wire.Address) (came <-chan *fsm.App, stop func()) {
	c := make(chan *fsm.App, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting[addr] = append(a.waiting[addr], c)
	return c, func() { a.forget(addr, c) }
}

func (a *arrivals) forget(addr wire.Address, gone chan *fsm.App) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var left []chan *fsm.App
	for _, c := range a.waiting[addr] {
		if c != gone {
			left = append(left, c)
		}
	}
	if a.waiting[addr] = left; len(left) == 0 {
		delete(a.waiting, addr)
	}
}

// leaderHas tells whether another master leads and has this very registration, waiting for it a moment. One that is older
// is not meant: its driver asks again because it lacks the answer, and the leader must be told of that.
func (m *Master) leaderHas(p *rpcenv.Peer, msg *messages.RegisterApplication) bool {
	changed := m.node.Watch()
	leader := m.node.LeaderID()
	if leader == "" || leader == m.cfg.ID {
		return false
	}
	came, stop := m.arrivals.await(wireAddress(msg.Driver.Host, msg.Driver.Port))
	defer stop()
	if a, ok := m.fsm.State().AppOfDriver(msg.Driver.Host, msg.Driver.Port); ok && sameDriver(a, msg) {
		age := time.Duration(now()-a.Submitted) * time.Millisecond // by another master's clock
		return -announcedLately < age && age < announcedLately
	}
	timeout := time.NewTimer(cmp.Or(m.cfg.leaderHears, leaderHears))
	defer timeout.Stop()
	select {
	case a := <-came:
		return sameDriver(a, msg)
	case <-changed:
	case <-timeout.C:
	case <-p.Done():
	}
	return false
}

// sameDriver tells whether an application was registered by the driver that sends msg. With a fixed spark.driver.port
// another one may have been at the address before.
func sameDriver(a *fsm.App, msg *messages.RegisterApplication) bool {
	description, err := messages.EncodeTree(msg.App.Tree)
	return err == nil && bytes.Equal(a.Description, description)
}

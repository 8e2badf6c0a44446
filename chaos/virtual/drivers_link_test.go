package virtual

import (
	"context"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// What a worker and a leader tell one another, one line of it.
type (
	msgHello struct {
		w       fsm.Worker
		running []string // runs
		over    []report1
		sent    time.Time
	}
	msgWelcome struct{ term uint64 }
	msgRefused struct{}
	msgBeat    struct{ sequence uint64 }
	msgAck     struct{ sequence uint64 }
	msgReport  struct{ report1 }
	msgTaken   struct{ run string } // the report of a run's end is committed
	msgLaunch  struct {
		driver, run string
		attempt     int
		supervise   bool
		term        uint64
	}
	msgKill struct {
		run  string
		term uint64
	}
	msgClosed struct{}
)

// report1 is the end of a run.
type report1 struct {
	run   string
	state fsm.DriverState
}

// wire is one connection between a life of a worker and a leader. What one side has sent before it closed still arrives, also
// long after, as from a socket's buffer; what arrives at a side that has closed does not.
type wire struct {
	sent     time.Time // when its Hello was
	f        *fleet
	toLeader *pipe
	toWorker *pipe
}

type pipe struct {
	f        *fleet
	from, to string
	awake    func() // of who receives
	closed   context.Context
	close    context.CancelFunc

	mu    sync.Mutex
	queue []sent
	wake  chan struct{}
}

// sent is a message and when it arrives, if nothing keeps it.
type sent struct {
	m   any
	due time.Time
}

func (f *fleet) newPipe(from, to string, awake func(), handle func(any)) *pipe {
	p := &pipe{f: f, from: from, to: to, awake: awake, wake: make(chan struct{}, 1)}
	p.closed, p.close = context.WithCancel(f.ctx)
	f.tasks.Go(func() { p.run(handle) })
	return p
}

func (p *pipe) send(m any) {
	p.mu.Lock()
	p.queue = append(p.queue, sent{m, time.Now().Add(p.f.c.dice.upTo(normalLatency))})
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pipe) run(handle func(any)) {
	for {
		p.mu.Lock()
		var m any
		var due time.Time
		if len(p.queue) > 0 {
			m, due, p.queue = p.queue[0].m, p.queue[0].due, p.queue[1:]
		}
		p.mu.Unlock()
		if m == nil {
			select {
			case <-p.wake:
				continue
			case <-p.closed.Done():
				return
			}
		}
		if rest(p.closed, time.Until(due)) != nil || p.f.links.open(p.closed, p.from, p.to) != nil {
			return
		}
		p.awake()
		if p.closed.Err() != nil {
			return
		}
		handle(m)
		if _, last := m.(msgClosed); last {
			p.close()
			return
		}
	}
}

// open waits until messages pass from one address to another.
func (n *network) open(ctx context.Context, from, to string) error {
	for {
		n.mu.Lock()
		cut, changed := n.cut[[2]string{from, to}], n.changed
		n.mu.Unlock()
		if !cut {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// passes tells whether two addresses reach each other now.
func (n *network) passes(a, b string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.cut[[2]string{a, b}] && !n.cut[[2]string{b, a}]
}

func (n *network) isFrozen(addr string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.frozen[addr]
}

package master

import (
	"context"
	"log/slog"
	"sync"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/wire"
)

// notifier tells each live application's driver what concerns it. One goroutine an application (applink.go) holds the
// line to its driver, so that a driver that is slow or gone hinders nobody.
type notifier struct {
	log *slog.Logger
	new func(a *fsm.App, takeover bool) *appLink

	mu    sync.Mutex
	links map[uint64]*appLink // by App.Seq: an id may be given again while the link of its last bearer comes to its end
	wg    sync.WaitGroup
}

// adopt starts the links of the applications that live when a term begins: their drivers are told of the new master.
func (n *notifier) adopt(ctx context.Context, s *fsm.State) {
	for a := range s.Apps() {
		n.start(ctx, a, true)
	}
}

func (n *notifier) start(ctx context.Context, a *fsm.App, takeover bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.links[a.Seq]; ok {
		return
	}
	l := n.new(a, takeover)
	n.links[a.Seq] = l
	n.wg.Go(func() {
		l.run(ctx)
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.links, a.Seq)
	})
}

// handle carries one event to the drivers that it concerns.
func (n *notifier) handle(ctx context.Context, ev fsm.Event) {
	switch ev.Kind {
	case fsm.AppChanged:
		n.start(ctx, ev.App, false)
	case fsm.AppRegisteredAgain, fsm.ExecutorPlaced, fsm.ExecutorChanged, fsm.AppEnded:
		n.put(ev.App.Seq, ev)
	case fsm.WorkerGone:
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, l := range n.links {
			l.box.put(ev)
		}
	}
}

func (n *notifier) put(appSeq uint64, ev fsm.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l, ok := n.links[appSeq]; ok {
		l.box.put(ev)
	}
}

// peerGone ends the line to a driver that goes through a connection to another master which has ended.
func (n *notifier) peerGone(addr wire.Address) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		if l.driver == addr {
			l.lostRelay()
		}
	}
}

package worker

import (
	"sync"

	"github.com/firesteel/firesteel/rpc/clusterpb"
)

// outbox holds what a session has still to send, in order. It has no bound: reports come from what runs, which is
// bounded, and a session that begins says everything in its Hello, so what waited until then is dropped.
type outbox struct {
	mu    sync.Mutex
	items []*clusterpb.WorkerMessage
	wake  chan struct{}
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

func (o *outbox) put(m *clusterpb.WorkerMessage) {
	o.mu.Lock()
	o.items = append(o.items, m)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take gives what is there, without waiting; wake signals when to look again.
func (o *outbox) take() []*clusterpb.WorkerMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.items
	o.items = nil
	return out
}

package master

import (
	"context"
	"sync"
)

// mailbox is a queue without a bound between a duty and the goroutine that speaks to one peer: a slow peer must not hold
// up the others, and its queue ends with its connection or the term.
type mailbox[T any] struct {
	mu    sync.Mutex
	items []T
	wake  chan struct{}
}

func newMailbox[T any]() *mailbox[T] { return &mailbox[T]{wake: make(chan struct{}, 1)} }

func (b *mailbox[T]) put(v T) {
	b.mu.Lock()
	b.items = append(b.items, v)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take waits for items and gives all of them. ok is false when ctx or done has ended: what is in the box stays there.
func (b *mailbox[T]) take(ctx context.Context, done <-chan struct{}) (items []T, ok bool) {
	for ctx.Err() == nil && !closed(done) {
		b.mu.Lock()
		items, b.items = b.items, nil
		b.mu.Unlock()
		if len(items) > 0 {
			return items, true
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
		case <-done:
		}
	}
	return nil, false
}

package fsm

import (
	"context"
	"sync"
)

// Subscription gives the events that follow a state, in log order, without loss. It buffers without a bound, since the
// state machine must never wait for a duty; its reader is a duty of the leader that ends with its term.
type Subscription struct {
	m     *Machine
	mu    sync.Mutex
	state *State
	queue []Event
	wake  chan struct{}
}

// Subscribe gives the present state and every event after it.
func (m *Machine) Subscribe() (*State, *Subscription) {
	s := &Subscription{m: m, wake: make(chan struct{}, 1)}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.state = m.state.Load()
	m.subs[s] = struct{}{}
	return s.state, s
}

func (s *Subscription) push(st *State, events []Event) {
	s.mu.Lock()
	s.state = st
	s.queue = append(s.queue, events...)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Next waits for a change of the state and gives the events since the last call (there may be none) and the state after
// them.
func (s *Subscription) Next(ctx context.Context) (*State, []Event, error) {
	select {
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-s.wake:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.queue
	s.queue = nil
	return s.state, events, nil
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	delete(s.m.subs, s)
}

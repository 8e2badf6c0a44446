package master

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/firesteel/firesteel/rpc/clusterpb"
)

// ackLine writes down what was acknowledged.
type ackLine struct{ got []uint64 }

func (l *ackLine) send(m *clusterpb.MasterMessage) {
	l.got = append(l.got, m.GetHeartbeatAck().GetSequence())
}

// No heartbeat is acknowledged by a confirmation that had begun before it came, nor without one.
func TestHeartbeatsAreAcknowledgedByWhoLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		asked, answer := make(chan struct{}), make(chan error)
		a := newAcks(func(ctx context.Context) error {
			select {
			case asked <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			return <-answer
		})
		over := make(chan struct{})
		go func() { defer close(over); a.run(ctx) }()
		l := &ackLine{}
		beat := func(n uint64) { a.box.put(pendingAck{l, n}) }
		told := func(what string, want ...uint64) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(l.got, want) {
				t.Errorf("%s: acknowledged %v, want %v", what, l.got, want)
			}
		}
		beat(1)
		<-asked
		beat(2)
		told("not confirmed yet")
		answer <- nil
		told("the one that came before the question", 1)
		<-asked
		answer <- errors.New("another one leads")
		told("not by who leads no more", 1)
		beat(3)
		beat(4)
		<-asked
		answer <- nil
		told("both at once", 1, 3, 4)
		cancel()
		<-over
	})
}

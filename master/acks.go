package master

import (
	"context"
	"time"

	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/rpc/clusterpb"
)

// acks answers the heartbeats of workers, whose supervised drivers live by the answers. A leader that was stopped or cut off
// may read, when it wakes, what workers have sent long after others took over, and before it learns of them. So it has its
// lead confirmed after a heartbeat has come, and before it is acknowledged: whoever leads later counts its waits
// (lease.Hold) from after that.
type acks struct {
	box *mailbox[pendingAck]
	// confirm asks a majority whether this master leads in this term.
	confirm func(ctx context.Context) error
}

type pendingAck struct {
	line interface {
		send(*clusterpb.MasterMessage)
	}
	sequence uint64
}

const (
	// ackPause bounds how often the lead is confirmed, for the heartbeats of all workers together.
	ackPause = 200 * time.Millisecond
	// confirmLimit bounds one confirmation.
	confirmLimit = 2 * time.Second
)

func newAcks(confirm func(ctx context.Context) error) *acks {
	return &acks{box: newMailbox[pendingAck](), confirm: confirm}
}

// heartbeat takes one that has just come.
func (a *acks) heartbeat(line *goLine, sequence uint64) { a.box.put(pendingAck{line, sequence}) }

// run acknowledges until the term ends. What cannot be confirmed is not acknowledged at all: the next heartbeat covers it.
func (a *acks) run(ctx context.Context) {
	for {
		come, ok := a.box.take(ctx, nil)
		if !ok {
			return
		}
		if a.confirmed(ctx) {
			for _, p := range come {
				p.line.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_HeartbeatAck{HeartbeatAck: &clusterpb.HeartbeatAck{Sequence: p.sequence}}})
			}
		}
		if !delay.For(ctx, ackPause) {
			return
		}
	}
}

func (a *acks) confirmed(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, confirmLimit)
	defer cancel()
	return a.confirm(ctx) == nil
}

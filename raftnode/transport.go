package raftnode

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// peerTransport is what the node needs of a transport: raft's own, with pre-vote and Close.
type peerTransport interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
}

// transport wraps another one: it holds outgoing appends back while the gate is shut, and it can hand the node an RPC of
// its own making.
type transport struct {
	peerTransport
	gate  *gate
	space *space       // nil: there is always some
	mute  *atomic.Bool // no vote is given or asked for: see Node.Joining
	rpcs  chan raft.RPC
	stop  chan struct{}
	once  sync.Once
	done  sync.WaitGroup

	confirmed confirmations
}

var _ peerTransport = (*transport)(nil)

func newTransport(inner peerTransport, gate *gate) *transport {
	return newMuteTransport(inner, gate, nil, new(atomic.Bool))
}

func newMuteTransport(inner peerTransport, gate *gate, space *space, mute *atomic.Bool) *transport {
	t := &transport{peerTransport: inner, gate: gate, space: space, mute: mute, rpcs: make(chan raft.RPC), stop: make(chan struct{})}
	t.done.Go(t.relay)
	return t
}

// relay moves what peers send to the channel that raft reads.
func (t *transport) relay() {
	for {
		select {
		case rpc := <-t.peerTransport.Consumer():
			if t.mute.Load() && refuseVote(rpc) || t.space.declines(rpc) {
				continue
			}
			select {
			case t.rpcs <- rpc:
			case <-t.stop:
				return
			}
		case <-t.stop:
			return
		}
	}
}

// Consumer implements raft.Transport.
func (t *transport) Consumer() <-chan raft.RPC { return t.rpcs }

// Close implements raft.WithClose.
func (t *transport) Close() error {
	t.once.Do(func() { close(t.stop) })
	err := t.peerTransport.Close()
	t.done.Wait()
	return err
}

// AppendEntriesPipeline implements raft.Transport. Pipelining is off: a pipeline sends keep-alives of its own past the
// gate, and it costs latency under load (hashicorp/raft pull request 541).
func (t *transport) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// AppendEntries implements raft.Transport; heartbeats are appends too.
func (t *transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if t.gate.isShut() {
		return fmt.Errorf("%w: not telling %s that this node leads", ErrStalled, id)
	}
	sent := t.confirmed.mark()
	err := t.peerTransport.AppendEntries(id, target, args, resp)
	if err == nil && resp.Term == args.Term {
		t.confirmed.answered(id, args.Term, sent)
	}
	return err
}

// RequestVote implements raft.Transport.
func (t *transport) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	if t.mute.Load() {
		return errNotAdmitted
	}
	return t.peerTransport.RequestVote(id, target, args, resp)
}

// RequestPreVote implements raft.WithPreVote.
func (t *transport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if t.mute.Load() {
		return errNotAdmitted
	}
	if err := t.space.reluctant(); err != nil {
		return err
	}
	return t.peerTransport.RequestPreVote(id, target, args, resp)
}

// InstallSnapshot implements raft.Transport; a follower takes it for a sign of its leader as well.
func (t *transport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	if t.gate.isShut() {
		return fmt.Errorf("%w: not sending a snapshot to %s", ErrStalled, id)
	}
	return t.peerTransport.InstallSnapshot(id, target, args, resp, data)
}

// timeoutNow makes this node a candidate at once, as the message of a planned leadership transfer does.
func (t *transport) timeoutNow(ctx context.Context) error {
	if err := t.space.refusal(); err != nil {
		return err
	}
	return t.tell(ctx, &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}})
}

// tell gives raft an RPC as if a peer had sent it, and waits for its answer.
func (t *transport) tell(ctx context.Context, request any) error {
	answer := make(chan raft.RPCResponse, 1)
	select {
	case t.rpcs <- raft.RPC{Command: request, RespChan: answer}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.stop:
		return ErrClosed
	}
	select {
	case a := <-answer:
		return a.Error
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.stop:
		return ErrClosed
	}
}

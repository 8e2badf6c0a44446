package master

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/raftnode"
	"github.com/firesteel/firesteel/rpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// forwarder carries a follower's commands to the leader. Raft and gRPC share a port, so the leader's Raft address is
// where it takes commands.
type forwarder struct{ pool *rpc.Pool }

var _ raftnode.Forwarder = forwarder{}

func (f forwarder) Forward(ctx context.Context, _, leaderAddr string, cmd []byte) ([]byte, uint64, error) {
	result, index, err := f.pool.Propose(ctx, leaderAddr, cmd)
	return result, index, retryable(err)
}

func (f forwarder) ReadIndex(ctx context.Context, _, leaderAddr string) (uint64, error) {
	index, err := f.pool.ReadIndex(ctx, leaderAddr)
	return index, retryable(err)
}

// retryable sorts the errors of a call to another master: what may be tried again is marked so.
func retryable(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := rpc.NotLeader(err); ok {
		return fmt.Errorf("%w: %w", raftnode.ErrNotLeader, err)
	}
	if s := status.Convert(err); s.Code() == codes.ResourceExhausted && strings.Contains(s.Message(), raftnode.ErrNoSpace.Error()) {
		return noSpace{err}
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unimplemented, codes.ResourceExhausted:
		return err
	}
	return fmt.Errorf("%w: %w", raftnode.ErrUnavailable, err)
}

// noSpace is raftnode.ErrNoSpace as the leader has told it.
type noSpace struct{ error }

func (noSpace) Is(target error) bool { return target == raftnode.ErrNoSpace }

// served is what this master does for other masters.
type served struct{ m *Master }

var _ rpc.Master = served{}

func (s served) ApplyLocal(ctx context.Context, cmd []byte) ([]byte, uint64, error) {
	// A command that cannot be decoded would stop every master, so it must not reach the log.
	if err := fsm.Check(cmd); err != nil {
		return nil, 0, status.Error(codes.InvalidArgument, err.Error())
	}
	result, index, err := s.m.node.ApplyLocal(ctx, cmd)
	return result, index, s.hint(err)
}

func (s served) ReadIndex(ctx context.Context) (uint64, error) {
	index, err := s.m.node.ReadIndex(ctx)
	return index, s.hint(err)
}

func (s served) hint(err error) error {
	if errors.Is(err, raftnode.ErrNotLeader) {
		return s.m.notLeader()
	}
	if errors.Is(err, raftnode.ErrNoSpace) {
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	return err
}

func (s served) Promise(_ context.Context, p rpc.Proposal) error {
	proposal := raftnode.Proposal{Proposer: p.Proposer, Expect: p.Expect}
	for _, c := range p.Servers {
		proposal.Servers = append(proposal.Servers, raftnode.Server{ID: c.ID, Addr: c.RaftAddress, Voter: true})
	}
	return s.m.bootstrap.HandlePromise(proposal)
}

func (s served) Relay(_ context.Context, peer rpc.SparkAddress, endpoint string, payloads [][]byte) error {
	p, ok := s.m.peers.findForRelay(wireAddress(peer.Host, peer.Port))
	if !ok || closed(p.Done()) {
		return rpc.ErrNoPeer
	}
	for _, payload := range payloads {
		if err := p.SendPayload(endpoint, payload); err != nil {
			return fmt.Errorf("%w: %w", rpc.ErrNoPeer, err)
		}
	}
	return nil
}

func (s served) PeerGone(_ context.Context, peer rpc.SparkAddress) error {
	if d := s.m.duties.Load(); d != nil {
		d.notify.peerGone(wireAddress(peer.Host, peer.Port))
	}
	return nil
}

// promiser asks other masters for their promise.
type promiser struct{ pool *rpc.Pool }

var _ raftnode.Promiser = promiser{}

func (p promiser) Promise(ctx context.Context, to raftnode.Candidate, proposal raftnode.Proposal) error {
	out := rpc.Proposal{Proposer: proposal.Proposer, Expect: proposal.Expect}
	for _, s := range proposal.Servers {
		out.Servers = append(out.Servers, rpc.Candidate{ID: s.ID, RaftAddress: s.Addr})
	}
	return p.pool.Promise(ctx, to.RPCAddr, out)
}

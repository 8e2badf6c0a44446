package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/raftnode"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// quorum is what this master does for other masters and for operators about the masters themselves.
type quorum struct {
	clusterpb.UnimplementedQuorumServer
	m *Master
}

var _ clusterpb.QuorumServer = quorum{}

// errNoHealth: a leader has not looked yet, which it does within its first second.
var errNoHealth = status.Error(codes.Unavailable, "the leader has only begun and has not looked at the masters yet: ask again")

// Standing implements clusterpb.QuorumServer.
func (q quorum) Standing(ctx context.Context, r *clusterpb.StandingRequest) (*clusterpb.StandingReply, error) {
	index, err := q.m.node.ReadIndex(ctx)
	if err != nil {
		return nil, q.m.quorumStatus(err)
	}
	s := q.m.fsm.State()
	return &clusterpb.StandingReply{ClusterId: s.ClusterID(), Member: q.m.isMember(r.GetId()), Removed: s.MasterRemoved(r.GetId()), Index: index}, nil
}

// Position implements clusterpb.QuorumServer.
func (q quorum) Position(_ context.Context, r *clusterpb.PositionRequest) (*clusterpb.PositionReply, error) {
	if own := q.m.node.ClusterID(); r.GetId() != q.m.cfg.ID || own != "" && r.GetClusterId() != own {
		return nil, status.Errorf(codes.FailedPrecondition, "this is master %s of cluster %q, not %s of %q", q.m.cfg.ID, own, r.GetId(), r.GetClusterId())
	}
	p, err := q.m.node.Position()
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &clusterpb.PositionReply{LastContactMs: p.LastContact.Milliseconds() - negative(p.LastContact), LastTerm: p.LastTerm, LastIndex: p.LastIndex}, nil
}

// negative keeps a time below zero below zero when it is rounded to milliseconds.
func negative(d time.Duration) int64 {
	if d < 0 {
		return 1
	}
	return 0
}

// askPosition asks another master how far it is.
func (m *Master) askPosition(ctx context.Context, s raftnode.Server) (raftnode.Position, error) {
	c, err := m.pool.Quorum(s.Addr)
	if err != nil {
		return raftnode.Position{}, err
	}
	r, err := c.Position(ctx, &clusterpb.PositionRequest{Id: s.ID, ClusterId: m.fsm.State().ClusterID()})
	if err != nil {
		return raftnode.Position{}, fmt.Errorf("ask %s at %s for its position: %w", s.ID, s.Addr, err)
	}
	return raftnode.Position{LastContact: time.Duration(r.GetLastContactMs()) * time.Millisecond, LastTerm: r.GetLastTerm(), LastIndex: r.GetLastIndex()}, nil
}

// autopilot are the settings as the state has them, for the leader's autopilot.
func (m *Master) autopilot() raftnode.AutopilotSettings {
	a := m.fsm.State().Autopilot()
	return raftnode.AutopilotSettings{
		Voters: a.Voters, Off: a.Off,
		Stabilization: time.Duration(a.StabilizationMs) * time.Millisecond, DeadAfter: time.Duration(a.DeadAfterMs) * time.Millisecond,
	}
}

// ListMasters implements clusterpb.QuorumServer.
func (q quorum) ListMasters(ctx context.Context, r *clusterpb.ListMastersRequest) (*clusterpb.ListMastersReply, error) {
	d := q.m.duties.Load()
	if d == nil {
		return atLeader(ctx, q.m, r.GetHere(), func(c clusterpb.QuorumClient) (*clusterpb.ListMastersReply, error) {
			return c.ListMasters(ctx, &clusterpb.ListMastersRequest{Here: true})
		})
	}
	h, ok := d.pilot.Health()
	if !ok {
		return nil, errNoHealth
	}
	out := &clusterpb.ListMastersReply{
		ClusterId: q.m.fsm.State().ClusterID(), LeaderId: q.m.cfg.ID, Term: d.term,
		Healthy: h.Healthy, FailureTolerance: int32(h.FailureTolerance), Voters: int32(h.Voters),
	}
	for _, s := range h.Servers {
		out.Masters = append(out.Masters, &clusterpb.MasterMember{
			Id: s.ID, RaftAddress: s.Addr, Voter: s.Voter, Leader: s.Leader, Healthy: s.Healthy, SinceMs: s.Since.UnixMilli(),
			LastContactMs: s.LastContact.Milliseconds() - negative(s.LastContact), LastTerm: s.LastTerm, LastIndex: s.LastIndex, Lag: s.Lag, Problem: s.Problem,
		})
	}
	return out, nil
}

// RemoveMaster implements clusterpb.QuorumServer.
func (q quorum) RemoveMaster(ctx context.Context, r *clusterpb.RemoveMasterRequest) (*clusterpb.RemoveMasterReply, error) {
	id := r.GetId()
	forward := func(c clusterpb.QuorumClient) (*clusterpb.RemoveMasterReply, error) {
		return c.RemoveMaster(ctx, &clusterpb.RemoveMasterRequest{Id: id, Force: r.GetForce(), Here: true})
	}
	d := q.m.duties.Load()
	if d == nil {
		return atLeader(ctx, q.m, r.GetHere(), forward)
	}
	if !q.m.isMember(id) {
		if q.m.fsm.State().MasterRemoved(id) {
			return &clusterpb.RemoveMasterReply{}, nil // a repetition
		}
		return nil, status.Errorf(codes.NotFound, "%s is not a member of the quorum", id)
	}
	h, ok := d.pilot.Health()
	if !ok {
		return nil, errNoHealth
	}
	if !r.GetForce() {
		if err := cmp.Or(h.Without(id), d.pilot.Confirm(ctx, id)); err != nil {
			return nil, status.Error(codes.FailedPrecondition, err.Error())
		}
	}
	if id == q.m.cfg.ID { // a leader that takes itself out could not see it done
		if _, err := q.TransferLeadership(ctx, &clusterpb.TransferLeadershipRequest{Here: true}); err != nil {
			return nil, err
		}
		return atLeader(ctx, q.m, false, forward)
	}
	q.m.log.Warn("an operator takes a master out of the quorum", "id", id, "force", r.GetForce())
	if _, err := proposeHere[none](ctx, q.m, &fsm.RemoveMaster{ID: id, At: now()}); err != nil {
		return nil, q.m.quorumStatus(err)
	}
	if err := q.m.node.RemoveServer(ctx, id); err != nil {
		return nil, q.m.quorumStatus(err)
	}
	return &clusterpb.RemoveMasterReply{}, nil
}

// TransferLeadership implements clusterpb.QuorumServer.
func (q quorum) TransferLeadership(ctx context.Context, r *clusterpb.TransferLeadershipRequest) (*clusterpb.TransferLeadershipReply, error) {
	if q.m.duties.Load() == nil {
		return atLeader(ctx, q.m, r.GetHere(), func(c clusterpb.QuorumClient) (*clusterpb.TransferLeadershipReply, error) {
			return c.TransferLeadership(ctx, &clusterpb.TransferLeadershipRequest{Id: r.GetId(), Here: true})
		})
	}
	servers := q.m.node.Servers()
	known := slices.ContainsFunc(servers, func(s raftnode.Server) bool { return s.ID == r.GetId() && s.Voter })
	var err error
	switch {
	case r.GetId() == q.m.cfg.ID:
		return &clusterpb.TransferLeadershipReply{LeaderId: q.m.cfg.ID}, nil
	case r.GetId() == "":
		err = q.m.node.TransferLeadership(ctx)
	case !known:
		return nil, status.Errorf(codes.NotFound, "%s is not a voter of the quorum", r.GetId())
	default:
		err = q.m.node.TransferLeadershipTo(ctx, r.GetId())
	}
	if err != nil {
		return nil, q.m.quorumStatus(err)
	}
	for {
		changed := q.m.node.Watch()
		if id := q.m.node.LeaderID(); id != "" && id != q.m.cfg.ID {
			return &clusterpb.TransferLeadershipReply{LeaderId: id}, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

// GetAutopilot implements clusterpb.QuorumServer.
func (q quorum) GetAutopilot(ctx context.Context, _ *clusterpb.GetAutopilotRequest) (*clusterpb.AutopilotReply, error) {
	if _, err := q.m.node.ReadBarrier(ctx); err != nil {
		return nil, q.m.quorumStatus(err)
	}
	a := q.m.fsm.State().Autopilot()
	return &clusterpb.AutopilotReply{Settings: &clusterpb.AutopilotSettings{
		Voters: int32(a.Voters), StabilizationMs: a.StabilizationMs, DeadAfterMs: a.DeadAfterMs, Off: a.Off,
	}}, nil
}

// SetAutopilot implements clusterpb.QuorumServer.
func (q quorum) SetAutopilot(ctx context.Context, r *clusterpb.SetAutopilotRequest) (*clusterpb.AutopilotReply, error) {
	s := r.GetSettings()
	_, err := propose[none](ctx, q.m, &fsm.SetAutopilot{Autopilot: fsm.Autopilot{
		Voters: int(s.GetVoters()), StabilizationMs: s.GetStabilizationMs(), DeadAfterMs: s.GetDeadAfterMs(), Off: s.GetOff(),
	}})
	var refusal *fsm.Refusal
	if errors.As(err, &refusal) {
		return nil, status.Error(codes.InvalidArgument, refusal.Error())
	}
	if err != nil {
		return nil, q.m.quorumStatus(err)
	}
	q.m.log.Info("an operator has set the autopilot", "settings", s)
	return q.GetAutopilot(ctx, nil)
}

// atLeader has the leader answer, unless the answer was wanted here.
func atLeader[R any](ctx context.Context, m *Master, here bool, call func(clusterpb.QuorumClient) (R, error)) (R, error) {
	var none R
	addr, ok := m.rpcAddress(m.node.LeaderID())
	if here || !ok || m.node.LeaderID() == m.cfg.ID {
		return none, m.notLeader().GRPCStatus().Err()
	}
	c, err := m.pool.Quorum(addr)
	if err != nil {
		return none, err
	}
	return call(c)
}

// quorumStatus keeps what a caller decides by.
func (m *Master) quorumStatus(err error) error {
	switch {
	case errors.Is(err, raftnode.ErrNotLeader):
		return m.notLeader().GRPCStatus().Err()
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	}
	return status.Error(codes.Unavailable, err.Error())
}

// isMember tells whether a master is part of the Raft configuration.
func (m *Master) isMember(id string) bool {
	return slices.ContainsFunc(m.node.Servers(), func(s raftnode.Server) bool { return s.ID == id })
}

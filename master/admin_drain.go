package master

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
)

// UndrainWorker implements clusterpb.AdminServer. A worker that counts as dead, and was drained, comes back undrained.
func (a admin) UndrainWorker(ctx context.Context, r *clusterpb.UndrainWorkerRequest) (*clusterpb.UndrainWorkerReply, error) {
	_, err := propose[none](ctx, a.m, &fsm.RecommissionWorker{ID: r.GetId(), At: now()})
	switch {
	case fsm.RefusalCode(err) == fsm.CodeInvalid:
		return nil, status.Error(codes.FailedPrecondition, refusalText(err))
	case err != nil:
		return nil, a.m.adminStatus(err)
	}
	a.m.log.Info("an operator undrains a worker", "worker", r.GetId())
	return &clusterpb.UndrainWorkerReply{}, nil
}

package rpc

import (
	"errors"
	"fmt"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// NotLeaderError says that the asked master does not lead, and who does as far as it knows.
type NotLeaderError struct {
	LeaderID  string // empty: nobody that it knows
	LeaderRPC string // host:port of the leader's gRPC
	Term      uint64
}

func (e *NotLeaderError) Error() string {
	if e.LeaderID == "" {
		return "this master does not lead, and knows of no leader"
	}
	return fmt.Sprintf("this master does not lead; %s does, at %s", e.LeaderID, e.LeaderRPC)
}

// GRPCStatus makes it a status with NotLeader as detail.
func (e *NotLeaderError) GRPCStatus() *status.Status {
	s := status.New(codes.FailedPrecondition, e.Error())
	if d, err := s.WithDetails(&clusterpb.NotLeader{LeaderId: e.LeaderID, LeaderRpcAddress: e.LeaderRPC, Term: e.Term}); err == nil {
		return d
	}
	return s
}

// NotLeader finds a NotLeaderError in an error that came from a call or from this side.
func NotLeader(err error) (*NotLeaderError, bool) {
	var own *NotLeaderError
	if errors.As(err, &own) {
		return own, true
	}
	for _, d := range status.Convert(err).Details() {
		if n, ok := d.(*clusterpb.NotLeader); ok {
			return &NotLeaderError{LeaderID: n.GetLeaderId(), LeaderRPC: n.GetLeaderRpcAddress(), Term: n.GetTerm()}, true
		}
	}
	return nil, false
}

// ErrNoPeer is answered to a Relay for a Spark peer that has no connection here.
var ErrNoPeer = errors.New("rpc: the Spark peer has no connection to this master")

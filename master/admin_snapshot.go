package master

import (
	"bufio"
	"time"

	"github.com/firesteel/firesteel/internal/snapfile"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// snapshotPiece is how much of a snapshot travels in one message.
const snapshotPiece = 256 << 10

// SaveSnapshot implements clusterpb.AdminServer. The state is immutable, so the cluster goes on while it is written.
func (a admin) SaveSnapshot(r *clusterpb.SaveSnapshotRequest, stream grpc.ServerStreamingServer[clusterpb.SaveSnapshotReply]) error {
	s, err := a.read(stream.Context(), r.GetStale())
	if err != nil {
		return err
	}
	if s.ClusterID() == "" {
		return status.Error(codes.FailedPrecondition, "this master belongs to no cluster yet: there is nothing to save")
	}
	meta := snapfile.Meta{ClusterID: s.ClusterID(), Index: s.Index(), Term: s.Term(), SavedMS: time.Now().UnixMilli(), SavedBy: a.m.cfg.ID}
	w := bufio.NewWriterSize(pieces{stream}, snapshotPiece)
	if err := snapfile.Write(w, meta, s); err != nil {
		return err
	}
	return w.Flush()
}

// pieces sends what is written.
type pieces struct {
	stream grpc.ServerStreamingServer[clusterpb.SaveSnapshotReply]
}

func (p pieces) Write(b []byte) (int, error) {
	if err := p.stream.Send(&clusterpb.SaveSnapshotReply{Piece: b}); err != nil {
		return 0, err
	}
	return len(b), nil
}

package master

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/snapfile"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// restoreTries is how often a restore is begun: a change of the leader in between makes it begin again.
const restoreTries = 5

// dropStaged gives up a restore that has begun to come under another leader. Whoever brings it begins again.
func (m *Master) dropStaged(ctx context.Context) error {
	if m.fsm.State().RestoreStaged() == "" {
		return nil
	}
	if _, err := proposeHere[none](ctx, m, &fsm.StageRestore{}); err != nil {
		return fmt.Errorf("give up a restore: %w", err)
	}
	return nil
}

type restoreStream = grpc.ClientStreamingServer[clusterpb.RestoreSnapshotRequest, clusterpb.RestoreSnapshotReply]

// RestoreSnapshot implements clusterpb.AdminServer. The file is read and checked here to its last byte before anything of it
// goes to the log.
func (a admin) RestoreSnapshot(stream restoreStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	opts := first.GetOptions()
	if opts == nil {
		return status.Error(codes.InvalidArgument, "the first message says how to restore")
	}
	f, err := snapfile.Read(&uploaded{stream: stream})
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	s, err := a.read(stream.Context(), false)
	if err != nil {
		return err
	}
	if own := s.ClusterID(); f.ClusterID != own && !opts.GetForeign() {
		return status.Errorf(codes.FailedPrecondition, "this is a snapshot of cluster %s, and this is cluster %s: say so if it is meant (--foreign)", f.ClusterID, own)
	}
	if !opts.GetConfirmed() {
		return stream.SendAndClose(&clusterpb.RestoreSnapshotReply{})
	}
	a.m.log.Warn("an operator restores a snapshot", "cluster", f.ClusterID, "index", f.Index, "saved", time.UnixMilli(f.SavedMS), "keep", opts.GetKeep())
	done, index, err := a.restore(stream.Context(), f.State, opts)
	if err != nil {
		return a.m.adminStatus(err)
	}
	a.m.log.Warn("the snapshot was restored", "index", index, "added and ended", fmt.Sprintf("%+v", done))
	return stream.SendAndClose(&clusterpb.RestoreSnapshotReply{
		Index: index, Workers: int32(done.Workers), Apps: int32(done.Apps), Drivers: int32(done.Drivers), EndedApps: int32(done.EndedApps), EndedDrivers: int32(done.EndedDrivers),
		CompletedApps: int32(done.CompletedApps), CompletedDrivers: int32(done.CompletedDrivers),
	})
}

// uploaded is the file that a client sends.
type uploaded struct {
	stream restoreStream
	rest   []byte
}

func (u *uploaded) Read(b []byte) (int, error) {
	for len(u.rest) == 0 {
		m, err := u.stream.Recv()
		if err != nil {
			return 0, err // io.EOF at its end
		}
		u.rest = m.GetPiece()
	}
	n := copy(b, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

var _ io.Reader = (*uploaded)(nil)

// restore brings a state to the log, and begins again where a change of the leader has given up what was there of it.
func (a admin) restore(ctx context.Context, s *fsm.State, opts *clusterpb.RestoreOptions) (done fsm.StateRestored, index uint64, err error) {
	var raw bytes.Buffer
	if err := s.Write(&raw); err != nil {
		return done, 0, err
	}
	for range restoreTries {
		id := rand.Text() // two masters may be asked at once; and a refusal is remembered with its request
		if err = a.stage(ctx, id, raw.Bytes()); err == nil {
			sum := sha256.Sum256(raw.Bytes())
			cmd := &fsm.RestoreState{
				ID: id, Size: int64(raw.Len()), SHA256: sum[:], At: now(), Keep: opts.GetKeep(),
				RetainedApps: a.m.cfg.Spark.RetainedApplications, RetainedDrivers: a.m.cfg.Spark.RetainedDrivers,
			}
			var result []byte
			result, index, err = a.m.node.Propose(ctx, fsm.Encode(cmd, id))
			done, err = decided[fsm.StateRestored](cmd)(result, index, err)
		}
		if fsm.RefusalCode(err) != fsm.CodeInvalid {
			break
		}
	}
	return done, index, err
}

// stage brings the pieces, one after the other: a leader must not be kept from its other work.
func (a admin) stage(ctx context.Context, id string, raw []byte) error {
	at := int64(0)
	for piece := range slices.Chunk(raw, snapshotPiece) {
		if _, err := propose[none](ctx, a.m, &fsm.StageRestore{ID: id, Offset: at, Data: piece}); err != nil {
			return err
		}
		at += int64(len(piece))
	}
	return nil
}

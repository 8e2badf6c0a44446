package rpc

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/firesteel/firesteel/rpc/clusterpb"
)

// anyMaster answers everything.
type anyMaster struct{}

func (anyMaster) ApplyLocal(_ context.Context, cmd []byte) ([]byte, uint64, error) {
	return cmd, 1, nil
}
func (anyMaster) ReadIndex(context.Context) (uint64, error)                   { return 1, nil }
func (anyMaster) Promise(context.Context, Proposal) error                     { return nil }
func (anyMaster) Relay(context.Context, SparkAddress, string, [][]byte) error { return ErrNoPeer }
func (anyMaster) PeerGone(context.Context, SparkAddress) error                { return nil }

// FuzzMasters: whatever bytes come as a request of another master, it is answered or refused.
func FuzzMasters(f *testing.F) {
	for _, m := range []proto.Message{
		&clusterpb.ProposeRequest{Command: []byte("c")}, &clusterpb.ReadIndexRequest{},
		&clusterpb.PromiseRequest{Bootstrapper: "m1", Expect: 3, Servers: []*clusterpb.Server{{Id: "m1", RaftAddress: "h:1"}}},
		&clusterpb.RelayRequest{Peer: &clusterpb.SparkAddress{Host: "h", Port: 1}, Endpoint: "e", Payloads: [][]byte{{1}}},
		&clusterpb.PeerGoneRequest{Peer: &clusterpb.SparkAddress{Host: "h"}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &masters{m: anyMaster{}}
		ctx := context.Background()
		serve(b, func(r *clusterpb.ProposeRequest) { _, _ = s.Propose(ctx, r) })
		serve(b, func(r *clusterpb.ReadIndexRequest) { _, _ = s.ReadIndex(ctx, r) })
		serve(b, func(r *clusterpb.PromiseRequest) { _, _ = s.Promise(ctx, r) })
		serve(b, func(r *clusterpb.RelayRequest) { _, _ = s.Relay(ctx, r) })
		serve(b, func(r *clusterpb.PeerGoneRequest) { _, _ = s.PeerGone(ctx, r) })
	})
}

// serve calls handle with the request that the bytes are, if they are one.
func serve[R any, P interface {
	*R
	proto.Message
}](b []byte, handle func(P)) {
	if r := P(new(R)); proto.Unmarshal(b, r) == nil {
		handle(r)
	}
}

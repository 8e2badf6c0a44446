package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// SparkAddress is where a Spark peer says that its own server listens.
type SparkAddress struct {
	Host string
	Port int
}

// Proposal is a first configuration that a master wants to begin with.
type Proposal struct {
	Proposer string
	Expect   int
	Servers  []Candidate
}

// Candidate is a server of a first configuration.
type Candidate struct {
	ID          string
	RaftAddress string
}

// Master is what a server needs of the master it serves for.
type Master interface {
	// ApplyLocal puts a command into the log; a *NotLeaderError where this master does not lead.
	ApplyLocal(ctx context.Context, cmd []byte) (result []byte, index uint64, err error)
	// ReadIndex gives the index that a linearizable read must wait for; a *NotLeaderError as above.
	ReadIndex(ctx context.Context) (uint64, error)
	// Promise binds this master to one first configuration for a while.
	Promise(ctx context.Context, p Proposal) error
	// Relay sends one-way messages over a connection that a Spark peer opened to this master; ErrNoPeer if there is none.
	Relay(ctx context.Context, peer SparkAddress, endpoint string, payloads [][]byte) error
	// PeerGone takes note that a Spark peer's connection to another master has ended.
	PeerGone(ctx context.Context, peer SparkAddress) error
}

// ServerConfig of a Server.
type ServerConfig struct {
	Master  Master
	Workers clusterpb.WorkersServer
	Quorum  clusterpb.QuorumServer // nil: not served

	SecondOpinion clusterpb.SecondOpinionServer // nil: not served
	Admin         clusterpb.AdminServer         // nil: not served
}

// Server serves a master's gRPC port.
type Server struct {
	grpc *grpc.Server
	done chan struct{} // nil until Serve; closed when serving has ended
	err  error         // why; set before done is closed
}

// maxMessage bounds one message, in bytes: an application's description is the largest thing that travels.
const maxMessage = 64 << 20

// NewServer makes a server; Serve starts it.
func NewServer(cfg ServerConfig) *Server {
	s := &Server{grpc: grpc.NewServer(
		grpc.WaitForHandlers(true), grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 15 * time.Second, Timeout: 5 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)}
	clusterpb.RegisterMastersServer(s.grpc, &masters{m: cfg.Master})
	clusterpb.RegisterWorkersServer(s.grpc, cfg.Workers)
	if cfg.Quorum != nil {
		clusterpb.RegisterQuorumServer(s.grpc, cfg.Quorum)
	}
	if cfg.SecondOpinion != nil {
		clusterpb.RegisterSecondOpinionServer(s.grpc, cfg.SecondOpinion)
	}
	if cfg.Admin != nil {
		clusterpb.RegisterAdminServer(s.grpc, cfg.Admin)
	}
	return s
}

// Serve takes connections until Close. It is called once.
func (s *Server) Serve(ln net.Listener) {
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		s.err = s.grpc.Serve(ln)
	}()
}

// Close ends every call by its context, sessions too, which never end by themselves, and waits for the handlers.
func (s *Server) Close() error {
	s.grpc.Stop()
	if s.done == nil {
		return nil
	}
	<-s.done
	if s.err != nil && !errors.Is(s.err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve gRPC: %w", s.err)
	}
	return nil
}

type masters struct {
	clusterpb.UnimplementedMastersServer
	m Master
}

func (s *masters) Propose(ctx context.Context, r *clusterpb.ProposeRequest) (*clusterpb.ProposeReply, error) {
	result, index, err := s.m.ApplyLocal(ctx, r.GetCommand())
	if err != nil {
		return nil, asStatus(err)
	}
	return &clusterpb.ProposeReply{Result: result, Index: index}, nil
}

func (s *masters) ReadIndex(ctx context.Context, _ *clusterpb.ReadIndexRequest) (*clusterpb.ReadIndexReply, error) {
	index, err := s.m.ReadIndex(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	return &clusterpb.ReadIndexReply{Index: index}, nil
}

func (s *masters) Promise(ctx context.Context, r *clusterpb.PromiseRequest) (*clusterpb.PromiseReply, error) {
	p := Proposal{Proposer: r.GetBootstrapper(), Expect: int(r.GetExpect())}
	for _, c := range r.GetServers() {
		p.Servers = append(p.Servers, Candidate{ID: c.GetId(), RaftAddress: c.GetRaftAddress()})
	}
	if err := s.m.Promise(ctx, p); err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &clusterpb.PromiseReply{}, nil
}

func (s *masters) Relay(ctx context.Context, r *clusterpb.RelayRequest) (*clusterpb.RelayReply, error) {
	if err := s.m.Relay(ctx, address(r.GetPeer()), r.GetEndpoint(), r.GetPayloads()); err != nil {
		return nil, asStatus(err)
	}
	return &clusterpb.RelayReply{}, nil
}

func (s *masters) PeerGone(ctx context.Context, r *clusterpb.PeerGoneRequest) (*clusterpb.PeerGoneReply, error) {
	if err := s.m.PeerGone(ctx, address(r.GetPeer())); err != nil {
		return nil, asStatus(err)
	}
	return &clusterpb.PeerGoneReply{}, nil
}

func address(a *clusterpb.SparkAddress) SparkAddress {
	return SparkAddress{Host: a.GetHost(), Port: int(a.GetPort())}
}

// asStatus keeps what a caller decides by: not the leader, no such peer, out of time; the rest is UNAVAILABLE, which
// means "unknown, ask again".
func asStatus(err error) error {
	n, notLeader := NotLeader(err) // also one that came from a further master
	switch {
	case notLeader:
		return n.GRPCStatus().Err()
	case errors.Is(err, ErrNoPeer):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	}
	return status.Error(codes.Unavailable, err.Error())
}

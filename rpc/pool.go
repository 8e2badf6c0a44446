package rpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// Pool keeps one connection for each address that it calls.
type Pool struct {
	mu     sync.Mutex
	conns  map[string]*grpc.ClientConn
	closed bool
}

// NewPool makes an empty pool.
func NewPool() *Pool { return &Pool{conns: map[string]*grpc.ClientConn{}} }

var errPoolClosed = errors.New("rpc: the connections are closed")

// A restarted master must be reachable at once, so redials back off by fractions of a second only.
var dialOptions = []grpc.DialOption{
	grpc.WithTransportCredentials(insecure.NewCredentials()),
	grpc.WithNoProxy(), // HTTPS_PROXY is for the world outside
	grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond},
		MinConnectTimeout: time.Second,
	}),
	grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}),
	grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
}

// NewConn makes a connection with the options that everything in a cluster uses.
func NewConn(addr string) (*grpc.ClientConn, error) {
	c, err := grpc.NewClient("passthrough:///"+addr, dialOptions...)
	if err != nil {
		return nil, fmt.Errorf("prepare a connection to %s: %w", addr, err)
	}
	return c, nil
}

func (p *Pool) masters(addr string) (clusterpb.MastersClient, error) {
	c, err := p.conn(addr)
	if err != nil {
		return nil, err
	}
	return clusterpb.NewMastersClient(c), nil
}

// Quorum speaks to the master at addr about the masters.
func (p *Pool) Quorum(addr string) (clusterpb.QuorumClient, error) {
	c, err := p.conn(addr)
	if err != nil {
		return nil, err
	}
	return clusterpb.NewQuorumClient(c), nil
}

// Reach asks the master at addr which of these workers answer it, each within timeout.
func (p *Pool) Reach(ctx context.Context, addr string, workerIDs []string, timeout time.Duration) (answering []string, err error) {
	c, err := p.conn(addr)
	if err != nil {
		return nil, err
	}
	r, err := clusterpb.NewSecondOpinionClient(c).Reach(ctx, &clusterpb.ReachRequest{WorkerIds: workerIDs, TimeoutMs: uint32(timeout.Milliseconds())})
	if err != nil {
		return nil, fmt.Errorf("ask %s which workers answer it: %w", addr, err)
	}
	return r.GetAnswering(), nil
}

func (p *Pool) conn(addr string) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errPoolClosed
	}
	c, ok := p.conns[addr]
	if !ok {
		var err error
		if c, err = NewConn(addr); err != nil {
			return nil, err
		}
		p.conns[addr] = c
	}
	return c, nil
}

// Close ends all connections.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// Propose forwards a command to the master at addr.
func (p *Pool) Propose(ctx context.Context, addr string, cmd []byte) ([]byte, uint64, error) {
	c, err := p.masters(addr)
	if err != nil {
		return nil, 0, err
	}
	r, err := c.Propose(ctx, &clusterpb.ProposeRequest{Command: cmd})
	if err != nil {
		return nil, 0, fmt.Errorf("forward a command to %s: %w", addr, err)
	}
	return r.GetResult(), r.GetIndex(), nil
}

// ReadIndex asks the master at addr for its read index.
func (p *Pool) ReadIndex(ctx context.Context, addr string) (uint64, error) {
	c, err := p.masters(addr)
	if err != nil {
		return 0, err
	}
	r, err := c.ReadIndex(ctx, &clusterpb.ReadIndexRequest{})
	if err != nil {
		return 0, fmt.Errorf("ask %s for its read index: %w", addr, err)
	}
	return r.GetIndex(), nil
}

// Promise asks the master at addr for its promise.
func (p *Pool) Promise(ctx context.Context, addr string, proposal Proposal) error {
	c, err := p.masters(addr)
	if err != nil {
		return err
	}
	req := &clusterpb.PromiseRequest{Bootstrapper: proposal.Proposer, Expect: int32(proposal.Expect)}
	for _, s := range proposal.Servers {
		req.Servers = append(req.Servers, &clusterpb.Server{Id: s.ID, RaftAddress: s.RaftAddress})
	}
	if _, err := c.Promise(ctx, req); err != nil {
		return fmt.Errorf("ask %s for its promise: %w", addr, err)
	}
	return nil
}

// Relay asks the master at addr to send messages to a Spark peer; ErrNoPeer where the peer has no connection there.
func (p *Pool) Relay(ctx context.Context, addr string, peer SparkAddress, endpoint string, payloads [][]byte) error {
	c, err := p.masters(addr)
	if err != nil {
		return err
	}
	_, err = c.Relay(ctx, &clusterpb.RelayRequest{
		Peer: &clusterpb.SparkAddress{Host: peer.Host, Port: int32(peer.Port)}, Endpoint: endpoint, Payloads: payloads,
	})
	if status.Code(err) == codes.NotFound {
		return fmt.Errorf("relay through %s: %w", addr, ErrNoPeer)
	}
	if err != nil {
		return fmt.Errorf("relay through %s: %w", addr, err)
	}
	return nil
}

// PeerGone tells the master at addr that a Spark peer's connection has ended here.
func (p *Pool) PeerGone(ctx context.Context, addr string, peer SparkAddress) error {
	c, err := p.masters(addr)
	if err != nil {
		return err
	}
	if _, err := c.PeerGone(ctx, &clusterpb.PeerGoneRequest{Peer: &clusterpb.SparkAddress{Host: peer.Host, Port: int32(peer.Port)}}); err != nil {
		return fmt.Errorf("tell %s of a lost peer: %w", addr, err)
	}
	return nil
}

package submit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// RPC is one process of Spark's submission client: it has an address, by which its submission is known.
type RPC struct {
	env   *rpcenv.Env
	table *releases.Table
}

// endpointName is what Spark calls the client's endpoint; masters ask it for its release.
const endpointName = "client"

// NewRPC makes a client that speaks as the newest release of our tables does.
func NewRPC() (*RPC, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a submission client: %w", err)
	}
	tables := releases.Tables()
	c := &RPC{table: tables[len(tables)-1]}
	c.env = rpcenv.New(rpcenv.Config{
		Address:   wire.Address{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port},
		Endpoints: map[string]rpcenv.Endpoint{endpointName: silent{}}, ProbeSUID: c.table.Newest().ProbeSUID, Logger: simapp.Silent,
	})
	c.env.Serve(ln)
	return c, nil
}

// Close ends it.
func (c *RPC) Close() error { return c.env.Close() }

type silent struct{}

func (silent) Receive(*rpcenv.Peer, messages.Message) {}
func (silent) ReceiveAndReply(*rpcenv.Peer, messages.Message) (messages.Message, error) {
	return nil, simapp.ErrNoAsks
}

// Submit asks all masters, host:port, at once, as Spark's client does, and gives the ids of those that took the driver: all
// must be the same. Masters that cannot be reached, break the connection or are without a leader give none.
func (c *RPC) Submit(ctx context.Context, masters []string, d Driver) (ids []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	var errs []error
	for _, m := range masters {
		all.Go(func() {
			id, err := c.ask(ctx, m, d)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				ids = append(ids, id)
			} else {
				errs = append(errs, fmt.Errorf("%s: %w", m, err))
			}
		})
	}
	all.Wait()
	if len(ids) == 0 {
		return nil, errors.Join(errs...)
	}
	return ids, nil
}

func (c *RPC) ask(ctx context.Context, master string, d Driver) (id string, err error) {
	p, err := simapp.DialMaster(ctx, c.env, c.table, master)
	if err != nil {
		return "", err
	}
	defer p.Close()
	answer, err := p.Ask(ctx, "Master", &messages.RequestSubmitDriver{Driver: d.description()})
	if err != nil {
		return "", err
	}
	a, ok := answer.(*messages.SubmitDriverResponse)
	if !ok {
		return "", fmt.Errorf("a submission was answered with %s", answer.ClassName())
	}
	if !a.Success {
		return "", Answer{Message: a.Message}.failure("submit")
	}
	return a.DriverID, nil
}

// SurelyRPC submits a driver from one client until some master has taken it, and gives all answers of that time and how many
// times it asked.
func SurelyRPC(ctx context.Context, masters []string, d Driver) (ids []string, attempts int, err error) {
	c, err := NewRPC()
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	for attempts = 1; ; attempts++ {
		ids, err := c.Submit(ctx, masters, d)
		if err == nil || errors.Is(err, ErrRefused) {
			return ids, attempts, err
		}
		if !delay.For(ctx, retryAfter) {
			return nil, attempts, fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		}
	}
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
)

const (
	// hedgeAfter is how long a master may think before the next one is asked too. A connection that does not come about is
	// given up by itself after a second.
	hedgeAfter = 1500 * time.Millisecond
	// roundPause lies between two rounds over all masters.
	roundPause = 250 * time.Millisecond
)

// errNoMaster is the cause where no master gave an answer.
var errNoMaster = errors.New("no master could answer")

// client asks the masters of a cluster.
type client struct {
	timeout time.Duration

	mu      sync.Mutex
	masters []string // host:port, the one that answered last first
	conns   map[string]*grpc.ClientConn
}

// connect makes a client of a command's flags. It dials when something is asked.
func connect(c *cli.Context) (*client, error) {
	timeout := set(c, "timeout").Duration("timeout")
	if timeout <= 0 {
		return nil, usage.Errorf(c, "--timeout %s: give a time above 0, such as 15s", timeout)
	}
	masters, err := parseAddresses(set(c, "address").String("address"))
	if err != nil {
		return nil, usage.Errorf(c, "--address: %v", err)
	}
	return &client{timeout: timeout, masters: masters, conns: map[string]*grpc.ClientConn{}}, nil
}

// patientTimeout is for what may take long: a large state over a slow line.
const patientTimeout = 10 * time.Minute

// patient raises the client's patience, unless the command line has set it.
func (c *client) patient(cc *cli.Context) {
	if from := set(cc, "timeout"); !from.IsSet("timeout") {
		c.timeout = patientTimeout
	}
}

func parseAddresses(list string) ([]string, error) {
	var out []string
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if strings.Contains(part, "://") {
			return nil, fmt.Errorf("%q: give host:port of a master's gRPC (%s), not a URL", part, defaultPort)
		}
		host, port, err := net.SplitHostPort(part)
		if err != nil {
			host, port = strings.Trim(part, "[]"), defaultPort
		}
		if host == "" || port == "" {
			return nil, fmt.Errorf("%q is no host:port", part)
		}
		if addr := net.JoinHostPort(host, port); !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out, nil
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
}

func (c *client) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.masters)
}

// prefer has a master asked first from now on.
func (c *client) prefer(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.masters = append([]string{addr}, slices.DeleteFunc(c.masters, func(m string) bool { return m == addr })...)
}

// avoid has a master asked last from now on.
func (c *client) avoid(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.masters = append(slices.DeleteFunc(c.masters, func(m string) bool { return m == addr }), addr)
}

// learn adds the masters that the asked ones know, for what takes long: the ones that were named may die meanwhile.
func (c *client) learn(ctx context.Context) {
	s, err := ask(ctx, c, func(ctx context.Context, m master) (*clusterpb.ClusterStatusReply, error) {
		return m.admin.Status(ctx, &clusterpb.ClusterStatusRequest{Stale: true})
	})
	if err != nil {
		return // it will show in what comes next
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range s.GetMasters() {
		if m.GetRpc() != "" && m.GetMember() && !slices.Contains(c.masters, m.GetRpc()) {
			c.masters = append(c.masters, m.GetRpc())
		}
	}
}

// master is one that is asked.
type master struct {
	addr   string
	conn   *grpc.ClientConn
	admin  clusterpb.AdminClient
	quorum clusterpb.QuorumClient
}

func (c *client) master(addr string) (master, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn, ok := c.conns[addr]
	if !ok {
		var err error
		if conn, err = rpc.NewConn(addr); err != nil {
			return master{}, err
		}
		c.conns[addr] = conn
	}
	return master{addr, conn, clusterpb.NewAdminClient(conn), clusterpb.NewQuorumClient(conn)}, nil
}

// failure is why one master gave no answer.
type failure struct {
	addr        string
	err         error
	unreachable bool // there was no connection
}

func (f *failure) Error() string { return f.addr + ": " + oneLine(f.err) }
func (f *failure) Unwrap() error { return f.err }

// final tells whether an error is an answer, which another master would give as well.
func final(err error) bool {
	if _, notLeader := rpc.NotLeader(err); notLeader {
		return false
	}
	switch codeOf(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unimplemented, codes.ResourceExhausted, codes.Aborted, codes.Internal, codes.Unknown:
		return false
	}
	return true
}

// ask asks one master after the other, and the next one too where one takes long, until one answers: with a result, or with a
// refusal that would be any master's. So what is asked must do no harm when it is done twice.
func ask[R any](ctx context.Context, c *client, f func(context.Context, master) (R, error)) (R, error) {
	return inTurn(ctx, c, hedgeAfter, f)
}

// askOnce is ask for what must not be done twice: a master that takes long is waited for.
func askOnce[R any](ctx context.Context, c *client, f func(context.Context, master) (R, error)) (R, error) {
	return inTurn(ctx, c, c.timeout, f)
}

func inTurn[R any](ctx context.Context, c *client, hedge time.Duration, f func(context.Context, master) (R, error)) (R, error) {
	var none R
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for {
		result, failed, err := round(bounded, c, hedge, f)
		if err == nil || final(err) {
			return result, err
		}
		if ctx.Err() != nil {
			return none, ctx.Err()
		}
		unreachable := !slices.ContainsFunc(failed, func(f *failure) bool { return !f.unreachable })
		if bounded.Err() != nil || unreachable {
			return none, noMaster(failed, bounded.Err() != nil && !unreachable, c.timeout)
		}
		select {
		case <-time.After(roundPause):
		case <-bounded.Done():
			return none, noMaster(failed, true, c.timeout)
		}
	}
}

func noMaster(failed []*failure, late bool, timeout time.Duration) error {
	var texts []string
	for _, f := range failed {
		texts = append(texts, f.Error())
	}
	within := ""
	if late {
		within = fmt.Sprintf(" within %s", timeout)
	}
	return fmt.Errorf("%w%s: %s; check --address, and ask with --stale where there is no leader", errNoMaster, within, strings.Join(texts, "; "))
}

// round asks each master once. err is nil, or the refusal of one, or the failure of the last.
func round[R any](ctx context.Context, c *client, hedge time.Duration, f func(context.Context, master) (R, error)) (result R, failed []*failure, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		result R
		failure
	}
	masters := c.list()
	answers := make(chan answer, len(masters))
	next, waiting := 0, 0
	start := func() {
		addr := masters[next]
		next, waiting = next+1, waiting+1
		go func() {
			result, err := call(ctx, c, addr, f)
			answers <- answer{result, failure{addr, err, errors.Is(err, errUnreachable)}}
		}()
	}
	start()
	for {
		timer := time.NewTimer(hedge)
		select {
		case a := <-answers:
			timer.Stop()
			waiting--
			if a.err == nil || final(a.err) {
				c.prefer(a.addr)
				return a.result, nil, a.err
			}
			failed, err = append(failed, &a.failure), a.err
			if next < len(masters) {
				start()
			} else if waiting == 0 {
				return result, failed, err
			}
		case <-timer.C:
			if next < len(masters) {
				start()
			}
		case <-ctx.Done():
			timer.Stop()
			for _, addr := range masters[:next] {
				if !slices.ContainsFunc(failed, func(f *failure) bool { return f.addr == addr }) {
					failed = append(failed, &failure{addr: addr, err: errSilent})
				}
			}
			return result, failed, cmp.Or(err, ctx.Err())
		}
	}
}

var (
	errUnreachable = errors.New("cannot be reached")
	errSilent      = errors.New("has not answered")
)

func call[R any](ctx context.Context, c *client, addr string, f func(context.Context, master) (R, error)) (R, error) {
	m, err := c.master(addr)
	if err != nil {
		var none R
		return none, err
	}
	result, err := f(ctx, m)
	if codeOf(err) == codes.Unavailable && !ready(ctx, m.conn) && ctx.Err() == nil {
		return result, &unreachableError{err}
	}
	return result, err
}

// stateLag is how long a connection that has brought an answer may take to say that it is there: gRPC uses a new one
// before it tells of it.
const stateLag = 100 * time.Millisecond

func ready(ctx context.Context, conn *grpc.ClientConn) bool {
	ctx, cancel := context.WithTimeout(ctx, stateLag)
	defer cancel()
	for {
		s := conn.GetState()
		if s != connectivity.Connecting || !conn.WaitForStateChange(ctx, s) {
			return s == connectivity.Ready
		}
	}
}

// unreachableError says that there was no connection, or that it broke.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string      { return oneLine(e.err) }
func (e *unreachableError) Unwrap() error      { return e.err }
func (*unreachableError) Is(target error) bool { return target == errUnreachable }

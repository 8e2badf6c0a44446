package virtual

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// dice is a source of chance for many goroutines.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newDice(seed int64) *dice { return &dice{rng: rand.New(rand.NewSource(seed))} }

func (d *dice) int63n(n int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.Int63n(n)
}

func (d *dice) intn(n int) int                     { return int(d.int63n(int64(n))) }
func (d *dice) oneIn(n int) bool                   { return d.intn(n) == 0 }
func (d *dice) upTo(t time.Duration) time.Duration { return time.Duration(d.int63n(int64(t) + 1)) }

// network connects the masters. What cannot pass waits, as TCP repeats it, for as long as its sender does, and now and then
// longer: a message may arrive after its sender has given up.
type network struct {
	dice *dice

	mu      sync.Mutex
	cut     map[[2]string]bool // from, to
	frozen  map[string]bool
	procs   map[string]*process // by address; only those that run
	slowest time.Duration       // a message takes up to this
	spike   int                 // one in so many messages is lost once and repeated later; 0: none
	changed chan struct{}       // closes on each change of the above
}

const normalLatency = 2 * time.Millisecond

func newNetwork(dice *dice) *network {
	return &network{
		dice: dice, cut: map[[2]string]bool{}, frozen: map[string]bool{}, procs: map[string]*process{}, slowest: normalLatency,
		changed: make(chan struct{}),
	}
}

// change applies a change and wakes all that wait.
func (n *network) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *network) setCut(from, to string, cut bool) {
	n.change(func() { n.cut[[2]string{from, to}] = cut })
}

// heal mends every cable. It does not thaw.
func (n *network) heal() {
	n.change(func() { clear(n.cut); n.slowest, n.spike = normalLatency, 0 })
}

// thawed waits until the master is not frozen, or for the end of ctx.
func (n *network) thawed(ctx context.Context, addr string) error {
	for {
		n.mu.Lock()
		frozen, changed := n.frozen[addr], n.changed
		n.mu.Unlock()
		if !frozen {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

var (
	errRefused = errors.New("connection refused")
	errReset   = errors.New("connection reset")
	errTimeout = errors.New("i/o timeout")
)

// travel takes a message of a process to an address; what has left a process arrives even if that freezes. It returns the process that runs there, or errRefused where none
// does, or the cause of ctx.
func (n *network) travel(ctx context.Context, from *process, to string) (*process, error) {
	n.mu.Lock()
	delay := n.dice.upTo(n.slowest)
	if n.spike > 0 && n.dice.oneIn(n.spike) {
		delay += 200 * time.Millisecond // the first repetition of TCP
	}
	n.mu.Unlock()
	if err := rest(ctx, delay); err != nil {
		return nil, err
	}
	for {
		n.mu.Lock()
		blocked, changed, target := n.cut[[2]string{from.addr, to}] || n.frozen[to], n.changed, n.procs[to]
		n.mu.Unlock()
		switch {
		case from.dead():
			return nil, errReset
		case target == nil && !blocked:
			return nil, errRefused
		case !blocked:
			return target, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		// What has waited comes in any order, beside what the awakened do of themselves.
		if err := rest(ctx, n.dice.upTo(normalLatency)); err != nil {
			return nil, err
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 { // and a timer that is due at once crashes Go 1.26 in a bubble under the race detector, now and then
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// transport is one process's end of the network (raftnode.Transport).
type transport struct {
	net      *network
	self     *process
	timeout  time.Duration
	consumer chan raft.RPC

	mu        sync.Mutex
	heartbeat func(raft.RPC)
	closed    chan struct{}
	once      sync.Once
}

func newTransport(net *network, self *process, timeout time.Duration) *transport {
	return &transport{net: net, self: self, timeout: timeout, consumer: make(chan raft.RPC), closed: make(chan struct{})}
}

func (t *transport) Consumer() <-chan raft.RPC                               { return t.consumer }
func (t *transport) LocalAddr() raft.ServerAddress                           { return raft.ServerAddress(t.self.addr) }
func (t *transport) EncodePeer(_ raft.ServerID, a raft.ServerAddress) []byte { return []byte(a) }
func (t *transport) DecodePeer(b []byte) raft.ServerAddress                  { return raft.ServerAddress(b) }
func (t *transport) Close() error                                            { t.once.Do(func() { close(t.closed) }); return nil }
func (t *transport) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

func (t *transport) SetHeartbeatHandler(cb func(raft.RPC)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heartbeat = cb
}

func (t *transport) AppendEntries(_ raft.ServerID, to raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	t.self.master.ledger.claims(string(args.Addr), args.Term)
	sent := *args
	sent.Entries = copies(args.Entries)
	return call(t, to, &sent, resp, t.timeout, nil)
}

func (t *transport) RequestVote(_ raft.ServerID, to raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	sent := *args
	return call(t, to, &sent, resp, t.timeout, nil)
}

func (t *transport) RequestPreVote(_ raft.ServerID, to raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	sent := *args
	return call(t, to, &sent, resp, t.timeout, nil)
}

func (t *transport) TimeoutNow(_ raft.ServerID, to raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	sent := *args
	return call(t, to, &sent, resp, t.timeout, nil)
}

func (t *transport) InstallSnapshot(_ raft.ServerID, to raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	t.self.master.ledger.claims(string(args.Addr), args.Term)
	all, err := io.ReadAll(data)
	if err != nil {
		return err
	}
	sent := *args
	return call(t, to, &sent, resp, 4*t.timeout, all)
}

// call makes one call. A process that freezes meanwhile finds, when it wakes, whatever has arrived for it.
func call[R any](t *transport, to raft.ServerAddress, command any, resp *R, timeout time.Duration, data []byte) error {
	t.self.awake()
	ctx, cancel := context.WithTimeoutCause(context.Background(), timeout, errTimeout)
	defer cancel()
	defer t.self.awake()
	target, err := t.net.travel(ctx, t.self, string(to))
	if errors.Is(err, errTimeout) && data == nil && t.net.dice.oneIn(2) {
		go t.late(string(to), command)
	}
	if err != nil {
		return fmt.Errorf("call %s: %w", to, err)
	}
	answers := make(chan raft.RPCResponse, 1)
	rpc := raft.RPC{Command: command, RespChan: answers}
	if data != nil {
		rpc.Reader = &stream{t: t, to: target, data: bytes.NewReader(data)}
	}
	if err := target.trans.take(ctx, rpc); err != nil {
		return fmt.Errorf("call %s: %w", to, err)
	}
	var answer raft.RPCResponse
	select {
	case answer = <-answers:
	case <-target.gone:
		return fmt.Errorf("call %s: %w", to, errReset)
	case <-ctx.Done():
		return fmt.Errorf("call %s: %w", to, context.Cause(ctx))
	}
	if _, err := t.net.travel(ctx, target, t.self.addr); err != nil {
		return fmt.Errorf("answer of %s: %w", to, err)
	}
	if answer.Error != nil {
		return answer.Error
	}
	*resp = *answer.Response.(*R)
	return nil
}

// late brings a message whose sender has given up, if the way opens within a while. Nobody reads the answer.
func (t *transport) late(to string, command any) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), 10*time.Second, errTimeout)
	defer cancel()
	target, err := t.net.travel(ctx, t.self, to)
	if err != nil {
		return
	}
	_ = target.trans.take(ctx, raft.RPC{Command: command, RespChan: make(chan raft.RPCResponse, 1)}) // nobody waits
}

// take hands an arriving message to raft: heartbeats on a way of their own, as raft's network transport does.
func (t *transport) take(ctx context.Context, rpc raft.RPC) error {
	t.mu.Lock()
	heartbeat := t.heartbeat
	t.mu.Unlock()
	if a, ok := rpc.Command.(*raft.AppendEntriesRequest); ok && heartbeat != nil && a.Term != 0 && a.PrevLogEntry == 0 && a.PrevLogTerm == 0 && len(a.Entries) == 0 && a.LeaderCommitIndex == 0 {
		go heartbeat(rpc)
		return nil
	}
	select {
	case t.consumer <- rpc:
		return nil
	case <-t.self.gone:
		return errReset
	case <-t.closed:
		return errReset
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stream is a snapshot on its way: it breaks off where the way is cut.
type stream struct {
	t    *transport
	to   *process
	data *bytes.Reader
}

func (s *stream) Read(p []byte) (int, error) {
	s.t.net.mu.Lock()
	cut := s.t.net.cut[[2]string{s.t.self.addr, s.to.addr}]
	s.t.net.mu.Unlock()
	if cut || s.t.self.dead() {
		return 0, io.ErrUnexpectedEOF
	}
	return s.data.Read(p[:min(len(p), 8<<10)])
}

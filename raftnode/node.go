package raftnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	// transferTimeout bounds the handover of leadership in Close.
	transferTimeout = 2 * time.Second
	// drainTimeout bounds the wait for raft's answers in Close.
	drainTimeout = 2 * time.Second
	// shutdownTimeout bounds Close while the disk does not answer.
	shutdownTimeout = 10 * time.Second
)

// Node is one member of the group. Its methods may be called from any goroutine.
type Node struct {
	cfg     Config
	log     *slog.Logger
	raft    *raft.Raft
	trans   *transport
	stream  *streamLayer // nil in tests without sockets
	store   io.Closer
	gate    *gate
	space   *space      // nil: not watched
	mute    atomic.Bool // see Joining
	applied *progress
	batch   *batcher
	reads   readRounds
	futures futures
	view    *leaderView

	notify chan bool // raft's leadership changes
	ready  atomic.Pointer[readyTerm]

	watching   atomic.Value // string: the address of the process the death watch is connected to
	deathCalls atomic.Uint64
	silence    silence

	identityMu sync.Mutex
	identity   identity

	spaceDone chan struct{} // closes when space is not looked at any more; nil if it never was

	ctx    context.Context // ends when Close begins to stop things
	cancel context.CancelCauseFunc
	close  sync.Once
	closed error
	tasks  sync.WaitGroup
}

// Open starts the node. It neither bootstraps nor joins: a node with an empty log waits for a leader to send it one, or for
// Bootstrap. ctx bounds the start only.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	logger := raftLogger(cfg.Logger)
	store, own, err := openStorage(&cfg, logger)
	if err != nil {
		return nil, err
	}
	stream, err := openStream(&cfg)
	if err != nil {
		return nil, errors.Join(err, store.closer.Close())
	}
	network := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: stream, MaxPool: 3, MaxRPCsInFlight: 1, Timeout: cfg.Profile.RPC, Logger: logger,
	})
	n, err := start(cfg, parts{storage: *store, transport: network, stream: stream, identity: own, logger: logger})
	if err != nil {
		return nil, errors.Join(err, network.Close(), store.closer.Close())
	}
	return n, nil
}

func openStream(cfg *Config) (*streamLayer, error) {
	if cfg.Listener != nil {
		return newStream(cfg.Listener, cfg.Advertise)
	}
	return listenStream(cfg.Bind, cfg.Advertise)
}

// parts are what a node is put together from; tests bring their own.
type parts struct {
	storage
	transport peerTransport
	stream    *streamLayer
	identity  identity
	logger    hclog.Logger
}

func start(cfg Config, p parts) (*Node, error) {
	n := &Node{
		cfg: cfg, log: cfg.Logger, stream: p.stream, store: p.closer, identity: p.identity,
		applied: &progress{}, view: newLeaderView(), notify: make(chan bool),
	}
	n.ctx, n.cancel = context.WithCancelCause(context.Background())
	n.gate = newGate(cfg.StallLimit, cfg.FatalStall, func(stalled time.Duration) {
		cfg.Fatal(fmt.Errorf("%w: a write to %s has been in flight for %s; check the disk, then restart", ErrStalled, cfg.DataDir, stalled.Round(time.Millisecond)))
	})
	n.space, n.gate.excuse = p.space, p.space.waits
	n.mute.Store(p.identity.Joining)
	n.trans = newMuteTransport(p.transport, n.gate, n.space, &n.mute)
	if p.guard != nil {
		p.guard.bind(n.ctx, cfg.Fatal)
	}
	if cfg.wrapLogs != nil {
		p.logs = cfg.wrapLogs(p.logs)
	}
	logs, err := raft.NewLogCache(logCacheEntries, &gatedLogs{p.logs, n.gate})
	if err != nil {
		return nil, err
	}
	machine := &fsm{machine: cfg.Machine, applied: n.applied, fatal: cfg.Fatal}
	n.raft, err = raft.NewRaft(n.raftConfig(p.logger), machine, logs, &gatedStable{p.stable, n.gate}, p.snaps, n.trans)
	if err != nil {
		n.cancel(ErrClosed)
		return nil, errors.Join(fmt.Errorf("start raft node %s: %w", cfg.ID, err), n.trans.Close())
	}
	n.batch = newBatcher(cfg.MaxBatchCommands, cfg.MaxBatchBytes, &n.futures, n.ctx.Done(), func(entry []byte) raft.ApplyFuture { return n.raft.Apply(entry, 0) })
	n.tasks.Go(func() { n.batch.run(n.ctx) })
	n.tasks.Go(n.followLeader)
	n.tasks.Go(n.superviseLead)
	if n.space != nil {
		n.spaceDone = make(chan struct{})
		go n.watchSpace()
	}
	if n.stream != nil && !cfg.NoDeathWatch {
		n.stream.silent.Store(&n.silence)
		n.tasks.Go(n.watchLeader)
		n.tasks.Go(n.watchSilence)
	}
	return n, nil
}

func (n *Node) raftConfig(logger hclog.Logger) *raft.Config {
	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(n.cfg.ID)
	conf.HeartbeatTimeout = n.cfg.Profile.Heartbeat
	conf.ElectionTimeout = n.cfg.Profile.Election
	conf.LeaderLeaseTimeout = n.cfg.Profile.Lease
	conf.CommitTimeout = n.cfg.Profile.Commit
	conf.SnapshotThreshold = n.cfg.SnapshotThreshold
	conf.SnapshotInterval = n.cfg.SnapshotInterval
	conf.TrailingLogs = n.cfg.TrailingLogs
	conf.ShutdownOnRemove = false // a removed member stays up, so that it can say so
	conf.NotifyCh = n.notify
	conf.NoLegacyTelemetry = true
	conf.Logger = logger
	return conf
}

// Close gives leadership away if this node leads (within 2 s), waits for Lead to return, and stops. It is idempotent.
func (n *Node) Close() error {
	n.close.Do(func() {
		n.handOver()
		n.closed = n.shutdown()
	})
	return n.closed
}

func (n *Node) handOver() {
	if n.raft.State() != raft.Leader || len(n.voters()) < 2 || n.gate.isShut() {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, transferTimeout)
	defer cancel()
	if err := n.TransferLeadership(ctx); err != nil {
		n.log.Warn("closing without handing leadership over; the others will elect", "error", err)
	}
}

// shutdown stops everything, from the duties down to the disk.
func (n *Node) shutdown() error {
	n.cancel(ErrClosed)
	n.futures.drain(drainTimeout)
	down := n.raft.Shutdown()
	_ = n.trans.Close() // first, since raft waits for calls to peers that may not answer
	n.tasks.Wait()      // among them the goroutine that waits for Lead
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := new(futures).await(ctx, given(down)); err != nil {
		// Closing the store would wait for the same write that hangs.
		return fmt.Errorf("raft node %s did not stop within %s: %w", n.cfg.ID, shutdownTimeout, err)
	}
	if n.spaceDone != nil {
		select {
		case <-n.spaceDone:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s: its free space is still being looked at after %s", ErrStalled, n.cfg.DataDir, shutdownTimeout)
		}
	}
	if n.store == nil {
		return nil
	}
	return n.store.Close()
}

// ID returns the node's name.
func (n *Node) ID() string { return n.cfg.ID }

// Addr returns the address that the others dial.
func (n *Node) Addr() string { return string(n.trans.LocalAddr()) }

// ClusterID returns the cluster that the data directory belongs to; empty while unknown.
func (n *Node) ClusterID() string {
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	return n.identity.ClusterID
}

// SetClusterID records the cluster in the data directory, once it is known. ErrForeignDataDir says that another one is
// recorded already: this node must not go on.
func (n *Node) SetClusterID(id string) error {
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	return n.identity.adopt(n.cfg.DataDir, id)
}

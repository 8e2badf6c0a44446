package raftnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// promiseTTL is how long a node keeps to a promise. A failed proposal blocks its voters for that long.
	promiseTTL = 3 * time.Second
	// proposalTTL is how long a proposer may use the promises it got, counted from before it asked: less than promiseTTL, so
	// that no promise ends before the bootstrap that it allows.
	proposalTTL = 2 * time.Second
	// bootstrapInterval is how often candidates are looked at, jittered by half; a change makes it sooner.
	bootstrapInterval = 200 * time.Millisecond
)

// Refusals of a promise.
var (
	// ErrPromised says that this node has promised itself to another configuration.
	ErrPromised = errors.New("promised to another bootstrap")
	// ErrBadProposal says that a proposal does not fit this node: another expect count, or it is not among the servers.
	ErrBadProposal = errors.New("bootstrap proposal does not fit this node")
)

// Candidate is a master that might take part in a bootstrap, as gossip shows it.
type Candidate struct {
	ID      string
	Addr    string // Raft address
	RPCAddr string // where it answers Promise; not interpreted here
	Expect  int    // how many masters its operator expects; 0 means it never bootstraps
	// Bootstrapped says that it belongs to a cluster already.
	Bootstrapped bool
}

// Proposal is a configuration that a node wants to bootstrap.
type Proposal struct {
	Proposer string
	Expect   int
	Servers  []Server // sorted by id, all voters
}

// key identifies a configuration, whoever repeats it.
func (p Proposal) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d", p.Proposer, p.Expect)
	for _, s := range p.Servers {
		fmt.Fprintf(&b, " %q=%q", s.ID, s.Addr)
	}
	return b.String()
}

// Promiser asks another master for a promise; there, [Bootstrapper.HandlePromise] answers.
type Promiser interface {
	Promise(ctx context.Context, to Candidate, proposal Proposal) error
}

// BootstrapConfig describes a Bootstrapper. All but Changed and Logger are required.
type BootstrapConfig struct {
	Node     *Node
	Expect   int    // form a cluster when this many masters are seen; 0: never
	RPCAddr  string // of this node; not interpreted here
	Promiser Promiser
	// List returns the masters that seem alive; this node may be among them.
	List func() []Candidate
	// Changed, if given, delivers a value when List may have changed.
	Changed <-chan struct{}
	Logger  *slog.Logger
}

// Bootstrapper forms one cluster of masters that are started at once, in any order, with the same expect count.
//
// The lowest id among the first Expect masters proposes them as the configuration. It collects a promise from each, and a
// node promises itself to one configuration at a time; then it bootstraps only itself, and the others get the configuration
// by replication. Two configurations that share a node can therefore not both come up. Two that share none can: with fewer
// than twice Expect masters there are no such two.
type Bootstrapper struct {
	cfg BootstrapConfig

	mu      sync.Mutex
	formed  bool   // this node has bootstrapped a cluster
	promise string // key of the configuration promised to
	expires time.Time
}

// NewBootstrapper checks the configuration.
func NewBootstrapper(cfg BootstrapConfig) (*Bootstrapper, error) {
	if cfg.Node == nil || cfg.Promiser == nil || cfg.List == nil {
		return nil, errors.New("bootstrapper: node, promiser and list are required")
	}
	if cfg.Expect < 0 {
		return nil, fmt.Errorf("bootstrap expect count %d is negative", cfg.Expect)
	}
	setDefault(&cfg.Logger, slog.Default())
	return &Bootstrapper{cfg: cfg}, nil
}

// Run returns nil once this node belongs to a cluster, whoever formed it, or when Expect is 0; or the cause of ctx.
func (b *Bootstrapper) Run(ctx context.Context) error {
	if b.cfg.Expect == 0 {
		return nil
	}
	var last string
	for !b.cfg.Node.HasState() {
		err := b.round(ctx)
		if err != nil && err.Error() != last {
			last = err.Error()
			b.cfg.Logger.Info("not bootstrapping yet", "reason", last)
		}
		timer := time.NewTimer(bootstrapInterval/2 + rand.N(bootstrapInterval))
		select {
		case <-b.cfg.Node.Watch(): // a leader has found this node
		case <-b.cfg.Changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		timer.Stop()
	}
	return nil
}

// round tries once. The error says what is missing.
func (b *Bootstrapper) round(ctx context.Context) error {
	chosen, err := b.choose()
	if err != nil {
		return err
	}
	if chosen[0].ID != b.cfg.Node.ID() {
		return fmt.Errorf("waiting for %s, the lowest id, to propose", chosen[0].ID)
	}
	proposal := Proposal{Proposer: b.cfg.Node.ID(), Expect: b.cfg.Expect}
	for _, c := range chosen {
		proposal.Servers = append(proposal.Servers, Server{ID: c.ID, Addr: c.Addr, Voter: true})
	}
	ctx, cancel := context.WithTimeout(ctx, proposalTTL)
	defer cancel()
	if err := b.collect(ctx, chosen, proposal); err != nil {
		b.withdraw(proposal)
		return err
	}
	return b.bootstrap(ctx, proposal)
}

// withdraw frees this node from its promise to itself, since it will not use it.
func (b *Bootstrapper) withdraw(proposal Proposal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.promise == proposal.key() {
		b.promise = ""
	}
}

// choose returns the Expect masters with the lowest ids, or why there is nothing to choose.
func (b *Bootstrapper) choose() ([]Candidate, error) {
	own := Candidate{ID: b.cfg.Node.ID(), Addr: b.cfg.Node.Addr(), RPCAddr: b.cfg.RPCAddr, Expect: b.cfg.Expect}
	seen := []Candidate{own}
	for _, c := range b.cfg.List() {
		switch {
		case c.ID == own.ID:
		case c.Bootstrapped:
			return nil, fmt.Errorf("%s belongs to a cluster: waiting to be added to it", c.ID)
		case c.Expect == 0:
			// It waits to be added, so it takes no part.
		case c.Expect != own.Expect:
			return nil, fmt.Errorf("%s expects %d masters, this node %d: start them with the same --bootstrap-expect", c.ID, c.Expect, own.Expect)
		default:
			seen = append(seen, c)
		}
	}
	if len(seen) < own.Expect {
		return nil, fmt.Errorf("%d of %d masters seen", len(seen), own.Expect)
	}
	slices.SortFunc(seen, func(x, y Candidate) int { return strings.Compare(x.ID, y.ID) })
	for i := 1; i < len(seen); i++ {
		if seen[i].ID == seen[i-1].ID {
			return nil, fmt.Errorf("two masters have the id %s (at %s and %s)", seen[i].ID, seen[i-1].Addr, seen[i].Addr)
		}
	}
	return seen[:own.Expect], nil
}

// collect asks every chosen node, this one first, for its promise.
func (b *Bootstrapper) collect(ctx context.Context, chosen []Candidate, proposal Proposal) error {
	if err := b.HandlePromise(proposal); err != nil {
		return err
	}
	answers := make(chan error, len(chosen))
	for _, c := range chosen[1:] {
		go func() {
			err := b.cfg.Promiser.Promise(ctx, c, proposal)
			if err != nil {
				err = fmt.Errorf("%s gives no promise: %w", c.ID, err)
			}
			answers <- err
		}()
	}
	var errs []error
	for range chosen[1:] {
		errs = append(errs, <-answers)
	}
	return errors.Join(errs...)
}

// bootstrap uses the promises, if they are still fresh.
func (b *Bootstrapper) bootstrap(ctx context.Context, proposal Proposal) error {
	if ctx.Err() != nil {
		return fmt.Errorf("the promises took longer than %s", proposalTTL)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.promise != proposal.key() {
		return fmt.Errorf("%w meanwhile", ErrPromised)
	}
	if err := b.cfg.Node.Bootstrap(proposal.Servers); err != nil {
		return err
	}
	b.formed = true
	b.cfg.Logger.Info("bootstrapped a cluster", "servers", len(proposal.Servers))
	return nil
}

// HandlePromise answers another master's proposal: nil is a promise, for 3 s, to take part in no other. A refusal is
// ErrPromised, ErrAlreadyBootstrapped or ErrBadProposal.
func (b *Bootstrapper) HandlePromise(proposal Proposal) error {
	if b.cfg.Node.HasState() {
		return ErrAlreadyBootstrapped
	}
	if proposal.Expect != b.cfg.Expect || len(proposal.Servers) != b.cfg.Expect {
		return fmt.Errorf("%w: it has %d servers and expects %d, this node expects %d", ErrBadProposal, len(proposal.Servers), proposal.Expect, b.cfg.Expect)
	}
	own := Server{ID: b.cfg.Node.ID(), Addr: b.cfg.Node.Addr(), Voter: true}
	if !slices.Contains(proposal.Servers, own) {
		return fmt.Errorf("%w: %s at %s is not among its servers", ErrBadProposal, own.ID, own.Addr)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key := proposal.key()
	if b.promise != key && b.promise != "" && time.Now().Before(b.expires) {
		return fmt.Errorf("%w: %s", ErrPromised, b.promise)
	}
	if err := b.cfg.Node.endJoining(); err != nil { // nothing can have been forgotten: the cluster is only about to begin
		return err
	}
	b.promise, b.expires = key, time.Now().Add(promiseTTL)
	return nil
}

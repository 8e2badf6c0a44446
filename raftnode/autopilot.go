package raftnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

// Defaults of AutopilotSettings.
const (
	// DefaultStabilization is how long a spare must have been healthy before it may vote.
	DefaultStabilization = 10 * time.Second
	// DefaultDeadAfter is longer than the restart of a process or a small machine takes. It is not minutes, since little is
	// lost when a spare takes the place of a master that comes back: that one is the spare then.
	DefaultDeadAfter = 30 * time.Second
)

const (
	// pilotInterval is how often the leader asks every member for its position, and then decides.
	pilotInterval = time.Second
	// pilotPatience is how long a member that answered may not answer before it is not healthy.
	pilotPatience = 5 * pilotInterval / 2
	// pilotChangeTimeout bounds one change of the configuration.
	pilotChangeTimeout = 10 * time.Second
	// healthyLooks is how many looks ago the entries were written that a healthy member must hold: more than pilotPatience, and
	// so little that only those who are sent entries now are healthy. A number of entries would not do: raft waits up to 10 s
	// before it sends entries again to a member that was away, while heartbeats reach it, and one with an old log, which
	// does not know the present voters, would refuse them its vote.
	healthyLooks = 4
	// healthyContact, in heartbeat timeouts, is how long a member may not have heard of its leader.
	healthyContact = 4
	// leastVoters is what a quorum is never shrunk below by itself: two tolerate nothing.
	leastVoters = 3
)

// AutopilotSettings say what the quorum should be like. The leader asks for them again and again.
type AutopilotSettings struct {
	Voters        int           // how many members vote, odd; 0 leaves the number as it is. Further ones are spares.
	Stabilization time.Duration // 0: the default
	DeadAfter     time.Duration // how long a voter must have been unhealthy before a spare takes its place; 0: the default
	Off           bool          // watch, and change nothing
}

func (s *AutopilotSettings) setDefaults() {
	setDefault(&s.Stabilization, DefaultStabilization)
	setDefault(&s.DeadAfter, DefaultDeadAfter)
}

// Position is how far a member is, by its own account.
type Position struct {
	LastContact         time.Duration // since it last heard of a leader; negative: never
	LastTerm, LastIndex uint64        // of its newest log entry
}

// Health is a member as the leader sees it.
type Health struct {
	Server
	Position
	Leader  bool
	Healthy bool
	Since   time.Time // of Healthy's last change in this term
	Lag     uint64    // entries behind the leader
	Problem string    // why its position is not known; empty where it is
}

// QuorumHealth is all members, as seen at one moment.
type QuorumHealth struct {
	Healthy          bool // every member is
	FailureTolerance int  // voters that may fail now without loss of the quorum
	Voters           int  // wanted; 0: as many as there are
	Servers          []Health
}

// AutopilotConfig describes an Autopilot. All but Logger are required.
type AutopilotConfig struct {
	Node     *Node
	Settings func() AutopilotSettings
	// Ask asks another member for its position. It must refuse whoever answers at the address with another id or cluster.
	Ask    func(ctx context.Context, s Server) (Position, error)
	Logger *slog.Logger
}

// Autopilot keeps the quorum whole while its node leads: a member without a vote that is healthy for long enough gets one
// where it is needed, a voter that is dead for long enough gives its vote to a spare, and is forgotten when all is well
// again. What is done when, and in what order, is hashicorp's raft-autopilot; who votes is decided in plan.
type Autopilot struct {
	cfg   AutopilotConfig
	state atomic.Pointer[autopilot.State]

	mu      sync.Mutex
	silent  map[raft.ServerID]time.Time // since when a member has not answered
	heard   map[raft.ServerID]time.Time // when it answered last
	problem map[raft.ServerID]string
	written []uint64 // the newest entry at each of the last healthyLooks looks
}

// NewAutopilot makes an autopilot for one term; Run starts it.
func NewAutopilot(cfg AutopilotConfig) *Autopilot {
	setDefault(&cfg.Logger, slog.Default())
	return &Autopilot{
		cfg: cfg, silent: make(map[raft.ServerID]time.Time), heard: make(map[raft.ServerID]time.Time), problem: make(map[raft.ServerID]string),
	}
}

// Run works until ctx ends, and waits for what is under way.
func (a *Autopilot) Run(ctx context.Context) {
	pilot := autopilot.New(&pilotRaft{a.cfg.Node, ctx}, (*delegate)(a), autopilot.WithPromoter((*promoter)(a)),
		autopilot.WithLogger(raftLogger(a.cfg.Logger)), autopilot.WithUpdateInterval(pilotInterval), autopilot.WithReconcileInterval(pilotInterval))
	pilot.Start(ctx)
	<-ctx.Done()
	<-pilot.Stop()
	a.state.Store(nil)
}

// Health is the members as last seen; false before the first look and after Run.
func (a *Autopilot) Health() (QuorumHealth, bool) {
	state := a.state.Load()
	if state == nil {
		return QuorumHealth{}, false
	}
	last := a.cfg.Node.raft.LastIndex()
	out := QuorumHealth{Healthy: state.Healthy, FailureTolerance: state.FailureTolerance, Voters: a.settings().Voters}
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, s := range state.Servers {
		h := Health{
			Server: Server{ID: string(id), Addr: string(s.Server.Address), Voter: s.HasVotingRights()}, Leader: s.State == autopilot.RaftLeader,
			Position: Position(s.Stats), Healthy: s.Health.Healthy, Since: s.Health.StableSince, Problem: a.problem[id],
		}
		if h.LastIndex < last {
			h.Lag = last - h.LastIndex
		}
		out.Servers = append(out.Servers, h)
	}
	slices.SortFunc(out.Servers, func(x, y Health) int { return strings.Compare(x.ID, y.ID) })
	return out, true
}

// Answers tells whether a member has answered at its address when it was last asked.
func (a *Autopilot) Answers(id string) bool {
	state := a.state.Load()
	if state == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, silent := a.silent[raft.ServerID(id)]
	_, known := state.Servers[raft.ServerID(id)]
	return known && !silent
}

// Confirm asks the other voters now, without the patience that Health has, whether the quorum may go on without a member:
// before a change that cannot be taken back when one of them has just died.
func (a *Autopilot) Confirm(ctx context.Context, without string) error {
	ctx, cancel := context.WithTimeout(ctx, pilotPatience)
	defer cancel()
	now := QuorumHealth{Servers: make([]Health, 0, 8)}
	for _, s := range a.cfg.Node.voters() {
		now.Servers = append(now.Servers, Health{Server: s})
	}
	var asked sync.WaitGroup
	for i := range now.Servers {
		asked.Go(func() {
			_, err := (*delegate)(a).ask(ctx, now.Servers[i].Server)
			now.Servers[i].Healthy = err == nil
		})
	}
	asked.Wait()
	return now.Without(without)
}

func (a *Autopilot) settings() AutopilotSettings {
	s := a.cfg.Settings()
	s.setDefaults()
	return s
}

// Position says how far this node is. An error says that it is not to be counted on.
func (n *Node) Position() (Position, error) {
	if err := n.isOpen(); err != nil {
		return Position{}, err
	}
	if n.gate.isShut() {
		return Position{}, fmt.Errorf("position of %s: %w", n.cfg.ID, ErrStalled)
	}
	if n.Joining() {
		return Position{}, fmt.Errorf("position of %s: %w", n.cfg.ID, errNotAdmitted)
	}
	p := Position{LastIndex: n.raft.LastIndex(), LastTerm: n.lastLogTerm()}
	if n.IsLeader() {
		return p, nil
	}
	if p.LastContact = -1; !n.raft.LastContact().IsZero() {
		p.LastContact = time.Since(n.raft.LastContact())
	}
	return p, nil
}

// lastLogTerm is the term of the newest entry.
func (n *Node) lastLogTerm() (term uint64) {
	_, _ = fmt.Sscan(n.raft.Stats()["last_log_term"], &term) // a number: raft's own
	return term
}

// delegate is the autopilot as the library sees its application.
type delegate Autopilot

var _ autopilot.ApplicationIntegration = (*delegate)(nil)

// AutopilotConfig implements autopilot.ApplicationIntegration.
func (d *delegate) AutopilotConfig() *autopilot.Config {
	s := (*Autopilot)(d).settings()
	last := d.cfg.Node.raft.LastIndex()
	needed := d.needed()
	return &autopilot.Config{
		CleanupDeadServers: !s.Off, LastContactThreshold: max(healthyContact*d.cfg.Node.cfg.Profile.Heartbeat, pilotPatience), MaxTrailingLogs: last - min(last, needed),
		MinQuorum: leastVoters, ServerStabilizationTime: s.Stabilization,
	}
}

// NotifyState implements autopilot.ApplicationIntegration.
func (d *delegate) NotifyState(s *autopilot.State) { d.state.Store(s) }

// KnownServers implements autopilot.ApplicationIntegration: the members themselves. Gossip finds masters, and has no say in
// who is one.
func (d *delegate) KnownServers() map[raft.ServerID]*autopilot.Server {
	deadAfter := (*Autopilot)(d).settings().DeadAfter
	d.mu.Lock()
	defer d.mu.Unlock()
	known := make(map[raft.ServerID]*autopilot.Server)
	for _, s := range d.cfg.Node.Servers() {
		id := raft.ServerID(s.ID)
		node := &autopilot.Server{
			ID: id, Name: s.ID, Address: raft.ServerAddress(s.Addr), NodeStatus: autopilot.NodeAlive, NodeType: spareType,
			RaftVersion: int(raft.ProtocolVersionMax), IsLeader: s.ID == d.cfg.Node.ID() && d.cfg.Node.IsLeader(),
		}
		if s.Voter {
			node.NodeType = autopilot.NodeVoter
		}
		if since, silent := d.silent[id]; silent && time.Since(since) >= deadAfter {
			node.NodeStatus = autopilot.NodeFailed
		}
		known[id] = node
	}
	for id := range d.silent { // who comes back later begins anew
		if known[id] == nil {
			d.forget(id)
		}
	}
	return known
}

// forget drops what is known of a member that is none any more. The caller holds mu.
func (d *delegate) forget(id raft.ServerID) {
	delete(d.silent, id)
	delete(d.heard, id)
	delete(d.problem, id)
}

// spareType is a member without a vote.
const spareType autopilot.NodeType = "spare"

// FetchServerStats implements autopilot.ApplicationIntegration. Whoever does not answer is left out, and the library goes on
// with the position before, for a while: a busy machine is late now and then. Then it is given one that is no healthy one.
func (d *delegate) FetchServerStats(ctx context.Context, servers map[raft.ServerID]*autopilot.Server) map[raft.ServerID]*autopilot.ServerStats {
	type answer struct {
		id  raft.ServerID
		pos Position
		err error
	}
	d.look()
	answers := make(chan answer, len(servers))
	for id, s := range servers {
		go func() {
			pos, err := d.ask(ctx, Server{ID: string(id), Addr: string(s.Address)})
			answers <- answer{id, pos, err}
		}()
	}
	stats := make(map[raft.ServerID]*autopilot.ServerStats, len(servers))
	for range servers {
		a := <-answers
		if late := d.note(ctx, a.id, a.err); late {
			continue
		} else if a.err != nil {
			a.pos = Position{LastContact: -1}
		}
		s := autopilot.ServerStats(a.pos)
		stats[a.id] = &s
	}
	return stats
}

// needed is the entry that every healthy member holds.
func (d *delegate) needed() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.written) == 0 {
		return d.cfg.Node.raft.CommitIndex()
	}
	return d.written[0]
}

func (d *delegate) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.written) == 0 {
		d.written = append(d.written, d.cfg.Node.raft.CommitIndex()) // the newest entries may be on their way
	}
	d.written = append(d.written, d.cfg.Node.raft.LastIndex())
	d.written = d.written[max(0, len(d.written)-healthyLooks):]
}

func (d *delegate) ask(ctx context.Context, s Server) (Position, error) {
	if s.ID == d.cfg.Node.ID() {
		return d.cfg.Node.Position()
	}
	return d.cfg.Ask(ctx, s)
}

// note keeps the outcome of a question, and tells whether a member is only late.
func (d *delegate) note(ctx context.Context, id raft.ServerID, err error) (late bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.heard[id] = time.Now()
		delete(d.silent, id)
		delete(d.problem, id)
		return false
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return true // the term is over, which is not the member's fault
	}
	d.problem[id] = err.Error()
	if _, ok := d.silent[id]; !ok {
		d.silent[id] = time.Now()
	}
	return time.Since(d.heard[id]) < pilotPatience
}

// RemoveFailedServer implements autopilot.ApplicationIntegration.
func (d *delegate) RemoveFailedServer(s *autopilot.Server) {
	d.cfg.Logger.Info("forgetting a dead master; it may come back as a spare", "id", s.ID, "address", s.Address)
	ctx, cancel := context.WithTimeout(d.cfg.Node.ctx, pilotChangeTimeout)
	defer cancel()
	if err := d.cfg.Node.RemoveServer(ctx, string(s.ID)); err != nil {
		d.cfg.Logger.Warn("a dead master could not be forgotten; trying again", "id", s.ID, "error", err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(s.ID)
}

// pilotRaft is the node as the library sees it: every change is bounded, and ends with the term.
type pilotRaft struct {
	*Node
	term context.Context
}

var _ autopilot.Raft = (*pilotRaft)(nil)

// answered is a future whose answer is there.
type answered struct{ err error }

func (a answered) Error() error { return a.err }
func (answered) Index() uint64  { return 0 }

func (p *pilotRaft) do(what string, request func() raft.Future) raft.IndexFuture {
	ctx, cancel := context.WithTimeout(p.term, pilotChangeTimeout)
	defer cancel()
	return answered{p.change(ctx, what, request)}
}

func (p *pilotRaft) AddNonvoter(id raft.ServerID, addr raft.ServerAddress, _ uint64, _ time.Duration) raft.IndexFuture {
	return p.do("add "+string(id), func() raft.Future { return p.raft.AddNonvoter(id, addr, 0, 0) })
}

func (p *pilotRaft) AddVoter(id raft.ServerID, addr raft.ServerAddress, _ uint64, _ time.Duration) raft.IndexFuture {
	return p.do("give a vote to "+string(id), func() raft.Future { return p.raft.AddVoter(id, addr, 0, 0) })
}

func (p *pilotRaft) DemoteVoter(id raft.ServerID, _ uint64, _ time.Duration) raft.IndexFuture {
	return p.do("take the vote of "+string(id), func() raft.Future { return p.raft.DemoteVoter(id, 0, 0) })
}

func (p *pilotRaft) RemoveServer(id raft.ServerID, _ uint64, _ time.Duration) raft.IndexFuture {
	return p.do("remove "+string(id), func() raft.Future { return p.raft.RemoveServer(id, 0, 0) })
}

func (p *pilotRaft) LeadershipTransferToServer(id raft.ServerID, addr raft.ServerAddress) raft.Future {
	return p.do("hand leadership to "+string(id), func() raft.Future { return p.raft.LeadershipTransferToServer(id, addr) })
}

func (p *pilotRaft) LastIndex() uint64                          { return p.raft.LastIndex() }
func (p *pilotRaft) Leader() raft.ServerAddress                 { addr, _ := p.raft.LeaderWithID(); return addr }
func (p *pilotRaft) GetConfiguration() raft.ConfigurationFuture { return p.raft.GetConfiguration() }
func (p *pilotRaft) Stats() map[string]string                   { return p.raft.Stats() }
func (p *pilotRaft) State() raft.RaftState                      { return p.raft.State() }

// Without tells whether the quorum may go on without a member: the healthy voters among the rest are a majority of it. The
// error says what is missing.
func (h QuorumHealth) Without(id string) error {
	rest, healthy := 0, 0
	for _, s := range h.Servers {
		if s.ID != id && s.Voter {
			if rest++; s.Healthy {
				healthy++
			}
		}
	}
	if healthy < rest/2+1 {
		return fmt.Errorf("%w: without %s there were %d voters, of which %d are healthy and %d are needed", ErrUnsafe, id, rest, healthy, rest/2+1)
	}
	return nil
}

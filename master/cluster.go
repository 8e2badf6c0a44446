package master

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/membership"
	"github.com/firesteel/firesteel/raftnode"
	"github.com/firesteel/firesteel/web"
)

// view is this master as its pages show it.
type view struct{ m *Master }

var _ web.Master = view{}

func (v view) State() *fsm.State { return v.m.fsm.State() }
func (v view) ReadBarrier(ctx context.Context) error {
	_, err := v.m.node.ReadBarrier(ctx)
	return err
}

func (v view) Leading() bool        { return v.m.Leading() }
func (v view) URL() string          { return v.m.URL() }
func (v view) Cluster() web.Cluster { return v.m.cluster() }

func (v view) LastHeartbeat(workerID string) int64 {
	d := v.m.duties.Load()
	if d == nil {
		return 0
	}
	return d.live.lastHeard(workerID).UnixMilli()
}

// cluster joins what Raft knows of the masters (who counts) with what gossip knows (who seems alive, and where), and what the
// leader knows of their health.
func (m *Master) cluster() web.Cluster {
	term, leader := m.node.Term(), m.node.LeaderID()
	if leader == m.cfg.ID && !m.node.IsLeader() {
		leader = "" // it has just stepped down: it must not be seen to lead in its successor's term
	}
	out := web.Cluster{ClusterID: m.fsm.State().ClusterID(), Leader: leader, Term: term, GossipKey: len(m.cfg.GossipKey) > 0, Masters: []web.MasterInfo{}}
	servers := map[string]raftnode.Server{}
	for _, s := range m.node.Servers() {
		servers[s.ID] = s
	}
	hidden := map[string]bool{} // members whose place in gossip is taken by a master of another cluster
	for _, g := range m.gossip.Masters() {
		if m.foreign(g) {
			hidden[g.ID] = true
			continue
		}
		s, member := servers[g.ID]
		delete(servers, g.ID)
		rest := ""
		if g.RESTPort != 0 {
			rest = hostPort(g.Host, g.RESTPort)
		}
		out.Masters = append(out.Masters, web.MasterInfo{
			ID: g.ID, Spark: hostPort(g.Host, g.SparkPort), REST: rest, Web: "http://" + hostPort(g.Host, g.WebUIPort), RPC: hostPort(g.Host, g.RPCPort),
			Gossip: g.Addr, Raft: g.RaftAddr, Leader: g.ID == leader, Alive: true, Member: member, Voter: s.Voter,
		})
	}
	for id, s := range servers {
		out.Masters = append(out.Masters, web.MasterInfo{ID: id, RPC: s.Addr, Raft: s.Addr, Leader: id == leader, Member: true, Voter: s.Voter})
	}
	out.WorkerHealth = web.WorkerHealthOf(m.fsm.State(), time.Now())
	sortByID(out.Masters)
	m.addHealth(&out)
	for i := range out.Masters {
		if o := &out.Masters[i]; hidden[o.ID] {
			o.Alive = o.Healthy
		}
	}
	return out
}

// addHealth adds the leader's view, where there is one.
func (m *Master) addHealth(out *web.Cluster) {
	list := m.lists.get(m)
	if list == nil || list.GetTerm() != out.Term {
		return
	}
	out.Healthy, out.FailureTolerance, out.Voters = list.GetHealthy(), int(list.GetFailureTolerance()), int(list.GetVoters())
	for _, h := range list.GetMasters() {
		for i := range out.Masters {
			if o := &out.Masters[i]; o.ID == h.GetId() {
				o.Healthy, o.Lag, o.Problem = h.GetHealthy(), h.GetLag(), h.GetProblem()
			}
		}
	}
}

func hostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// rpcAddress is where a master of the quorum serves gRPC: the port that it shares with Raft.
func (m *Master) rpcAddress(id string) (string, bool) {
	if id == "" {
		return "", false
	}
	for _, s := range m.node.Servers() {
		if s.ID == id {
			return s.Addr, true
		}
	}
	return "", false
}

// otherMasters are the gRPC addresses of the rest of the quorum.
func (m *Master) otherMasters() []string {
	var out []string
	for _, s := range m.node.Servers() {
		if s.ID != m.cfg.ID {
			out = append(out, s.Addr)
		}
	}
	return out
}

// candidates are the masters that gossip sees, for a first configuration.
func (m *Master) candidates() []raftnode.Candidate {
	var out []raftnode.Candidate
	for _, g := range m.gossip.Masters() {
		out = append(out, raftnode.Candidate{ID: g.ID, Addr: g.RaftAddr, RPCAddr: g.RaftAddr, Expect: int(g.Expect), Bootstrapped: g.Bootstrapped})
	}
	return out
}

const (
	reconcileEvery = time.Second
	changeTimeout  = 10 * time.Second
)

// reconcileMasters brings Raft's configuration up to what gossip sees: a master that is not part of it yet is added, without
// a vote, and one that came back at another address is given it. Votes are the autopilot's.
func (d *duties) reconcileMasters(ctx context.Context) {
	told := map[string]string{} // what was said of a master that is not added: once
	for {
		changed := d.m.gossip.Watch()
		for _, g := range d.m.gossip.Masters() {
			if !d.m.belongs(g) || d.m.isServer(g) {
				delete(told, g.ID)
				continue
			}
			err := d.addMaster(ctx, g)
			if err != nil && ctx.Err() == nil && told[g.ID] != err.Error() {
				told[g.ID] = err.Error()
				d.log.Warn("a master is not added", "id", g.ID, "address", g.RaftAddr, "error", err)
			}
		}
		select {
		case <-changed:
			delay.For(ctx, reconcileEvery/10) // a burst of changes is one
		case <-time.After(reconcileEvery):
		case <-ctx.Done():
			return
		}
	}
}

// addMaster makes a master that gossip sees a member.
func (d *duties) addMaster(ctx context.Context, g membership.Member) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	if d.m.fsm.State().MasterRemoved(g.ID) {
		if g.ClusterID != "" {
			return fmt.Errorf("an operator took it out; its process ends, and it may come back with an empty --data-dir")
		}
		if _, err := proposeHere[none](ctx, d.m, &fsm.AdmitMaster{ID: g.ID}); err != nil {
			return err
		}
	}
	for _, s := range d.m.node.Servers() {
		switch {
		case s.ID == g.ID && d.pilot.Answers(s.ID):
			return fmt.Errorf("the master %s is there at %s: two processes have the same --id", s.ID, s.Addr)
		case s.Addr == g.RaftAddr && s.ID != g.ID && s.Voter: // it is going to be removed
			health, ok := d.pilot.Health()
			if !ok {
				return errNoHealth
			}
			if err := health.Without(s.ID); err != nil {
				return fmt.Errorf("it has the address of %s: %w", s.ID, err)
			}
		}
	}
	d.log.Info("adding a master to the quorum, without a vote", "id", g.ID, "address", g.RaftAddr)
	return d.m.node.AddServer(ctx, g.ID, g.RaftAddr)
}

// belongs tells whether a master that gossip sees is meant for this cluster: it is one of it, or of none yet.
func (m *Master) belongs(g membership.Member) bool {
	if g.Leaving || g.RaftAddr == "" {
		return false
	}
	return g.ClusterID == m.fsm.State().ClusterID() || g.ClusterID == "" && !g.Bootstrapped
}

// foreign tells whether a master that gossip sees is another cluster's.
func (m *Master) foreign(g membership.Member) bool {
	own := m.fsm.State().ClusterID()
	return own != "" && g.ClusterID != "" && g.ClusterID != own
}

func (m *Master) isServer(g membership.Member) bool {
	for _, s := range m.node.Servers() {
		if s.ID == g.ID && s.Addr == g.RaftAddr {
			return true
		}
	}
	return false
}

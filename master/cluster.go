package master

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/firesteel/firesteel/fsm"
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

// cluster joins what Raft knows of the masters (who counts) with what gossip knows (who seems alive, and where).
func (m *Master) cluster() web.Cluster {
	leader := m.node.LeaderID()
	out := web.Cluster{ClusterID: m.fsm.State().ClusterID(), Leader: leader, Term: m.node.Term(), GossipKey: len(m.cfg.GossipKey) > 0, Masters: []web.MasterInfo{}}
	voters := map[string]raftnode.Server{}
	for _, s := range m.node.Servers() {
		voters[s.ID] = s
	}
	for _, g := range m.gossip.Masters() {
		s := voters[g.ID]
		delete(voters, g.ID)
		out.Masters = append(out.Masters, web.MasterInfo{
			ID: g.ID, Spark: hostPort(g.Host, g.SparkPort), Web: "http://" + hostPort(g.Host, g.WebUIPort), RPC: hostPort(g.Host, g.RPCPort),
			Gossip: g.Addr, Raft: g.RaftAddr, Leader: g.ID == leader, Alive: true, Voter: s.Voter,
		})
	}
	for id, s := range voters {
		out.Masters = append(out.Masters, web.MasterInfo{ID: id, RPC: s.Addr, Raft: s.Addr, Leader: id == leader, Voter: s.Voter})
	}
	sortByID(out.Masters)
	return out
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

// reconcileMasters brings Raft's configuration up to what gossip sees: a master that is not part of it yet is added, one
// that came back at another address is given it. Nobody is removed here.
func (m *Master) reconcileMasters(ctx context.Context) {
	for {
		changed := m.gossip.Watch()
		for _, g := range m.gossip.Masters() {
			if !m.belongs(g) || m.isServer(g) {
				continue
			}
			m.log.Info("adding a master to the quorum", "id", g.ID, "address", g.RaftAddr)
			change, cancel := context.WithTimeout(ctx, changeTimeout)
			if err := m.node.AddVoter(change, g.ID, g.RaftAddr); err != nil && ctx.Err() == nil {
				m.log.Warn("a master could not be added", "id", g.ID, "error", err)
			}
			cancel()
		}
		select {
		case <-changed:
			pause(ctx, reconcileEvery/10) // a burst of changes is one
		case <-time.After(reconcileEvery):
		case <-ctx.Done():
			return
		}
	}
}

// belongs tells whether a master that gossip sees is meant for this cluster.
func (m *Master) belongs(g membership.Member) bool {
	if g.Leaving || g.RaftAddr == "" {
		return false
	}
	return g.ClusterID == m.fsm.State().ClusterID() || g.ClusterID == "" && !g.Bootstrapped
}

func (m *Master) isServer(g membership.Member) bool {
	for _, s := range m.node.Servers() {
		if s.ID == g.ID && s.Addr == g.RaftAddr {
			return true
		}
	}
	return false
}

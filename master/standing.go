package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
)

// Exit codes of a master's process that must not go on. A supervisor may restart it after exitFatal; after exitRemoved
// that is of no use (EX_SOFTWARE and EX_CONFIG of sysexits.h).
const (
	exitFatal   = 70
	exitRemoved = 78
)

const (
	standingEvery   = time.Second
	admissionEvery  = 200 * time.Millisecond
	standingTimeout = 500 * time.Millisecond // of one question
	// lonelyFor is how long a master knows of no leader before it asks whether it still belongs: longer than an election.
	lonelyFor = 2 * time.Second
)

var errRemoved = errors.New("an operator took this master out of the cluster; to use it again, as a new master, empty its --data-dir")

// followStanding watches whether this master is one of the cluster: it ends the process when an operator has taken it out,
// and lets a master that began on an empty disk take part in elections when it has caught up.
func (m *Master) followStanding() {
	var lonely time.Time // since when nobody leads; zero: somebody does
	for {
		every := standingEvery
		switch {
		case m.node.Joining():
			every = admissionEvery
			if err := m.seekAdmission(m.ctx); err != nil {
				m.log.Debug("not admitted yet", "error", err)
			}
		case m.fsm.State().MasterRemoved(m.cfg.ID):
			m.leave()
			return
		case m.node.LeaderID() != "":
			lonely = time.Time{}
		case lonely.IsZero():
			lonely = time.Now()
		case time.Since(lonely) >= lonelyFor:
			s, err := m.askStanding(m.ctx)
			if err != nil {
				break
			}
			m.learnCluster(s.GetClusterId())
			m.tellGossip(m.node.ClusterID()) // or nobody adds it
			if s.GetRemoved() && s.GetClusterId() == m.node.ClusterID() {
				m.leave()
				return
			}
		}
		if !delay.For(m.ctx, every) {
			return
		}
	}
}

// learnCluster is for a master that was stopped before the log had told it which cluster it is in: nobody would add it again.
// The answer comes from a master of its own Raft configuration, and nothing of any cluster has been applied here.
func (m *Master) learnCluster(id string) {
	if id == "" || m.node.ClusterID() != "" || !m.node.HasState() || m.fsm.State().Index() > 0 {
		return
	}
	m.log.Info("belongs to a cluster, says its leader", "cluster", id)
	if err := m.node.SetClusterID(id); err != nil {
		m.log.Warn("the cluster's id is not recorded", "error", err)
	}
}

// leave ends the process of a master that was removed.
func (m *Master) leave() {
	m.log.Error("this master must stop", "error", errRemoved, "exit", exitRemoved)
	if m.cfg.exit != nil {
		m.cfg.exit(exitRemoved)
		return
	}
	os.Exit(exitRemoved)
}

// seekAdmission asks the leader what was committed up to now, and waits until it is here too.
func (m *Master) seekAdmission(ctx context.Context) error {
	s, err := m.askStanding(ctx)
	if err != nil {
		return err
	}
	if !s.GetMember() {
		return errors.New("the leader has not added this master yet")
	}
	return m.node.Admit(ctx, s.GetIndex())
}

// askStanding asks the masters of its Raft configuration until one leads, or, before it has one, those that gossip shows. A
// master that has replaced all of them is found by its cluster's id.
func (m *Master) askStanding(ctx context.Context) (*clusterpb.StandingReply, error) {
	asked := map[string]bool{m.node.Addr(): true}
	todo := m.otherMasters()
	for _, g := range m.gossip.Masters() {
		if own := m.node.ClusterID(); own != "" && g.ClusterID == own || len(m.node.Servers()) == 0 {
			todo = append(todo, g.RaftAddr)
		}
	}
	err := errors.New("no other master is known")
	for len(todo) > 0 {
		addr := todo[0]
		todo = todo[1:]
		if addr == "" || asked[addr] {
			continue
		}
		asked[addr] = true
		s, hint, askErr := m.askStandingAt(ctx, addr)
		if askErr == nil {
			return s, nil
		}
		if err = askErr; hint != "" {
			todo = append([]string{hint}, todo...)
		}
	}
	return nil, err
}

func (m *Master) askStandingAt(ctx context.Context, addr string) (reply *clusterpb.StandingReply, leader string, err error) {
	ctx, cancel := context.WithTimeout(ctx, standingTimeout)
	defer cancel()
	c, err := m.pool.Quorum(addr)
	if err != nil {
		return nil, "", err
	}
	if reply, err = c.Standing(ctx, &clusterpb.StandingRequest{Id: m.cfg.ID}); err == nil {
		return reply, "", nil
	}
	if n, ok := rpc.NotLeader(err); ok {
		leader = n.LeaderRPC
	}
	return nil, leader, fmt.Errorf("ask %s for the standing of %s: %w", addr, m.cfg.ID, err)
}

// masterLists keeps the leader's view of the masters for a moment, so that pages which are asked often ask it seldom.
type masterLists struct {
	mu   sync.Mutex
	at   time.Time
	list *clusterpb.ListMastersReply
}

const (
	listFor     = time.Second
	listTimeout = 250 * time.Millisecond
)

// get gives the leader's view, or nil.
func (l *masterLists) get(m *Master) *clusterpb.ListMastersReply {
	l.mu.Lock()
	defer l.mu.Unlock()
	if leads := m.duties.Load() != nil; !leads && time.Since(l.at) < listFor {
		return l.list
	}
	ctx, cancel := context.WithTimeout(m.ctx, listTimeout)
	defer cancel()
	l.list, _ = quorum{m: m}.ListMasters(ctx, &clusterpb.ListMastersRequest{}) // nobody leads, or it does not answer: nothing is shown
	l.at = time.Now()
	return l.list
}

package raftnode

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// leaderView is who leads, as this node knows it, with a channel that closes on each change.
type leaderView struct {
	mu       sync.Mutex
	id, addr string
	changed  chan struct{}
}

func newLeaderView() *leaderView { return &leaderView{changed: make(chan struct{})} }

func (v *leaderView) set(id, addr string) (changed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.id == id && v.addr == addr {
		return false
	}
	v.id, v.addr = id, addr
	v.wake()
	return true
}

// nudge wakes the watchers without a new leader: the leader became ready, or unready.
func (v *leaderView) nudge() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wake()
}

func (v *leaderView) wake() {
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *leaderView) get() (id, addr string, changed <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.id, v.addr, v.changed
}

// followLeader keeps the view up to date.
func (n *Node) followLeader() {
	signals := make(chan raft.Observation, 1) // one waiting signal is enough: the view is read afresh
	observer := raft.NewObserver(signals, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	n.raft.RegisterObserver(observer)
	defer n.raft.DeregisterObserver(observer)
	look := time.NewTicker(n.cfg.Profile.Election)
	defer look.Stop()
	var stray strayCandidate
	for {
		addr, id := n.raft.LeaderWithID()
		if string(id) == n.cfg.ID && n.raft.State() != raft.Leader {
			addr, id = "", "" // raft forgets its own leadership a moment after it has stepped down, and without a word
		}
		if n.view.set(string(id), string(addr)) {
			n.log.Info("leader changed", "leader", string(id), "addr", string(addr), "term", n.raft.CurrentTerm())
		}
		if n.raft.State() == raft.Shutdown && n.ctx.Err() == nil {
			n.cfg.Fatal(fmt.Errorf("%w: %s takes no part in the group any more; restart it", ErrRaftEnded, n.cfg.ID))
		}
		select {
		case <-signals:
		case <-look.C:
			if stray.look(n.raft.State(), string(id), n.cfg.ID) {
				n.freeCandidate(string(id))
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// Leader returns the id and the Raft address of the leader, both empty while none is known.
func (n *Node) Leader() (id, addr string) {
	id, addr, _ = n.view.get()
	return id, addr
}

// LeaderID returns the id of the leader, empty while none is known.
func (n *Node) LeaderID() string {
	id, _ := n.Leader()
	return id
}

// IsLeader tells whether this node leads, as far as it knows: see ReadBarrier for certainty.
func (n *Node) IsLeader() bool { return n.raft.State() == raft.Leader }

// Watch returns a channel that closes when the leader next changes, or becomes ready on this node. Take it before asking for
// the leader.
func (n *Node) Watch() <-chan struct{} {
	_, _, changed := n.view.get()
	return changed
}

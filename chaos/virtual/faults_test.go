package virtual

import (
	"context"
	"math/rand"
	"time"

	"github.com/hashicorp/raft"

	"github.com/firesteel/firesteel/raftnode"
)

// round is one fault of the plan: what it meets, and its own source of chance, so that a round does not depend on how many
// numbers the ones before have drawn.
type round struct {
	c      *cluster
	rng    *rand.Rand
	leader *master
	others []*master
}

func (r *round) follower() *master { return r.others[r.rng.Intn(len(r.others))] }

func (r *round) between(from, to time.Duration) time.Duration {
	return from + time.Duration(r.rng.Int63n(int64(to-from)+1))
}

// fault is a kind of trouble.
type fault struct {
	name   string
	weight int
	// leader says that it is a leader's; replaced, that a new leader must follow while the fault lasts.
	leader, replaced bool
	make             func(r *round)
}

// leaderLimit is the time in which a quorum that can speak must have a new leader: a heartbeat timeout of 0.5 to 1 s, some
// elections, and calls that run into the wall of 2.5 s.
const leaderLimit = 8 * time.Second

// faults is everything that can happen. What a fault breaks, cluster.mend repairs.
var faults = []fault{
	{name: "leader crashes", weight: 6, leader: true, replaced: true, make: func(r *round) { r.leader.crash() }},
	{name: "leader is cut off", weight: 6, leader: true, replaced: true, make: func(r *round) { r.isolate(r.leader) }},
	{name: "leader is not heard", weight: 3, leader: true, replaced: true, make: func(r *round) {
		for _, m := range r.others {
			r.c.net.setCut(r.leader.id, m.id, true)
		}
	}},
	{name: "leader hears nothing", weight: 3, leader: true, replaced: true, make: func(r *round) {
		for _, m := range r.others {
			r.c.net.setCut(m.id, r.leader.id, true)
		}
	}},
	{name: "leader freezes", weight: 4, leader: true, replaced: true, make: func(r *round) { r.leader.freeze() }},
	{name: "leader freezes for a moment", weight: 2, leader: true, make: func(r *round) {
		r.leader.freeze()
		time.Sleep(r.between(50*time.Millisecond, 1500*time.Millisecond))
		r.leader.thaw()
	}},
	{name: "leader's disk hangs", weight: 3, leader: true, replaced: true, make: func(r *round) { r.leader.running().files.hang() }},
	{name: "leader's disk is slow, then it crashes", weight: 3, leader: true, replaced: true, make: func(r *round) {
		if p := r.leader.running(); p != nil {
			p.files.setSlowest(200 * time.Millisecond)
		}
		time.Sleep(r.between(0, 800*time.Millisecond))
		r.leader.crash()
	}},
	{name: "follower calls an election for nothing", weight: 3, leader: true, make: func(r *round) { callElection(r.follower()) }},
	{name: "leader freezes, and a follower calls an election at once", weight: 3, leader: true, replaced: true, make: func(r *round) {
		r.leader.freeze()
		time.Sleep(r.between(0, 20*time.Millisecond))
		callElection(r.follower())
	}},
	{name: "leadership is handed over", weight: 4, leader: true, make: handOver},
	{name: "leader crashes while it hands over", weight: 2, leader: true, replaced: true, make: func(r *round) {
		go handOver(r)
		time.Sleep(r.between(0, 8*time.Millisecond))
		r.leader.crash()
	}},
	{name: "leader crashes, comes back, and the next one crashes", weight: 3, leader: true, make: aba},
	{name: "leader falls in the smaller half", weight: 3, leader: true, replaced: true, make: func(r *round) {
		with := r.others[:r.rng.Intn(len(r.others)/2)] // so that a majority is left on the other side
		r.split(append([]*master{r.leader}, with...))
	}},
	{name: "all crash", weight: 1, leader: true, make: func(r *round) {
		for _, m := range r.c.all() {
			m.crash()
			time.Sleep(r.between(0, 20*time.Millisecond))
		}
	}},
	{name: "a majority crashes", weight: 1, leader: true, make: func(r *round) {
		r.leader.crash()
		for _, m := range r.others[:len(r.others)/2] {
			m.crash()
		}
	}},
	{name: "follower crashes", weight: 1, make: func(r *round) { r.follower().crash() }},
	{name: "follower is cut off", weight: 1, make: func(r *round) { r.isolate(r.follower()) }},
	{name: "follower freezes", weight: 1, make: func(r *round) { r.follower().freeze() }},
	{name: "follower's disk hangs", weight: 1, make: func(r *round) { r.follower().running().files.hang() }},
	{name: "one cable of the leader breaks", weight: 2, make: func(r *round) {
		m := r.follower()
		r.c.net.setCut(m.id, r.leader.id, true)
		r.c.net.setCut(r.leader.id, m.id, r.rng.Intn(2) == 0)
	}},
	{name: "network is slow and loses", weight: 2, make: func(r *round) {
		r.c.net.change(func() { r.c.net.slowest, r.c.net.spike = 60*time.Millisecond, 10 })
		time.Sleep(r.between(0, 2*time.Second))
	}},
	{name: "all disks are slow", weight: 1, make: func(r *round) {
		for _, m := range r.c.all() {
			if p := m.running(); p != nil {
				p.files.setSlowest(120 * time.Millisecond)
			}
		}
		time.Sleep(r.between(0, 2*time.Second))
	}},
	{name: "follower is away until its log is gone", weight: 1, make: func(r *round) {
		r.follower().crash()
		time.Sleep(r.between(4*time.Second, 8*time.Second))
	}},
	{name: "master leaves the quorum and returns", weight: 1, make: func(r *round) {
		m := r.follower()
		r.member(func(leader *raftnode.Node) error { return leader.RemoveServer(r.c.context(5*time.Second), m.id) }, m.id, false)
		time.Sleep(r.between(0, time.Second))
		r.member(func(leader *raftnode.Node) error { return leader.AddVoter(r.c.context(5*time.Second), m.id, m.id) }, m.id, true)
	}},
	{name: "master is replaced for good", weight: 1, make: func(r *round) {
		old := r.follower()
		r.c.drop(old)
		r.member(func(leader *raftnode.Node) error { return leader.RemoveServer(r.c.context(5*time.Second), old.id) }, old.id, false)
		m := r.c.make()
		m.start()
		r.member(func(leader *raftnode.Node) error { return leader.AddVoter(r.c.context(5*time.Second), m.id, m.id) }, m.id, true)
	}},
}

// context ends by itself.
func (c *cluster) context(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func (r *round) isolate(m *master) { r.split([]*master{m}) }

// split cuts some masters off from the rest.
func (r *round) split(part []*master) {
	in := map[*master]bool{}
	for _, m := range part {
		in[m] = true
	}
	for _, a := range r.c.all() {
		for _, b := range r.c.all() {
			if in[a] != in[b] {
				r.c.net.setCut(a.id, b.id, true)
			}
		}
	}
}

// callElection is what the death watch and the watch for silence do, rightly or not: such an election overrides the votes'
// regard for a leader that lives.
func callElection(m *master) {
	p := m.running()
	if p == nil {
		return
	}
	go func() {
		request := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}
		select {
		case p.trans.consumer <- raft.RPC{Command: request, RespChan: make(chan raft.RPCResponse, 1)}:
		case <-p.gone:
		case <-p.trans.closed:
		}
	}()
}

func handOver(r *round) {
	p := r.leader.running()
	if p == nil {
		return
	}
	_ = p.node.TransferLeadership(r.c.context(2 * time.Second)) // it may fail, which is no fault of ours
}

// aba kills leaders back to back: each comes back just as the next one is killed.
func aba(r *round) {
	victim := r.leader
	for range 2 + r.rng.Intn(3) {
		victim.crash()
		if !r.c.replaced(victim, leaderLimit) {
			r.c.ledger.violate("no progress", "no new leader within %s of the crash of %s", leaderLimit, victim.id)
			return
		}
		next := r.c.leader()
		victim.start()
		if next == nil {
			return
		}
		victim = next
	}
}

// member changes the membership through whoever leads, until it is as wanted.
func (r *round) member(change func(leader *raftnode.Node) error, id string, wanted bool) {
	for deadline := time.Now().Add(settleLimit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) { // virtual
		m := r.c.awaitLeader(settleLimit)
		if m == nil {
			break
		}
		p := m.running()
		if p == nil {
			continue
		}
		if change(p.node) == nil && has(p.node.Servers(), id) == wanted {
			return
		}
	}
	r.c.ledger.violate("no progress", "%s is not a member: %v, within %s", id, wanted, settleLimit)
}

func has(servers []raftnode.Server, id string) bool {
	for _, s := range servers {
		if s.ID == id {
			return true
		}
	}
	return false
}

// draw picks a fault by weight.
func draw(rng *rand.Rand, only string) *fault {
	sum := 0
	for i := range faults {
		if only == "" || faults[i].name == only {
			sum += faults[i].weight
		}
	}
	n := rng.Intn(sum)
	for i := range faults {
		if only != "" && faults[i].name != only {
			continue
		}
		if n -= faults[i].weight; n < 0 {
			return &faults[i]
		}
	}
	return nil
}

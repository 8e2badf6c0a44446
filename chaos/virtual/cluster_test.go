package virtual

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/raftnode"
	"github.com/firesteel/firesteel/scheduler"
)

// config says what is run, and what is broken in it on purpose.
type config struct {
	size   int   // masters
	seed   int64 // of the plan of faults
	faults int   // rounds of the plan
	only   string

	sabotage   func(id string, m raftnode.Machine) raftnode.Machine
	lyingDisks bool          // writes are acknowledged before they are durable
	staleReads bool          // reads ask nobody
	stallLimit time.Duration // 0: the default

	fleet *fleet // workers with sessions, see drivers_test.go; nil: those of clients_test.go
}

// trailingLogs is how many entries stay behind a snapshot: few, so that snapshots are sent. A follower that was frozen for
// long may be further than its leader knows, by what was sent to it meanwhile; it must have kept that much, or
// hashicorp/raft gives it an older snapshot than its own and then misses entries (a fleet's faults last long; raftnode keeps
// thousands).
func (c config) trailingLogs() uint64 {
	if c.fleet != nil {
		return 500
	}
	return 20
}

// cluster is a quorum of masters.
type cluster struct {
	cfg    config
	dice   *dice // of network, disks and clients
	net    *network
	ledger *ledger
	ghosts sync.WaitGroup // dead processes that are being cleared away

	mu      sync.Mutex
	masters []*master
	made    int // masters made so far, for ids
}

func newCluster(cfg config) *cluster {
	d := newDice(cfg.seed)
	c := &cluster{cfg: cfg, dice: d, net: newNetwork(d), ledger: newLedger()}
	var servers []raftnode.Server
	for range cfg.size {
		m := c.make()
		servers = append(servers, raftnode.Server{ID: m.id, Addr: m.id, Voter: true})
	}
	for _, m := range c.all() {
		m.start()
	}
	if err := c.all()[0].running().node.Bootstrap(servers); err != nil {
		c.ledger.violate("start", "bootstrap: %v", err)
	}
	return c
}

// make adds a master with an empty disk and a name of its own. It is not started.
func (c *cluster) make() *master {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	m := &master{id: fmt.Sprintf("m%d", c.made), cluster: c, ledger: c.ledger, disk: newDisk()}
	c.masters = append(c.masters, m)
	return m
}

// drop forgets a master for good, with its disk.
func (c *cluster) drop(m *master) {
	m.crash()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.masters = slices.DeleteFunc(slices.Clone(c.masters), func(x *master) bool { return x == m })
}

func (c *cluster) all() []*master {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.masters
}

// any is a process to talk to; nil where the one chosen is down.
func (c *cluster) any() *process {
	all := c.all()
	return all[c.dice.intn(len(all))].running()
}

// leader is the master that leads the newest term and is ready, nil while none is. A deposed one may think so too for a while.
func (c *cluster) leader() (leader *master) {
	var newest uint64
	for _, m := range c.all() {
		p := m.running()
		if p == nil {
			continue
		}
		if at := p.node.Stats(); at.Ready && at.State == "leader" && at.Term > newest {
			leader, newest = m, at.Term
		}
	}
	return leader
}

// awaitLeader waits until a master leads and is ready, at most for limit.
func (c *cluster) awaitLeader(limit time.Duration) *master {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) { // virtual
		if m := c.leader(); m != nil {
			return m
		}
	}
	return nil
}

// replaced waits until another master than the victim leads and is ready, at most for limit.
func (c *cluster) replaced(victim *master, limit time.Duration) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		led := c.ledger.watch()
		if m := c.leader(); m != nil && m != victim {
			return true
		}
		select {
		case <-led:
		case <-deadline.C:
			return false
		}
	}
}

// mend undoes every fault: cables, frozen and crashed processes, disks.
func (c *cluster) mend() {
	c.net.heal()
	for _, m := range c.all() {
		m.thaw()
		if p := m.running(); p != nil {
			p.files.setSlowest(normalWrite)
			p.files.unhang()
		} else {
			m.start()
		}
	}
}

// settleLimit is how long, in virtual time, a mended cluster may take until every master answers with everything. raft tells
// a follower that was away for long again after up to 10 s.
const settleLimit = 30 * time.Second

// settle waits until every master answers a linearizable read, and looks at all states.
func (c *cluster) settle(l *load) {
	audit := l.audit()
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	for _, m := range c.all() {
		for {
			p := m.running()
			if p == nil {
				if m.start(); m.running() == nil {
					break // its disk is damaged, which is noted
				}
				continue // it had given up on its disk by itself at the last moment
			}
			if s := c.read(ctx, p); s != nil {
				if err := s.Invariants(); err != nil {
					c.ledger.violate("invariants", "%s at index %d: %v", m.id, s.Index(), err)
				}
				audit(m.id, s)
				break
			}
			if ctx.Err() != nil {
				c.ledger.violate("no progress", "%s does not answer within %s of the last repair: %+v", m.id, settleLimit, p.node.Stats())
				return
			}
		}
	}
}

// read makes a linearizable read and checks it; nil if it did not come about.
func (c *cluster) read(ctx context.Context, p *process) *fsm.State {
	floor := c.ledger.beginRead()
	if !c.cfg.staleReads {
		if _, err := p.node.ReadBarrier(ctx); err != nil {
			return nil
		}
	}
	p.awake()
	s := p.state.State()
	if p.dead() {
		return nil
	}
	c.ledger.endRead(p.addr, floor, s)
	return s
}

// close stops everything; nothing may be left behind in the bubble.
func (c *cluster) close() {
	c.net.heal()
	for _, m := range c.all() {
		m.thaw()
		m.crash()
	}
	c.ghosts.Wait()
	time.Sleep(time.Minute) // virtual: messages and calls of the dead run into their time-outs
}

// lead is the duty of a leader: to plan after every change, with the real scheduler.
func (p *process) lead(ctx context.Context, term uint64) error {
	p.master.ledger.leads(p.addr, term)
	s, events := p.state.Subscribe()
	defer events.Close()
	var d *duty
	if f := p.master.cluster.cfg.fleet; f != nil {
		d = f.takeDuty(ctx, p, term, s)
		defer d.end()
	}
	for {
		out := scheduler.Plan(s, scheduler.DefaultSettings(), scheduler.Input{At: time.Now().UnixMilli(), Seed: term})
		if !out.Empty() {
			if _, _, err := p.node.ApplyLocal(ctx, fsm.Encode(&out.Plan, "")); err != nil && ctx.Err() == nil {
				_ = rest(ctx, 250*time.Millisecond) // as the master does
				s = p.state.State()
				continue
			}
		}
		next, happened, err := events.Next(ctx)
		if err != nil {
			return nil
		}
		s = next
		if d != nil {
			d.handle(happened)
		}
	}
}

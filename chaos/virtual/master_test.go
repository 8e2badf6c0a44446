package virtual

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/raftnode"
)

// master is a place in the quorum: a disk, and the process that runs on it, if any.
type master struct {
	id      string // and address
	cluster *cluster
	ledger  *ledger
	disk    *disk

	mu sync.Mutex
	up *process
}

// process is one life of a master.
type process struct {
	master *master
	addr   string
	node   *raftnode.Node
	state  *fsm.Machine
	files  *files
	trans  *transport
	gone   chan struct{} // closes at the crash
	duty   atomic.Pointer[duty]
	once   sync.Once
}

func (m *master) running() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.up
}

// start runs a process on what the disk holds.
func (m *master) start() {
	c := m.cluster
	p := &process{master: m, addr: m.id, gone: make(chan struct{})}
	p.state = fsm.New(fsm.Config{Fatal: func(err error) { p.fatal(err) }})
	p.files = openFiles(m.disk, c.dice, p.awake)
	p.files.lies = c.cfg.lyingDisks
	if at, ok := p.files.hole(); ok { // hashicorp/raft panics there; on a real disk raftnode looks first
		m.ledger.violate("lost", "%s does not start on its own disk: entry %d is missing", m.id, at)
		return
	}
	p.trans = newTransport(c.net, p, raftnode.ProfileNormal.RPC)
	var machine raftnode.Machine = whole{p.state}
	if c.cfg.sabotage != nil {
		machine = c.cfg.sabotage(m.id, machine)
	}
	node, err := raftnode.OpenOn(raftnode.Config{
		ID: m.id, Machine: &replica{Machine: machine, p: p}, Forwarder: forwarder{p}, Lead: p.lead, Fatal: p.fatal, Logger: logger(m.id),
		StallLimit:        c.cfg.stallLimit,
		SnapshotThreshold: 60, SnapshotInterval: 1500 * time.Millisecond, TrailingLogs: c.cfg.trailingLogs(),
	}, raftnode.Parts{Logs: p.files, Stable: p.files, Snapshots: snapshotFiles{p.files}, Transport: p.trans})
	if err != nil {
		m.ledger.violate("start", "%s does not start on its own disk: %v", m.id, err)
		return
	}
	p.node = node
	m.mu.Lock()
	m.up = p
	m.mu.Unlock()
	c.net.change(func() { c.net.procs[m.id] = p })
}

// crash ends the process as a power cut would: whatever it still does reaches neither network, nor disk, nor clients.
func (m *master) crash() {
	m.mu.Lock()
	p := m.up
	if p == nil {
		m.mu.Unlock()
		return
	}
	p.once.Do(func() { close(p.gone) })
	p.files.detach() // before another process may open the disk: one that has given up on it ends at any moment
	m.up = nil
	m.mu.Unlock()
	c := m.cluster
	c.net.change(func() { delete(c.net.procs, m.id); delete(c.net.frozen, m.id) })
	c.ghosts.Go(func() {
		if err := p.node.Close(); err != nil {
			m.ledger.violate("close", "%s: %v", m.id, err)
		}
	})
}

// freeze stops the process as SIGSTOP does. What arrives for it waits; nothing leaves it; raft's main loop stands still, so
// that its timers fire late.
func (m *master) freeze() {
	c := m.cluster
	c.net.change(func() { c.net.frozen[m.id] = true })
	if p := m.running(); p != nil {
		go func() {
			select {
			case p.trans.consumer <- raft.RPC{Command: &standstill{p}, RespChan: make(chan raft.RPCResponse, 1)}:
			case <-p.gone:
			case <-p.trans.closed:
			}
		}()
	}
}

func (m *master) thaw() {
	m.cluster.net.change(func() { delete(m.cluster.net.frozen, m.id) })
}

// standstill is a message that raft's main loop cannot get past until the process is thawed: it asks for the header first.
type standstill struct{ p *process }

func (s *standstill) GetRPCHeader() raft.RPCHeader {
	s.p.awake()
	time.Sleep(s.p.master.cluster.dice.upTo(normalLatency)) // nothing says that raft is the first to run again
	return raft.RPCHeader{}
}

func (p *process) dead() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// awake returns when the process is not frozen, or dead.
func (p *process) awake() { _ = p.awakeWithin(context.Background()) } // which does not end

// awakeWithin is awake for those who do not wait for ever.
func (p *process) awakeWithin(ctx context.Context) error {
	if p.dead() {
		return nil
	}
	return p.master.cluster.net.thawed(ctx, p.addr)
}

// fatal is the end of the process by its own will: allowed only to one whose disk hangs. It is started again when the
// fault is mended.
func (p *process) fatal(err error) {
	switch {
	case p.dead():
	case errors.Is(err, raftnode.ErrStalled):
		go p.master.crash()
	default:
		p.master.ledger.violate("fatal", "%s: %v", p.addr, err)
	}
}

// whole is the state machine as master has it.
type whole struct{ *fsm.Machine }

func (w whole) Snapshot() (raftnode.MachineSnapshot, error) { return image{w.State()}, nil }

type image struct{ state *fsm.State }

func (i image) Persist(w io.Writer) error { return i.state.Write(w) }
func (i image) Release()                  {}

// replica shows the ledger everything that a living process applies.
type replica struct {
	raftnode.Machine
	p *process
}

func (r *replica) Apply(index, term uint64, cmds [][]byte) [][]byte {
	r.p.awake()
	results := r.Machine.Apply(index, term, cmds)
	if !r.p.dead() {
		r.p.master.ledger.applied(r.p.addr, index, cmds, results)
		if index%digestEvery == 0 {
			r.p.master.ledger.digest(r.p.addr, r.p.state.State())
		}
	}
	return results
}

func (r *replica) Restore(source io.Reader) error {
	if err := r.Machine.Restore(source); err != nil {
		r.p.master.ledger.violate("restore", "%s: %v", r.p.addr, err)
		return err
	}
	r.p.master.ledger.restored(r.p.addr, r.p.state.State())
	return nil
}

// forwarder is a follower's line to the leader.
type forwarder struct{ p *process }

func (f forwarder) Forward(ctx context.Context, leaderID, _ string, cmd []byte) (result []byte, index uint64, err error) {
	err = f.ask(ctx, leaderID, func(leader *process) (err error) {
		result, index, err = leader.node.ApplyLocal(ctx, cmd)
		return err
	})
	return result, index, err
}

func (f forwarder) ReadIndex(ctx context.Context, leaderID, _ string) (index uint64, err error) {
	err = f.ask(ctx, leaderID, func(leader *process) (err error) {
		index, err = leader.node.ReadIndex(ctx)
		return err
	})
	return index, err
}

// ask makes one call to the leader. An answer that cannot come back is no answer.
func (f forwarder) ask(ctx context.Context, leaderID string, call func(*process) error) error {
	f.p.awake()
	defer f.p.awake()
	net := f.p.master.cluster.net
	leader, err := net.travel(ctx, f.p, leaderID)
	if err != nil {
		return fmt.Errorf("%w: %w", raftnode.ErrUnavailable, err)
	}
	answer := call(leader)
	if _, err := net.travel(ctx, leader, f.p.addr); err != nil {
		return fmt.Errorf("%w: %w", raftnode.ErrUnavailable, err)
	}
	if errors.Is(answer, raftnode.ErrClosed) {
		return fmt.Errorf("%w: connection closed", raftnode.ErrUnavailable)
	}
	return answer
}

// logger writes to stderr where FIRESTEEL_LOG is set.
func logger(id string) *slog.Logger {
	if os.Getenv("FIRESTEEL_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("master", id)
}

package raftnode

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTimeout bounds waits that end by an event long before.
const testTimeout = 30 * time.Second

// recorder is a machine that keeps every distinct command once, in order, as the real one does by request id.
type recorder struct {
	mu      sync.Mutex
	Order   []string
	Seen    map[string]uint64 // command -> index of its first application
	repeats int
	gap     bool // indexes went backwards
	last    uint64
	batches []int
}

func newRecorder() *recorder { return &recorder{Seen: make(map[string]uint64)} }

func (r *recorder) Apply(index, _ uint64, cmds [][]byte) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gap = r.gap || index <= r.last
	r.last = index
	r.batches = append(r.batches, len(cmds))
	results := make([][]byte, len(cmds))
	for i, cmd := range cmds {
		if _, ok := r.Seen[string(cmd)]; ok {
			r.repeats++
		} else {
			r.Seen[string(cmd)] = index
			r.Order = append(r.Order, string(cmd))
		}
		results[i] = []byte("did " + string(cmd))
	}
	return results
}

func (r *recorder) Snapshot() (MachineSnapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, err := json.Marshal(r)
	return recording(data), err
}

func (r *recorder) Restore(source io.Reader) error {
	var fresh recorder
	if err := json.NewDecoder(source).Decode(&fresh); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Order, r.Seen, r.last = fresh.Order, fresh.Seen, 0
	return nil
}

func (r *recorder) order() []string { return r.orderTo(^uint64(0)) }

// orderTo returns the commands of the entries up to index.
func (r *recorder) orderTo(index uint64) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var order []string
	for _, cmd := range r.Order {
		if r.Seen[cmd] <= index {
			order = append(order, cmd)
		}
	}
	return order
}

func (r *recorder) has(cmd string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.Seen[cmd]
	return ok
}

type recording []byte

func (r recording) Persist(w io.Writer) error { _, err := w.Write(r); return err }
func (r recording) Release()                  {}

// group is some nodes on loopback that forward to one another in process.
type group struct {
	t       *testing.T
	mu      sync.Mutex
	nodes   map[string]*Node
	configs map[string]Config
	records map[string]*recorder
}

func (g *group) Forward(ctx context.Context, leaderID, _ string, cmd []byte) ([]byte, uint64, error) {
	leader := g.find(leaderID)
	if leader == nil {
		return nil, 0, fmt.Errorf("%w: %s is down", ErrUnavailable, leaderID)
	}
	result, index, err := leader.ApplyLocal(ctx, cmd)
	return result, index, remote(err)
}

func (g *group) ReadIndex(ctx context.Context, leaderID, _ string) (uint64, error) {
	leader := g.find(leaderID)
	if leader == nil {
		return 0, fmt.Errorf("%w: %s is down", ErrUnavailable, leaderID)
	}
	index, err := leader.ReadIndex(ctx)
	return index, remote(err)
}

// remote turns a closed leader into what a network would show.
func remote(err error) error {
	if err == ErrClosed {
		return fmt.Errorf("%w: connection closed", ErrUnavailable)
	}
	return err
}

func (g *group) find(id string) *Node {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.nodes[id]
}

// newGroup opens size nodes m1, m2, ... and bootstraps them. change may alter a node's config.
func newGroup(t *testing.T, size int, change func(*Config)) *group {
	t.Helper()
	g := emptyGroup(t, size, change)
	var servers []Server
	for _, n := range g.all() {
		servers = append(servers, Server{ID: n.ID(), Addr: n.Addr(), Voter: true})
	}
	if err := g.find("m1").Bootstrap(servers); err != nil {
		t.Fatal(err)
	}
	g.leader()
	return g
}

// emptyGroup opens nodes that belong to no cluster yet.
func emptyGroup(t *testing.T, size int, change func(*Config)) *group {
	t.Helper()
	g := &group{t: t, nodes: make(map[string]*Node), configs: make(map[string]Config), records: make(map[string]*recorder)}
	t.Cleanup(g.closeAll)
	for i := 1; i <= size; i++ {
		id := fmt.Sprintf("m%d", i)
		cfg := Config{
			ID: id, DataDir: filepath.Join(t.TempDir(), id), Bind: "127.0.0.1:0", Profile: ProfileFast,
			Logger: testLogger(t, id), Forwarder: g, Fatal: func(err error) { t.Errorf("%s: fatal: %v", id, err) },
		}
		if change != nil {
			change(&cfg)
		}
		g.configs[id] = cfg
		g.open(id)
	}
	return g
}

// open starts the node, at its old address if it had one, with an empty machine.
func (g *group) open(id string) *Node {
	g.t.Helper()
	cfg := g.configs[id]
	record := newRecorder()
	cfg.Machine = record
	n, err := Open(g.t.Context(), cfg)
	if err != nil {
		g.t.Fatalf("open %s: %v", id, err)
	}
	cfg.Bind = n.Addr()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.configs[id], g.nodes[id], g.records[id] = cfg, n, record
	return n
}

// kill ends a node as SIGKILL would: its sockets close all at once, and nothing is handed over.
func (g *group) kill(id string) {
	g.t.Helper()
	n := g.find(id)
	g.mu.Lock()
	delete(g.nodes, id)
	g.mu.Unlock()
	_ = n.stream.Close()
	n.close.Do(func() { n.closed = n.shutdown() })
	if n.closed != nil {
		g.t.Errorf("kill %s: %v", id, n.closed)
	}
}

func (g *group) closeAll() {
	for _, n := range g.all() {
		if err := n.Close(); err != nil {
			g.t.Errorf("close %s: %v", n.ID(), err)
		}
	}
}

func (g *group) all() []*Node {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*Node
	for i := range 9 {
		if n := g.nodes[fmt.Sprintf("m%d", i)]; n != nil {
			all = append(all, n)
		}
	}
	return all
}

// leader waits until every live node agrees on a leader that is live and ready.
func (g *group) leader() *Node {
	g.t.Helper()
	var leader *Node
	await := func(n *Node) string {
		var id string
		g.eventually(n, "a live leader", func() bool { id = n.LeaderID(); return g.find(id) != nil })
		return id
	}
	for agreed := false; !agreed; {
		nodes := g.all()
		leader = g.find(await(nodes[0]))
		agreed = leader != nil
		for _, n := range nodes {
			agreed = agreed && leader != nil && await(n) == leader.ID()
		}
	}
	g.eventually(leader, "the barrier of its term", func() bool { return leader.ready.Load() != nil || !leader.IsLeader() })
	return leader
}

// eventually waits until the condition holds, looking again whenever n's leader view changes.
func (g *group) eventually(n *Node, what string, condition func() bool) {
	g.t.Helper()
	deadline := time.After(testTimeout)
	for {
		changed := n.Watch()
		if condition() {
			return
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Millisecond): // conditions other than the view have no event
		case <-deadline:
			g.t.Fatalf("%s: waited %s for %s; stats %+v", n.ID(), testTimeout, what, n.Stats())
		}
	}
}

func (g *group) follower() *Node {
	g.t.Helper()
	leader := g.leader()
	for _, n := range g.all() {
		if n != leader {
			return n
		}
	}
	g.t.Fatal("no follower")
	return nil
}

// propose has n commit cmd and fails the test if that does not work.
func (g *group) propose(n *Node, cmd string) uint64 {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	result, index, err := n.Propose(ctx, []byte(cmd))
	if err != nil {
		g.t.Fatalf("%s: propose %s: %v", n.ID(), cmd, err)
	}
	if string(result) != "did "+cmd {
		g.t.Fatalf("%s: propose %s: result %q", n.ID(), cmd, result)
	}
	return index
}

// read makes n linearizable.
func (g *group) read(n *Node) uint64 {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	index, err := n.ReadBarrier(ctx)
	if err != nil {
		g.t.Fatalf("%s: read: %v", n.ID(), err)
	}
	return index
}

// same fails the test unless all live machines hold the same commands in the same order, after a read barrier.
func (g *group) same() []string {
	g.t.Helper()
	var first []string
	index := g.read(g.all()[0]) // commands whose callers have gone may still come after it
	for i, n := range g.all() {
		if err := n.WaitApplied(g.t.Context(), index); err != nil {
			g.t.Fatalf("%s: index %d: %v", n.ID(), index, err)
		}
		order := g.records[n.ID()].orderTo(index)
		if i == 0 {
			first = order
		} else if fmt.Sprint(order) != fmt.Sprint(first) {
			g.t.Fatalf("machines differ:\n%v\n%v", first, order)
		}
	}
	return first
}

// testLogger logs to stderr when FIRESTEEL_LOG is set, and nowhere otherwise.
func testLogger(t *testing.T, id string) *slog.Logger {
	if os.Getenv("FIRESTEEL_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("test", t.Name(), "id", id)
}

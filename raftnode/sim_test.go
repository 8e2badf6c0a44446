package raftnode

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// sim is a cluster in virtual time: in-memory transports and stores, real everything else.
type sim struct {
	t   *testing.T
	rng *rand.Rand
	ids []string

	mu       sync.Mutex
	nodes    map[string]*Node
	trans    map[string]*raft.InmemTransport
	stores   map[string]storage
	records  map[string]*recorder
	isolated map[string]bool
	leaders  map[uint64]string                    // by term
	ledTerm  uint64                               // newest
	led      chan struct{}                        // closes when a newer term is led
	lead     func(id string)                      // called on each Lead, may be nil
	duty     func(ctx context.Context, id string) // what a leader does in its term, may be nil
	joining  map[string]bool                      // started on an empty disk
}

func newSim(t *testing.T, seed int64, size int) *sim {
	s := emptySim(t, seed)
	s.startAll(size)
	return s
}

// newFreshSim is newSim with nodes that await admission, as masters do.
func newFreshSim(t *testing.T, seed int64, size int) *sim {
	s := emptySim(t, seed)
	for i := 1; i <= size; i++ {
		s.joining[fmt.Sprintf("m%d", i)] = true
	}
	s.startAll(size)
	return s
}

func emptySim(t *testing.T, seed int64) *sim {
	return &sim{
		t: t, rng: rand.New(rand.NewSource(seed)), nodes: make(map[string]*Node), trans: make(map[string]*raft.InmemTransport),
		stores: make(map[string]storage), records: make(map[string]*recorder), isolated: make(map[string]bool),
		leaders: make(map[uint64]string), led: make(chan struct{}), joining: make(map[string]bool),
	}
}

func (s *sim) startAll(size int) {
	for i := 1; i <= size; i++ {
		id := fmt.Sprintf("m%d", i)
		s.ids = append(s.ids, id)
		store := raft.NewInmemStore()
		s.stores[id] = storage{logs: store, stable: store, snaps: raft.NewInmemSnapshotStore()}
		s.start(id)
	}
}

// start runs a node on its stores, with a fresh machine: after a crash only the disk is left.
func (s *sim) start(id string) {
	_, inner := raft.NewInmemTransportWithTimeout(raft.ServerAddress(id), 500*time.Millisecond)
	record := newRecorder()
	logger := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		logger = testLogger(s.t, id)
	}
	cfg := Config{
		ID: id, Machine: record, Forwarder: simForwarder{s, id}, Profile: ProfileNormal, Logger: logger,
		Lead: func(ctx context.Context, term uint64) error {
			s.leads(id, term)
			if s.duty != nil {
				s.duty(ctx, id)
			}
			<-ctx.Done()
			return nil
		},
		Fatal: func(err error) {
			s.t.Errorf("%s: fatal: %v", id, err)
		},
		SnapshotThreshold: 200, SnapshotInterval: 2 * time.Second, TrailingLogs: 50,
	}
	cfg.setDefaults()
	n, err := start(cfg, parts{storage: s.stores[id], transport: inner, identity: identity{NodeID: id, Joining: s.joining[id]}, logger: raftLogger(logger)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[id], s.trans[id], s.records[id] = n, inner, record
	s.rewire()
}

// stop crashes a node: nothing is handed over.
func (s *sim) stop(id string) {
	s.mu.Lock()
	n := s.nodes[id]
	delete(s.nodes, id)
	delete(s.trans, id)
	s.rewire()
	s.mu.Unlock()
	n.close.Do(func() { n.closed = n.shutdown() })
	if n.closed != nil {
		s.t.Errorf("stop %s: %v", id, n.closed)
	}
}

// rewire connects all that are up and not isolated. The caller holds mu.
func (s *sim) rewire() {
	for _, from := range s.trans {
		from.DisconnectAll()
	}
	for a, from := range s.trans {
		for b, to := range s.trans {
			if a != b && !s.isolated[a] && !s.isolated[b] {
				from.Connect(raft.ServerAddress(b), to)
			}
		}
	}
}

// wipe gives a node that is down an empty disk.
func (s *sim) wipe(id string) {
	store := raft.NewInmemStore()
	s.stores[id] = storage{logs: store, stable: store, snaps: raft.NewInmemSnapshotStore()}
}

func (s *sim) isolate(id string, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isolated[id] = cut
	s.rewire()
}

// leads checks that a term has one leader.
func (s *sim) leads(id string, term uint64) {
	s.mu.Lock()
	if before, ok := s.leaders[term]; ok {
		s.t.Errorf("term %d is led by %s and by %s", term, before, id)
	}
	s.leaders[term] = id
	if term > s.ledTerm {
		s.ledTerm = term
		close(s.led)
		s.led = make(chan struct{})
	}
	lead := s.lead
	s.mu.Unlock()
	if lead != nil {
		lead(id)
	}
}

// newLeader waits for a leader of a term above the given one.
func (s *sim) newLeader(above uint64) (id string, term uint64) {
	deadline := time.After(time.Minute) // virtual
	for {
		s.mu.Lock()
		term, led := s.ledTerm, s.led
		id = s.leaders[term]
		s.mu.Unlock()
		if term > above {
			return id, term
		}
		select {
		case <-led:
		case <-deadline:
			s.t.Fatalf("no leader above term %d within a minute", above)
		}
	}
}

func (s *sim) reachable(from, to string) *Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isolated[from] || s.isolated[to] {
		return nil
	}
	return s.nodes[to]
}

func (s *sim) node(id string) *Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[id]
}

func (s *sim) close() {
	for _, id := range s.ids {
		if n := s.node(id); n != nil {
			if err := n.Close(); err != nil {
				s.t.Errorf("close %s: %v", id, err)
			}
		}
	}
	time.Sleep(time.Minute) // virtual: calls to nodes that are gone run into their time-outs
}

type simForwarder struct {
	s    *sim
	from string
}

func (f simForwarder) Forward(ctx context.Context, leaderID, _ string, cmd []byte) ([]byte, uint64, error) {
	time.Sleep(time.Millisecond) // the network, in virtual time
	leader := f.s.reachable(f.from, leaderID)
	if leader == nil {
		return nil, 0, ErrUnavailable
	}
	result, index, err := leader.ApplyLocal(ctx, cmd)
	if f.s.reachable(f.from, leaderID) != leader {
		return nil, 0, ErrUnavailable // the answer is lost: the outcome is unknown
	}
	return result, index, remote(err)
}

func (f simForwarder) ReadIndex(ctx context.Context, leaderID, _ string) (uint64, error) {
	time.Sleep(time.Millisecond)
	leader := f.s.reachable(f.from, leaderID)
	if leader == nil {
		return 0, ErrUnavailable
	}
	index, err := leader.ReadIndex(ctx)
	return index, remote(err)
}

func (s *sim) bootstrap() {
	var servers []Server
	for _, id := range s.ids {
		servers = append(servers, Server{ID: id, Addr: id, Voter: true})
	}
	if err := s.node(s.ids[0]).Bootstrap(servers); err != nil {
		s.t.Fatal(err)
	}
}

// TestLeaderPartitions cuts leaders off, crashes them and has them hand over, hundreds of times in virtual time, under
// clients that write and read through all nodes.
func TestLeaderPartitions(t *testing.T) {
	t.Parallel()
	faults := 150 // for each of two seeds; FIRESTEEL_FAULTS=5000 makes a long run, FIRESTEEL_SEED says where they begin
	if testing.Short() {
		faults = 50
	}
	if n, err := strconv.Atoi(os.Getenv("FIRESTEEL_FAULTS")); err == nil {
		faults = n
	}
	first := int64(1)
	if n, err := strconv.ParseInt(os.Getenv("FIRESTEEL_SEED"), 10, 64); err == nil {
		first = n
	}
	for _, seed := range []int64{first, first + 1} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { leaderPartitions(t, seed, faults) })
			if t.Failed() {
				t.Logf("to replay: FIRESTEEL_SEED=%d FIRESTEEL_FAULTS=%d go test -count=5 -run '^TestLeaderPartitions$' ./raftnode", seed, faults)
			}
		})
	}
}

func leaderPartitions(t *testing.T, seed int64, faults int) {
	s := newSim(t, seed, 3)
	defer s.close()
	s.bootstrap()
	w := newWorkload(s)
	for range 4 {
		w.clients.Go(w.client)
	}
	_, term := s.newLeader(0)
	for range faults {
		leader, _ := s.newLeader(term - 1)
		term = s.fault(leader, term)
		time.Sleep(time.Duration(s.rng.Intn(1500)) * time.Millisecond)
	}
	w.finish()
	s.check(w, faults)
}

// fault disturbs the leader, and returns the newest term led afterwards.
func (s *sim) fault(leader string, term uint64) uint64 {
	switch s.rng.Intn(10) {
	case 0, 1: // crash, and restart from disk
		s.stop(leader)
		_, term = s.newLeader(term)
		s.start(leader)
	case 2: // planned handover; it may fail, which is no fault of ours
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_ = s.node(leader).TransferLeadership(ctx)
		cancel()
	default: // cut off, for longer than the others need or not
		s.isolate(leader, true)
		if s.rng.Intn(4) == 0 {
			time.Sleep(time.Duration(s.rng.Intn(900)) * time.Millisecond)
		} else {
			_, term = s.newLeader(term)
		}
		s.isolate(leader, false)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(term, s.ledTerm)
}

// workload is clients that write distinct commands and check that reads see what was acknowledged before.
type workload struct {
	s       *sim
	ctx     context.Context
	cancel  context.CancelFunc
	clients sync.WaitGroup

	mu    sync.Mutex
	count int
	acked []string
	reads int
}

func newWorkload(s *sim) *workload {
	w := &workload{s: s}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

func (w *workload) finish() {
	w.cancel()
	w.clients.Wait()
}

func (w *workload) client() {
	for w.ctx.Err() == nil {
		w.mu.Lock()
		w.count++
		cmd, via := fmt.Sprintf("c%d", w.count), w.s.ids[w.count%len(w.s.ids)]
		before := len(w.acked)
		w.mu.Unlock()
		w.write(cmd)
		if n := w.s.node(via); n != nil {
			w.read(n, via, before)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// write has cmd committed, through whichever node will, with the same bytes each time.
func (w *workload) write(cmd string) {
	for try := 0; w.ctx.Err() == nil; try++ {
		n := w.s.node(w.s.ids[(len(cmd)+try)%len(w.s.ids)])
		if n == nil {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if _, _, err := n.Propose(w.ctx, []byte(cmd)); err == nil {
			w.mu.Lock()
			w.acked = append(w.acked, cmd)
			w.mu.Unlock()
			return
		}
	}
}

// read checks that a linearizable read holds everything acknowledged before it began.
func (w *workload) read(n *Node, via string, before int) {
	ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
	defer cancel()
	if _, err := n.ReadBarrier(ctx); err != nil {
		return // no leader in time
	}
	w.s.mu.Lock()
	record, same := w.s.records[via], w.s.nodes[via] == n
	w.s.mu.Unlock()
	if !same {
		return // it was restarted meanwhile, with a machine that is still catching up
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	for _, cmd := range w.acked[max(0, before-5):before] {
		if !record.has(cmd) {
			w.s.t.Errorf("a linearizable read on %s misses %s, acknowledged before", via, cmd)
		}
	}
}

// check compares all machines at the end: equal, without gaps, and with every acknowledged command.
func (s *sim) check(w *workload, faults int) {
	var first []string
	for i, id := range s.ids {
		n := s.node(id)
		if _, err := n.ReadBarrier(context.Background()); err != nil {
			s.t.Fatalf("%s: final read: %v", id, err)
		}
		order := s.records[id].order()
		if i == 0 {
			first = order
		} else if fmt.Sprint(order) != fmt.Sprint(first) {
			s.t.Fatalf("machines of %s and %s differ", s.ids[0], id)
		}
		if s.records[id].gap {
			s.t.Errorf("%s applied entries out of order", id)
		}
	}
	applied := make(map[string]int, len(first))
	for _, cmd := range first {
		applied[cmd]++
	}
	for _, cmd := range w.acked {
		if applied[cmd] != 1 {
			s.t.Errorf("%s was acknowledged and is there %d times", cmd, applied[cmd])
		}
	}
	s.t.Logf("%d terms, %d commands acknowledged, %d linearizable reads", len(s.leaders), len(w.acked), w.reads)
	if len(w.acked) < 20*faults || w.reads < 10*faults {
		s.t.Fatalf("%d commands and %d reads are too few to prove anything", len(w.acked), w.reads)
	}
}

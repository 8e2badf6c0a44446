package raftnode

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// gate knows how long a write to the local log has been in flight.
//
// hashicorp/raft sends heartbeats from goroutines of their own, so a leader whose disk hangs keeps its followers quiet for
// ever while nothing commits (its issues 503, 612, 614). The gate is shut while a write is older than limit; the transport
// then refuses outgoing AppendEntries, and the others elect a leader that can write.
type gate struct {
	limit   time.Duration
	fatal   time.Duration
	changed chan struct{} // capacity 1: the gate was shut or opened
	onFatal func(stalled time.Duration)
	excuse  func() bool // the disk answers: what is in flight waits for something else (space), however long

	mu     sync.Mutex
	writes map[uint64]time.Time
	next   uint64
	shut   bool
	timer  *time.Timer // runs while a write is in flight
	due    time.Time   // when it should fire
}

func newGate(limit, fatal time.Duration, onFatal func(time.Duration)) *gate {
	return &gate{limit: limit, fatal: fatal, onFatal: onFatal, changed: make(chan struct{}, 1), writes: make(map[uint64]time.Time)}
}

// begin notes a write that starts now; the caller calls the result when it has ended.
func (g *gate) begin() (end func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := g.next
	g.next++
	g.writes[id] = time.Now()
	if len(g.writes) == 1 {
		g.arm(g.limit)
	}
	return func() { g.end(id) }
}

func (g *gate) end(id uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.writes, id)
	if len(g.writes) == 0 {
		g.timer.Stop()
		g.set(false)
		return
	}
	if g.age() < g.limit {
		g.set(false)
	}
	g.arm(g.limit - g.age())
}

// arm lets check run after d. The caller holds mu.
func (g *gate) arm(d time.Duration) {
	g.due = time.Now().Add(d)
	if g.timer == nil {
		g.timer = time.AfterFunc(d, g.check)
		return
	}
	g.timer.Reset(d)
}

// age is that of the oldest write in flight. The caller holds mu.
func (g *gate) age() time.Duration {
	var oldest time.Duration
	for _, start := range g.writes {
		oldest = max(oldest, time.Since(start))
	}
	return oldest
}

// check shuts the gate when the oldest write is too old, and gives up on the process when it has been shut for too long.
func (g *gate) check() {
	g.mu.Lock()
	g.forgive(time.Since(g.due))
	age := g.age()
	switch {
	case len(g.writes) == 0:
	case age < g.limit:
		g.arm(g.limit - age)
	case age < g.limit+g.fatal:
		g.set(true)
		g.arm(min(g.limit, g.limit+g.fatal-age))
	case g.excuse != nil && g.excuse():
		g.set(true)
		g.arm(g.fatal)
	default:
		g.set(true)
		g.mu.Unlock()
		g.onFatal(age)
		return
	}
	g.mu.Unlock()
}

// forgive takes out of the writes' ages the time for which this process itself stood still: its disk may have answered long
// ago, and it must not end on waking from a SIGSTOP. The caller holds mu.
func (g *gate) forgive(late time.Duration) {
	if late < g.limit {
		return
	}
	for id, start := range g.writes {
		g.writes[id] = start.Add(late)
	}
}

// set changes the gate and tells. The caller holds mu.
func (g *gate) set(shut bool) {
	if g.shut == shut {
		return
	}
	g.shut = shut
	select {
	case g.changed <- struct{}{}:
	default: // a signal is waiting already
	}
}

// isShut tells whether a write is older than the limit.
func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut
}

// gatedLogs times the writes of a log store.
type gatedLogs struct {
	raft.LogStore
	gate *gate
}

func (s *gatedLogs) StoreLog(log *raft.Log) error {
	defer s.gate.begin()()
	return s.LogStore.StoreLog(log)
}

func (s *gatedLogs) StoreLogs(logs []*raft.Log) error {
	defer s.gate.begin()()
	return s.LogStore.StoreLogs(logs)
}

// gatedStable times the writes of a stable store (terms and votes).
type gatedStable struct {
	raft.StableStore
	gate *gate
}

func (s *gatedStable) Set(key, val []byte) error {
	defer s.gate.begin()()
	return s.StableStore.Set(key, val)
}

func (s *gatedStable) SetUint64(key []byte, val uint64) error {
	defer s.gate.begin()()
	return s.StableStore.SetUint64(key, val)
}

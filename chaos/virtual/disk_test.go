package virtual

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// disk is what is left of a master when it crashes: what had reached the platter.
type disk struct {
	mu      sync.Mutex
	durable content
}

func newDisk() *disk {
	return &disk{durable: content{logs: map[uint64]*raft.Log{}, kv: map[string][]byte{}, nums: map[string]uint64{}}}
}

// content is a log, the votes and terms, and the newest two snapshots.
type content struct {
	logs      map[uint64]*raft.Log
	low, high uint64 // 0, 0: empty
	kv        map[string][]byte
	nums      map[string]uint64
	snaps     []saved // newest first
}

type saved struct {
	meta raft.SnapshotMeta
	data []byte
}

func (c *content) clone() content {
	out := *c
	out.logs, out.kv, out.nums = maps.Clone(c.logs), maps.Clone(c.kv), maps.Clone(c.nums)
	out.snaps = append([]saved(nil), c.snaps...)
	return out
}

func (c *content) store(logs []*raft.Log) {
	for _, l := range logs {
		c.logs[l.Index] = l
		if c.low == 0 {
			c.low = l.Index
		}
		c.high = max(c.high, l.Index)
	}
}

func (c *content) deleteRange(from, to uint64) {
	for i := from; i <= to; i++ {
		delete(c.logs, i)
	}
	if from <= c.low {
		c.low = to + 1
	}
	if to >= c.high {
		c.high = from - 1
	}
	if c.low > c.high {
		c.low, c.high = 0, 0
	}
}

// files is one process's view of its disk: raft.LogStore, raft.StableStore and raft.SnapshotStore. Its writes are atomic, as
// a bolt transaction is, and durable when they return, unless the disk lies.
type files struct {
	dice *dice
	wait func() // returns when the process is not frozen
	lies bool   // writes are acknowledged before they are durable: for sabotage

	mu      sync.Mutex
	disk    *disk // nil once the process is dead: nothing it does reaches the disk any more
	mem     content
	slowest time.Duration // a write takes up to this
	hung    chan struct{} // while not nil, writes wait for it to close
}

const normalWrite = time.Millisecond

func openFiles(d *disk, dice *dice, wait func()) *files {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &files{dice: dice, wait: wait, disk: d, mem: d.durable.clone(), slowest: normalWrite}
}

// detach leaves the disk as it is at this moment. What the dead process does from here on stays with it.
func (f *files) detach() {
	f.mu.Lock()
	f.disk = nil
	f.mu.Unlock()
	f.unhang()
	f.setSlowest(0)
}

func (f *files) setSlowest(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slowest = d
}

// hang makes all writes wait, those under way too.
func (f *files) hang() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.disk != nil && f.hung == nil {
		f.hung = make(chan struct{})
	}
}

func (f *files) unhang() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hung != nil {
		close(f.hung)
		f.hung = nil
	}
}

// pass takes d of the disk's time, and all of a hang.
func (f *files) pass(d time.Duration) {
	if d > 0 {
		time.Sleep(d)
	}
	for {
		f.mu.Lock()
		hung := f.hung
		f.mu.Unlock()
		if hung == nil {
			break
		}
		<-hung
	}
	f.wait()
}

// write changes the disk at one moment between its begin and its return.
func (f *files) write(change func(*content)) error {
	f.mu.Lock()
	total := time.Duration(f.dice.int63n(int64(f.slowest) + 1))
	f.mu.Unlock()
	before := time.Duration(f.dice.int63n(int64(total) + 1))
	if f.lies {
		go func() { f.pass(before + 200*time.Millisecond); f.sync(change) }()
	} else {
		f.pass(before)
		f.sync(change)
	}
	f.pass(total - before)
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.mem)
	return nil
}

// sync makes a change durable, if the process lives.
func (f *files) sync(change func(*content)) {
	f.mu.Lock()
	disk := f.disk
	f.mu.Unlock()
	if disk == nil {
		return
	}
	disk.mu.Lock()
	defer disk.mu.Unlock()
	change(&disk.durable)
}

func (f *files) FirstIndex() (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mem.low, nil
}

func (f *files) LastIndex() (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mem.high, nil
}

func (f *files) GetLog(index uint64, log *raft.Log) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.mem.logs[index]
	if !ok {
		return raft.ErrLogNotFound
	}
	*log = *l
	return nil
}

func (f *files) StoreLog(log *raft.Log) error { return f.StoreLogs([]*raft.Log{log}) }

func (f *files) StoreLogs(logs []*raft.Log) error {
	logs = copies(logs) // the caller's own are not ours to keep
	return f.write(func(c *content) { c.store(logs) })
}

func copies(logs []*raft.Log) []*raft.Log {
	out := make([]*raft.Log, len(logs))
	for i, l := range logs {
		own := *l
		out[i] = &own
	}
	return out
}

func (f *files) DeleteRange(from, to uint64) error {
	return f.write(func(c *content) { c.deleteRange(from, to) })
}

func (f *files) Set(key, val []byte) error {
	k, v := string(key), bytes.Clone(val)
	return f.write(func(c *content) { c.kv[k] = v })
}

func (f *files) Get(key []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if val, ok := f.mem.kv[string(key)]; ok {
		return val, nil
	}
	return nil, errNotFound
}

// hole finds an entry that is missing between the newest snapshot and the end of the log: a disk that keeps its word has none.
func (f *files) hole() (index uint64, found bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var from uint64
	if len(f.mem.snaps) > 0 {
		from = f.mem.snaps[0].meta.Index
	}
	for i := from + 1; i <= f.mem.high; i++ {
		if _, ok := f.mem.logs[i]; !ok {
			return i, true
		}
	}
	return 0, false
}

// errNotFound reads as raft expects it of a stable store.
var errNotFound = errors.New("not found")

func (f *files) SetUint64(key []byte, val uint64) error {
	k := string(key)
	return f.write(func(c *content) { c.nums[k] = val })
}

func (f *files) GetUint64(key []byte) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mem.nums[string(key)], nil
}

// snapshotFiles is the snapshots of files, kept apart since raft wants three interfaces with clashing names.
type snapshotFiles struct{ *files }

func (s snapshotFiles) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	return &sink{files: s.files, saved: saved{meta: raft.SnapshotMeta{
		Version: version, ID: fmt.Sprintf("%d-%d", term, index), Index: index, Term: term, Configuration: configuration, ConfigurationIndex: configurationIndex,
	}}}, nil
}

func (s snapshotFiles) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*raft.SnapshotMeta
	for _, snap := range s.mem.snaps {
		meta := snap.meta
		list = append(list, &meta)
	}
	return list, nil
}

func (s snapshotFiles) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, snap := range s.mem.snaps {
		if snap.meta.ID == id {
			meta := snap.meta
			return &meta, io.NopCloser(bytes.NewReader(snap.data)), nil
		}
	}
	return nil, nil, fmt.Errorf("no snapshot %s", id)
}

// sink is a snapshot being written; it is there, as a whole, once it is closed.
type sink struct {
	files *files
	saved saved
	over  bool
}

func (s *sink) Write(p []byte) (int, error) {
	s.saved.data = append(s.saved.data, p...)
	return len(p), nil
}

func (s *sink) Close() error {
	if s.over {
		return nil
	}
	s.over = true
	s.saved.meta.Size = int64(len(s.saved.data))
	return s.files.write(func(c *content) {
		c.snaps = append([]saved{s.saved}, c.snaps...)
		// As raft's file store: an old one that is finished late does not become the newest.
		slices.SortStableFunc(c.snaps, func(x, y saved) int {
			return cmp.Or(cmp.Compare(y.meta.Term, x.meta.Term), cmp.Compare(y.meta.Index, x.meta.Index))
		})
		c.snaps = c.snaps[:min(2, len(c.snaps))]
	})
}

func (s *sink) Cancel() error { s.over = true; return nil }
func (s *sink) ID() string    { return s.saved.meta.ID }

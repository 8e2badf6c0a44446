package membership

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/memberlist"
)

// EventKind is what happened to a member.
type EventKind uint8

// The kinds.
const (
	Joined    EventKind = iota + 1 // it is there, for the first time or again; a new life has a larger Incarnation
	Updated                        // its metadata or address changed
	Failed                         // nobody could reach it
	Left                           // it said goodbye
	Suspected                      // somebody's probe of it was not answered: a hint, which nothing takes back
)

// String returns the kind in lower case.
func (k EventKind) String() string {
	switch k {
	case Joined:
		return "joined"
	case Updated:
		return "updated"
	case Failed:
		return "failed"
	case Left:
		return "left"
	case Suspected:
		return "suspected"
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// Event is a change of a member other than this one.
type Event struct {
	Kind   EventKind
	Member Member // as last known
}

// Member is one that seems alive.
type Member struct {
	Meta
	Addr string // gossip address, host:port
}

// table is the view of who is alive. The library calls it with a lock held, so it only notes and returns.
//
// The library knows lives (names), callers know ids: of several lives with one id, the newest counts.
type table struct {
	self string // name of this life

	mu     sync.Mutex
	lives  map[string]Member // by the library's name
	lost   map[string]string // addresses of lives that failed, by name, to find them again after a partition
	queue  []Event
	wake   chan struct{} // capacity 1: the queue has something
	change chan struct{} // closes when the view changes
}

// maxLost bounds how many failed members are remembered.
const maxLost = 1024

var _ memberlist.EventDelegate = (*table)(nil)
var _ memberlist.AliveDelegate = (*table)(nil)

func newTable(self string) *table {
	return &table{
		self: self, lives: make(map[string]Member), lost: make(map[string]string),
		wake: make(chan struct{}, 1), change: make(chan struct{}),
	}
}

// NotifyAlive implements memberlist.AliveDelegate: a member that does not make itself understood is no peer.
func (t *table) NotifyAlive(node *memberlist.Node) error {
	_, err := decodeMeta(node.Meta)
	return err
}

// NotifyJoin implements memberlist.EventDelegate.
func (t *table) NotifyJoin(node *memberlist.Node) { t.note(node) }

// NotifyUpdate implements memberlist.EventDelegate.
func (t *table) NotifyUpdate(node *memberlist.Node) { t.note(node) }

func (t *table) note(node *memberlist.Node) {
	meta, err := decodeMeta(node.Meta)
	if err != nil {
		return // NotifyAlive has refused it
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before, known := t.current(meta.ID)
	t.lives[node.Name] = Member{Meta: meta, Addr: node.Address()}
	delete(t.lost, node.Name)
	after, _ := t.current(meta.ID)
	switch {
	case known && before == after:
		return
	case !known || before.Incarnation != after.Incarnation:
		t.tell(node.Name, Event{Joined, after})
	default:
		t.tell(node.Name, Event{Updated, after})
	}
}

// NotifyLeave implements memberlist.EventDelegate.
func (t *table) NotifyLeave(node *memberlist.Node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	gone, known := t.lives[node.Name]
	if !known {
		return
	}
	before, _ := t.current(gone.ID)
	delete(t.lives, node.Name)
	if !gone.Leaving && len(t.lost) < maxLost {
		t.lost[node.Name] = gone.Addr
	}
	after, other := t.current(gone.ID)
	switch {
	case other && before == after: // an older life; the newer one goes on
	case other:
		t.tell(node.Name, Event{Updated, after})
	case gone.Leaving:
		t.tell(node.Name, Event{Left, gone})
	default:
		t.tell(node.Name, Event{Failed, gone})
	}
}

// current returns the newest life of id. The caller holds mu.
func (t *table) current(id string) (newest Member, known bool) {
	for _, m := range t.lives {
		if m.ID == id && (!known || m.Incarnation > newest.Incarnation) {
			newest, known = m, true
		}
	}
	return newest, known
}

// tell queues an event about a life, unless it is this one. The caller holds mu.
func (t *table) tell(name string, e Event) {
	close(t.change)
	t.change = make(chan struct{})
	if name == t.self {
		return
	}
	t.queue = append(t.queue, e)
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// take returns the queued events.
func (t *table) take() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.queue
	t.queue = nil
	return events
}

// members returns the newest life of each id, in the order of ids.
func (t *table) members() []Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	newest := make(map[string]Member, len(t.lives))
	for _, m := range t.lives {
		if known, ok := newest[m.ID]; !ok || m.Incarnation > known.Incarnation {
			newest[m.ID] = m
		}
	}
	list := make([]Member, 0, len(newest))
	for _, m := range newest {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// watch returns a channel that closes when the view next changes.
func (t *table) watch() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.change
}

// peers tells how many other lives are known, and the addresses of all that are alive and of those that failed.
func (t *table) peers() (others int, alive map[string]bool, lost []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	alive = make(map[string]bool, len(t.lives))
	for name, m := range t.lives {
		alive[m.Addr] = true
		if name != t.self {
			others++
		}
	}
	for name, addr := range t.lost {
		if alive[addr] {
			delete(t.lost, name) // somebody else lives there now
			continue
		}
		lost = append(lost, addr)
	}
	return others, alive, lost
}

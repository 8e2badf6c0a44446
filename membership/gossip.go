package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// Joining is tried again after firstRetry, doubling up to maxRetry, until another member is known.
	firstRetry = 200 * time.Millisecond
	maxRetry   = 5 * time.Second
	// rejoinInterval is how often a member looks for seeds and for failed members, so that two halves of a partitioned
	// cluster find each other again: the library forgets the dead after half a minute.
	rejoinInterval = 10 * time.Second
	// updateTimeout bounds the wait for an update to be sent to enough members.
	updateTimeout = 2 * time.Second
)

// ErrClosed says that the member has left or was closed.
var ErrClosed = errors.New("gossip is closed")

// Gossip is this member. Its methods may be called from any goroutine.
type Gossip struct {
	cfg   Config
	log   *slog.Logger
	list  *memberlist.Memberlist
	table *table

	metaMu  sync.Mutex
	meta    Meta
	encoded atomic.Pointer[[]byte]
	updated chan struct{} // capacity 1
	started chan struct{} // closed when list is there

	announceMu sync.Mutex

	seedsMu  sync.Mutex
	seeds    []string
	joinNow  chan struct{} // capacity 1
	joined   chan struct{} // closes when another member was first seen
	joinOnce sync.Once

	leaveMu sync.Mutex
	left    bool
	leaving atomic.Bool
	ctx     context.Context
	cancel  context.CancelFunc
	close   sync.Once
	closed  error
	tasks   sync.WaitGroup
}

// Start makes this process a member. It knows nobody until Join.
func Start(cfg Config) (*Gossip, error) {
	cfg.setDefaults()
	if err := cfg.resolve(); err != nil {
		return nil, err
	}
	encoded, err := cfg.Meta.encode()
	if err != nil {
		return nil, err
	}
	conf := cfg.library()
	g := &Gossip{
		cfg: cfg, log: cfg.Logger, table: newTable(conf.Name), meta: cfg.Meta,
		updated: make(chan struct{}, 1), started: make(chan struct{}), joinNow: make(chan struct{}, 1), joined: make(chan struct{}),
	}
	g.encoded.Store(&encoded)
	g.ctx, g.cancel = context.WithCancel(context.Background())
	conf.Delegate, conf.Events, conf.Alive = delegate{g}, g.table, g.table
	conf.DisableTcpPingsForNode = g.probeFailed
	if g.list, err = memberlist.Create(conf); err != nil {
		g.cancel()
		return nil, startError(cfg, err)
	}
	close(g.started)
	g.tasks.Go(g.deliver)
	g.tasks.Go(g.joinLoop)
	g.tasks.Go(g.updateLoop)
	return g, nil
}

func startError(cfg Config, err error) error {
	addr := net.JoinHostPort(cfg.BindAddr, strconv.Itoa(cfg.BindPort))
	if strings.Contains(err.Error(), "address already in use") { // the library keeps no chain of errors
		return fmt.Errorf("gossip address %s is in use; stop the process that holds it, or choose another --gossip-port", addr)
	}
	return fmt.Errorf("cannot start gossip on %s: %w", addr, err)
}

// delegate gives the library this member's metadata.
type delegate struct{ g *Gossip }

func (d delegate) NodeMeta(int) []byte           { return *d.g.encoded.Load() }
func (delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (delegate) LocalState(bool) []byte          { return nil }
func (delegate) MergeRemoteState([]byte, bool)   {}

// Addr returns the gossip address that the others dial, host:port.
func (g *Gossip) Addr() string { return g.list.LocalNode().Address() }

// Meta returns what this member says about itself.
func (g *Gossip) Meta() Meta {
	g.metaMu.Lock()
	defer g.metaMu.Unlock()
	return g.meta
}

// Members returns all that seem alive, this one too, in the order of ids.
func (g *Gossip) Members() []Member { return g.table.members() }

// Masters returns the masters among Members.
func (g *Gossip) Masters() []Member { return g.withRole(RoleMaster) }

// Workers returns the workers among Members.
func (g *Gossip) Workers() []Member { return g.withRole(RoleWorker) }

func (g *Gossip) withRole(role Role) []Member {
	var list []Member
	for _, m := range g.Members() {
		if m.Role == role {
			list = append(list, m)
		}
	}
	return list
}

// Watch returns a channel that closes when Members next changes. Take it before asking.
func (g *Gossip) Watch() <-chan struct{} { return g.table.watch() }

// HealthScore tells how this member feels by its own probes: 0 is well, above 2 it should be looked at.
func (g *Gossip) HealthScore() int { return g.list.GetHealthScore() }

// UpdateMeta changes what this member says about itself, except for its id, role, incarnation and protocol. The others learn
// it within about a second. An error says that it would be too long, and nothing has changed.
func (g *Gossip) UpdateMeta(change func(*Meta)) error {
	changed, err := g.setMeta(change)
	if changed {
		signal(g.updated)
	}
	return err
}

// setMeta changes the metadata without telling anybody yet.
func (g *Gossip) setMeta(change func(*Meta)) (changed bool, err error) {
	g.metaMu.Lock()
	defer g.metaMu.Unlock()
	next := g.meta
	change(&next)
	next.ID, next.Role, next.Incarnation, next.Protocol = g.meta.ID, g.meta.Role, g.meta.Incarnation, g.meta.Protocol
	if next == g.meta {
		return false, nil
	}
	encoded, err := next.encode()
	if err != nil {
		return false, err
	}
	g.meta = next
	g.encoded.Store(&encoded)
	return true, nil
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default: // one is waiting already
	}
}

// updateLoop sends changed metadata.
func (g *Gossip) updateLoop() {
	for {
		select {
		case <-g.updated:
		case <-g.ctx.Done():
			return
		}
		if g.leaving.Load() {
			return // the library ignores updates from now on, and would let this wait
		}
		g.announce(updateTimeout)
	}
}

// announce sends the metadata and waits until it has been sent to enough members. A second one at the same time would take
// the first one's place and cut it short.
func (g *Gossip) announce(timeout time.Duration) {
	g.announceMu.Lock()
	defer g.announceMu.Unlock()
	if err := g.list.UpdateNode(timeout); err != nil {
		g.log.Debug("metadata not yet sent to all", "error", err)
	}
}

// deliver hands events to the callback.
func (g *Gossip) deliver() {
	for {
		select {
		case <-g.table.wake:
		case <-g.ctx.Done():
			return
		}
		for _, e := range g.table.take() {
			g.log.Debug("member "+e.Kind.String(), "member", e.Member.ID, "role", e.Member.Role.String(), "addr", e.Member.Addr)
			if g.cfg.OnEvent != nil {
				g.cfg.OnEvent(e)
			}
		}
	}
}

// Join names members to meet, as host:port. It returns at once: they are tried in the background until one is reached, and
// from time to time afterwards. Names are resolved at each try. A further call replaces the list.
func (g *Gossip) Join(addrs []string) {
	g.seedsMu.Lock()
	g.seeds = append([]string(nil), addrs...)
	g.seedsMu.Unlock()
	signal(g.joinNow)
}

// Joined returns a channel that closes when another member has been met.
func (g *Gossip) Joined() <-chan struct{} { return g.joined }

func (g *Gossip) joinLoop() {
	retry := firstRetry
	for {
		others, alive, lost := g.table.peers()
		pause := rejoinInterval
		if others == 0 {
			if others = g.meet(g.candidates(alive, lost)); others == 0 {
				pause, retry = retry, min(2*retry, maxRetry)
			}
		} else if candidates := g.candidates(alive, lost); len(candidates) > 0 {
			g.meet(candidates[rand.N(len(candidates)):][:1])
		}
		if others > 0 {
			retry = firstRetry
			g.joinOnce.Do(func() { close(g.joined) })
		}
		if !g.pause(pause/2 + rand.N(pause)) {
			return
		}
	}
}

// pause waits for d, Join, or the first member to call on this one; false when closed.
func (g *Gossip) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	var met <-chan struct{}
	select {
	case <-g.joined:
	default:
		met = g.table.watch()
	}
	select {
	case <-timer.C:
	case <-g.joinNow:
	case <-met:
	case <-g.ctx.Done():
		return false
	}
	return g.ctx.Err() == nil
}

// candidates are seeds and failed members that do not seem alive.
func (g *Gossip) candidates(alive map[string]bool, lost []string) []string {
	g.seedsMu.Lock()
	defer g.seedsMu.Unlock()
	var list []string
	for _, seed := range g.seeds {
		if !alive[seed] {
			list = append(list, seed)
		}
	}
	return append(list, lost...)
}

// meet calls on members and returns how many others are known then. Calling on itself does no harm and does not count.
func (g *Gossip) meet(addrs []string) int {
	for _, addr := range addrs {
		if g.ctx.Err() != nil {
			break
		}
		if _, err := g.list.Join([]string{addr}); err != nil {
			g.log.Debug("member not reached", "addr", addr, "error", err)
		}
	}
	others, _, _ := g.table.peers()
	return others
}

// Leave says goodbye, so that the others see Left and not Failed. It takes at most timeout; afterwards only Close is useful.
func (g *Gossip) Leave(timeout time.Duration) error {
	g.leaveMu.Lock()
	defer g.leaveMu.Unlock()
	if g.left || g.ctx.Err() != nil {
		return ErrClosed
	}
	g.left = true
	g.leaving.Store(true)
	// The library tells the others that a member is gone, but not why: the metadata does.
	if _, err := g.setMeta(func(m *Meta) { m.Leaving = true }); err != nil {
		g.log.Debug("cannot announce the leave", "error", err)
	}
	g.announce(timeout / 2)
	if err := g.list.Leave(timeout / 2); err != nil {
		return fmt.Errorf("leave gossip: %w; the others will find out by probing", err)
	}
	return nil
}

// Close stops at once, without a goodbye: the others will see Failed unless Leave came first. It is idempotent.
func (g *Gossip) Close() error {
	g.close.Do(func() {
		g.cancel()
		g.leaveMu.Lock()
		defer g.leaveMu.Unlock()
		g.closed = g.list.Shutdown()
		g.tasks.Wait()
	})
	return g.closed
}

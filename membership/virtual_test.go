package membership

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/hashicorp/memberlist"
)

// TestProfilesInVirtualTime checks the times that Profile computes against whole pools of members in virtual time: silent
// deaths are hinted at and known when it says, and nobody else is taken for dead. FIRESTEEL_LONG=1 takes pools of 1,000
// members, which need a minute each.
func TestProfilesInVirtualTime(t *testing.T) {
	n := 150
	if os.Getenv("FIRESTEEL_LONG") != "" {
		n = 1000
	}
	for _, p := range []Profile{ProfileNormal, ProfileFast, ProfileWAN} {
		t.Run(p.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { detection(t, p, n) })
		})
	}
}

const silentDeaths = 9

func detection(t *testing.T, p Profile, n int) {
	w := newWeb(t, p, n)
	time.Sleep(2 * p.ProbeInterval)
	began := time.Now()
	w.kill(silentDeaths)
	latest := 14*p.ProbeInterval + time.Duration(p.SuspicionMaxMult)*p.suspicion(n) // all but one in a million
	for deaths := 0; time.Since(began) < latest && deaths < silentDeaths; deaths, _ = w.known() {
		time.Sleep(10 * time.Millisecond)
	}
	hint, known := w.median(began)
	step := p.ProbeInterval
	if want := p.Hint(n); hint < p.ProbeTimeout || hint > want+4*step {
		t.Errorf("the median of the first hints came after %s, computed %s", hint, want)
	}
	if want := p.Detection(n); known < p.suspicion(n) || known > want+4*step {
		t.Errorf("the median of the deaths was known after %s, computed %s", known, want)
	}
	if deaths, wrong := w.known(); deaths != silentDeaths || wrong > 0 {
		t.Errorf("%d of %d deaths are known; %d of the living were taken for dead", deaths, silentDeaths, wrong)
	}
	t.Logf("%s, %d members: first hint %s (computed %s), first to know %s (computed %s), medians of %d", p.Name, n,
		hint.Round(time.Millisecond), p.Hint(n), known.Round(time.Millisecond), p.Detection(n), silentDeaths)
	w.close()
}

// web is a pool of members over a network of 1 ms without loss.
type web struct {
	t       *testing.T
	members []*memberlist.Memberlist

	mu     sync.Mutex
	lines  map[string]*line // by address
	dead   map[string]bool  // by name
	hinted map[string]time.Time
	gone   map[string]time.Time
	wrong  int
}

const latency = time.Millisecond

func newWeb(t *testing.T, p Profile, n int) *web {
	w := &web{t: t, lines: map[string]*line{}, dead: map[string]bool{}, hinted: map[string]time.Time{}, gone: map[string]time.Time{}}
	for i := range n {
		cfg := Config{BindAddr: "127.0.0.1", Profile: p, Meta: Meta{ID: fmt.Sprint(i), Role: RoleWorker}, Logger: slog.New(slog.DiscardHandler)}
		cfg.setDefaults()
		conf := cfg.library()
		conf.BindPort, conf.AdvertiseAddr, conf.AdvertisePort = 10000+i, "127.0.0.1", 10000+i
		conf.Events, conf.DisableTcpPingsForNode = watcher{w, conf.Name}, w.hint
		l := &line{web: w, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(10000+i)), packets: make(chan *memberlist.Packet, 4096), streams: make(chan net.Conn, 4096)}
		w.lines[l.addr], conf.Transport = l, l
		m, err := memberlist.Create(conf)
		if err != nil {
			t.Fatal(err)
		}
		w.members = append(w.members, m)
		time.Sleep(p.ProbeInterval / time.Duration(n)) // so that they do not all probe at one instant
	}
	// Everybody meets in no time: the first knows all after one round, all know all after another. What they have to tell
	// each other then is known, and is forgotten.
	for range 2 {
		for _, m := range w.members[1:] {
			if _, err := m.Join([]string{"127.0.0.1:10000"}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the first has taken it in: it refuses many at once
		}
	}
	for _, m := range w.members {
		if m.NumMembers() != n {
			t.Fatalf("%s knows %d members", m.LocalNode().Name, m.NumMembers())
		}
		queue := reflect.ValueOf(m).Elem().FieldByName("broadcasts")
		(*memberlist.TransmitLimitedQueue)(unsafe.Pointer(queue.Pointer())).Reset()
	}
	return w
}

// kill silences members: their packets are dropped.
func (w *web) kill(count int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range count {
		m := w.members[(i+1)*len(w.members)/(count+1)]
		w.dead[m.LocalNode().Name] = true
		w.lines[m.LocalNode().Address()].cut = true
	}
}

// known is how many deaths are known, and how many times one of the living was taken for dead.
func (w *web) known() (deaths, wrong int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.gone), w.wrong
}

// median of the times after which deaths were first hinted at and known.
func (w *web) median(began time.Time) (hint, known time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	middle := func(times map[string]time.Time) time.Duration {
		var all []time.Duration
		for _, at := range times {
			all = append(all, at.Sub(began))
		}
		if len(all) == 0 {
			return 0
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return middle(w.hinted), middle(w.gone)
}

func (w *web) hint(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.hinted[name]; !ok && w.dead[name] {
		w.hinted[name] = time.Now()
	}
	return false
}

func (w *web) close() {
	for _, m := range w.members {
		_ = m.Shutdown()
	}
	time.Sleep(time.Minute) // what is under way ends by its own limits
}

// watcher sees what a member believes of the others. One that is cut off believes all of them dead, which does not count.
type watcher struct {
	w    *web
	name string
}

func (watcher) NotifyJoin(*memberlist.Node)   {}
func (watcher) NotifyUpdate(*memberlist.Node) {}
func (x watcher) NotifyLeave(n *memberlist.Node) {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	if x.w.dead[x.name] {
		return
	}
	if !x.w.dead[n.Name] {
		x.w.wrong++
	} else if _, ok := x.w.gone[n.Name]; !ok {
		x.w.gone[n.Name] = time.Now()
	}
}

// line is a member's connection to the web.
type line struct {
	web     *web
	addr    string
	packets chan *memberlist.Packet
	streams chan net.Conn
	cut     bool // guarded by web.mu
}

var _ memberlist.Transport = (*line)(nil)

func (l *line) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	return net.ParseIP(ip), port, nil
}

func (l *line) PacketCh() <-chan *memberlist.Packet { return l.packets }
func (l *line) StreamCh() <-chan net.Conn           { return l.streams }
func (l *line) Shutdown() error                     { return nil }

// to gives the line to an address, where neither end is cut.
func (l *line) to(addr string) (*line, bool) {
	l.web.mu.Lock()
	defer l.web.mu.Unlock()
	o, ok := l.web.lines[addr]
	return o, ok && !o.cut && !l.cut
}

func (l *line) WriteTo(b []byte, addr string) (time.Time, error) {
	at := time.Now()
	if o, ok := l.to(addr); ok {
		p := &memberlist.Packet{Buf: slices.Clone(b), From: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port(l.addr)}}
		time.AfterFunc(latency, func() {
			p.Timestamp = time.Now()
			select {
			case o.packets <- p:
			default: // as a full socket does
			}
		})
	}
	return at, nil
}

func (l *line) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	o, ok := l.to(addr)
	if !ok {
		time.Sleep(timeout)
		return nil, errors.New("i/o timeout")
	}
	ours, theirs := net.Pipe()
	o.streams <- theirs
	return ours, nil
}

func port(addr string) int {
	_, p, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(p)
	return n
}

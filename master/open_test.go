package master

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/raftnode"
)

func testConfig(t *testing.T, id, dir string) Config {
	t.Helper()
	host, anyPort := "127.0.0.1", 0
	spark, err := config.LoadMaster(config.MasterFlags{Host: &host, Port: &anyPort, WebUIPort: &anyPort, RESTPort: &anyPort}, config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return Config{ID: id, DataDir: filepath.Join(dir, id), Spark: spark, BootstrapExpect: 1, Profile: "fast", Logger: quiet().With("master", id)}
}

func open(t *testing.T, cfg Config) *Master {
	t.Helper()
	m, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close %s: %v", cfg.ID, err)
		}
	})
	return m
}

// openOne starts a cluster of one master.
func openOne(t *testing.T, change ...func(*Config)) *Master {
	t.Helper()
	cfg := testConfig(t, "m1", t.TempDir())
	for _, f := range change {
		f(&cfg)
	}
	m := open(t, cfg)
	leads(t, m)
	return m
}

// openThree starts a cluster of three.
func openThree(t *testing.T, change ...func(*Config)) []*Master {
	t.Helper()
	dir := t.TempDir()
	ports := freePorts(t, 3)
	var join []string
	for _, p := range ports {
		join = append(join, net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
	}
	var out []*Master
	for i, p := range ports {
		cfg := testConfig(t, "m"+strconv.Itoa(i+1), dir)
		cfg.BootstrapExpect, cfg.GossipPort, cfg.Join = 3, p, join
		for _, f := range change {
			f(&cfg)
		}
		out = append(out, open(t, cfg))
	}
	leader(t, out)
	for _, m := range out {
		eventually(t, m, "it knows the others", func(*fsm.State) bool { return len(m.node.Servers()) == 3 && m.node.LeaderID() != "" })
	}
	return out
}

// The ports given to tests lie below those that Linux takes for outgoing connections, and none is given twice, so a master
// that comes back finds its own free.
var givenPorts = struct {
	sync.Mutex
	all map[int]bool
}{all: map[int]bool{}}

// freePorts finds ports that are free for TCP and UDP.
func freePorts(t *testing.T, n int) (out []int) {
	t.Helper()
	givenPorts.Lock()
	defer givenPorts.Unlock()
	for range 1000 {
		if len(out) == n {
			return out
		}
		port := 10_000 + rand.IntN(8_000)
		if givenPorts.all[port] || !isFree(port) {
			continue
		}
		givenPorts.all[port] = true
		out = append(out, port)
	}
	t.Fatal("no free ports")
	return nil
}

func isFree(port int) bool {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	defer udp.Close()
	return true
}

// leads waits until a master's duties have begun.
func leads(t *testing.T, m *Master) {
	t.Helper()
	dutiesOf(t, []*Master{m})
}

// leader waits until one of the masters leads and does its duties, and gives it.
func leader(t *testing.T, masters []*Master) *Master {
	t.Helper()
	return dutiesOf(t, masters).m
}

func dutiesOf(t *testing.T, masters []*Master) *duties {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		for _, m := range masters {
			if d := m.duties.Load(); d != nil && d.ctx.Err() == nil {
				return d
			}
		}
		if !delay.For(ctx, time.Millisecond) { // duties are no event that a test could wait for
			t.Fatal("nobody leads")
		}
	}
}

// follower gives a master that does not lead.
func follower(t *testing.T, masters []*Master) *Master {
	t.Helper()
	l := leader(t, masters)
	for _, m := range masters {
		if m != l {
			return m
		}
	}
	t.Fatal("no follower")
	return nil
}

// eventually waits until a master's state is as it should be.
func eventually(t *testing.T, m *Master, what string, ok func(s *fsm.State) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, sub := m.fsm.Subscribe()
	defer sub.Close()
	for !ok(m.fsm.State()) {
		wait, stop := context.WithTimeout(ctx, 20*time.Millisecond) // some conditions are not the state's alone
		_, _, _ = sub.Next(wait)
		stop()
		if ctx.Err() != nil {
			t.Fatalf("%s: it did not come to that", what)
		}
	}
}

func lastOf[T any](seq iter.Seq[T]) (out T, ok bool) {
	for v := range seq {
		out, ok = v, true
	}
	return out, ok
}

func ended(s *fsm.State) (*fsm.App, bool) {
	c, ok := lastOf(s.CompletedApps())
	if !ok {
		return nil, false
	}
	return c.App, true
}

func TestOpenThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		name   string
		change func(*Config)
	}{
		{"Spark port taken", func(c *Config) { c.Spark.Port = taken.Addr().(*net.TCPAddr).Port }},
		{"gossip port taken", func(c *Config) { c.GossipPort = taken.Addr().(*net.TCPAddr).Port }},
		{"profile", func(c *Config) { c.Profile = "leisurely" }},
		{"policy", func(c *Config) { c.Spark.WorkerSelectionPolicy = "BEST" }},
		{"id pattern", func(c *Config) { c.Spark.AppIDPattern = "app-%s-%x" }},
	} {
		cfg := testConfig(t, "m1", t.TempDir())
		tt.change(&cfg)
		m, err := Open(t.Context(), cfg)
		if err == nil {
			t.Errorf("%s: opened", tt.name)
			m.Close()
		}
	}
}

func TestCloseTwice(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Error(err)
	}
	if _, err := propose[none](t.Context(), m, &fsm.ClearCompleted{}); !errors.Is(err, raftnode.ErrClosed) {
		t.Errorf("a command to a closed master: %v", err)
	}
}

func TestWaitWorkers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := testConfig(t, "m1", dir)
	cfg.RPCPort = freePorts(t, 1)[0]
	first := open(t, cfg)
	leads(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	m := open(t, cfg) // nothing is written in a second life, and so nothing tells of a change
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := m.WaitWorkers(ctx, 0); err != nil {
		t.Error(err)
	}
	short, stop := context.WithCancel(ctx)
	stop()
	if err := m.WaitWorkers(short, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("no worker, and %v", err)
	}
}

// A master with a log may be elected while its doors and gossip are still being opened: its duties need them.
func TestDutiesWaitForTheDoors(t *testing.T) {
	t.Parallel()
	m := &Master{opened: make(chan struct{})} // nothing else is there yet
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.lead(ctx, 1); err != nil {
		t.Error(err)
	}
}

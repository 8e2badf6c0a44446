package membership

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"go.uber.org/goleak"
)

// TestMain looks for goroutines that are left: for longer than goleak does by itself, since a probe of the library outlives
// its member by up to four probe intervals.
func TestMain(m *testing.M) {
	code := m.Run()
	err := goleak.Find()
	for range 10 {
		if err == nil {
			break
		}
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// testTimeout bounds waits that end by an event long before.
const testTimeout = 30 * time.Second

// peer is a member with its events.
type peer struct {
	*Gossip
	events chan Event
}

func startPeer(t *testing.T, id string, change func(*Config)) *peer {
	t.Helper()
	p := &peer{events: make(chan Event, 1000)}
	cfg := Config{
		Label: "test", BindAddr: "127.0.0.1", Profile: ProfileFast, Meta: Meta{ID: id, Role: RoleMaster, RaftAddr: "r-" + id},
		OnEvent: func(e Event) { p.events <- e }, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	g, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	p.Gossip = g
	return p
}

// startPeers starts members that have all met.
func startPeers(t *testing.T, count int) []*peer {
	t.Helper()
	var peers []*peer
	for i := range count {
		p := startPeer(t, fmt.Sprintf("m%d", i), nil)
		peers = append(peers, p)
		p.Join([]string{peers[0].Addr()})
	}
	for _, p := range peers {
		p.sees(t, count)
	}
	return peers
}

// sees waits until the member sees count members.
func (p *peer) sees(t *testing.T, count int) {
	t.Helper()
	deadline := time.After(testTimeout)
	for {
		changed := p.Watch()
		if len(p.Members()) == count {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s sees %v, want %d members", p.Meta().ID, p.Members(), count)
		}
	}
}

// expect waits for an event of the given kind about id, and returns it; other events about id fail the test.
func (p *peer) expect(t *testing.T, kind EventKind, id string) Event {
	t.Helper()
	deadline := time.After(testTimeout)
	for {
		select {
		case e := <-p.events:
			if e.Member.ID != id || e.Kind == Suspected { // a lost packet is enough for that
				continue
			}
			if e.Kind != kind {
				t.Fatalf("%s: %s %s, want %s", p.Meta().ID, id, e.Kind, kind)
			}
			return e
		case <-deadline:
			t.Fatalf("%s: no event %q about %s", p.Meta().ID, kind, id)
		}
	}
}

func TestJoinAndMetadata(t *testing.T) {
	t.Parallel()
	peers := startPeers(t, 4)
	for _, p := range peers {
		for i, m := range p.Masters() {
			if want := fmt.Sprintf("m%d", i); m.ID != want || m.RaftAddr != "r-"+want || m.Protocol != ProtocolVersion || m.Incarnation == 0 {
				t.Errorf("%s sees %+v at %d", p.Meta().ID, m, i)
			}
		}
		if w := p.Workers(); len(w) != 0 {
			t.Errorf("workers %v", w)
		}
		<-p.Joined()
	}
	if e := peers[0].expect(t, Joined, "m3"); e.Member.Addr != peers[3].Addr() {
		t.Errorf("address %s, want %s", e.Member.Addr, peers[3].Addr())
	}
	err := peers[1].UpdateMeta(func(m *Meta) { m.Bootstrapped, m.ClusterID, m.ID = true, "c1", "other" })
	if err != nil {
		t.Fatal(err)
	}
	peers[2].expect(t, Joined, "m1")
	if e := peers[2].expect(t, Updated, "m1"); !e.Member.Bootstrapped || e.Member.ClusterID != "c1" {
		t.Errorf("update %+v", e.Member)
	}
}

func TestFailureIsSeen(t *testing.T) {
	t.Parallel()
	peers := startPeers(t, 3)
	addr := peers[2].Addr()
	if err := peers[2].Close(); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers[:2] {
		p.expect(t, Joined, "m2")
		if e := p.expect(t, Failed, "m2"); e.Member.Addr != addr {
			t.Errorf("event %+v", e)
		}
		p.sees(t, 2)
	}
}

func TestLeaveIsNoFailure(t *testing.T) {
	t.Parallel()
	peers := startPeers(t, 3)
	if err := peers[2].Leave(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers[:2] {
		p.expect(t, Joined, "m2")
		p.expect(t, Updated, "m2") // it says that it is leaving
		if e := p.expect(t, Left, "m2"); !e.Member.Leaving {
			t.Errorf("event %+v", e)
		}
	}
	if err := peers[2].Leave(time.Second); !errors.Is(err, ErrClosed) {
		t.Errorf("second leave: %v", err)
	}
	if err := errors.Join(peers[2].Close(), peers[2].Close()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// A member that comes back at another port, before its old life was given up, is there at once, and the old life's end is
// not reported.
func TestRestartAtAnotherPort(t *testing.T) {
	t.Parallel()
	peers := startPeers(t, 2)
	peers[0].expect(t, Joined, "m1")
	old := peers[1].Meta().Incarnation
	if err := peers[1].Close(); err != nil {
		t.Fatal(err)
	}
	again := startPeer(t, "m1", nil)
	again.Join([]string{peers[0].Addr()})
	if e := peers[0].expect(t, Joined, "m1"); e.Member.Incarnation <= old || e.Member.Addr != again.Addr() {
		t.Fatalf("event %+v", e)
	}
	// The next word about m1 is its goodbye, not the failure of its old life.
	lives := func() int {
		peers[0].table.mu.Lock()
		defer peers[0].table.mu.Unlock()
		return len(peers[0].table.lives)
	}
	for deadline := time.Now().Add(testTimeout); lives() > 2 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // the old life ends without an event
	}
	if err := again.Leave(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	peers[0].expect(t, Updated, "m1")
	peers[0].expect(t, Left, "m1")
}

func TestJoinIsTriedAgain(t *testing.T) {
	t.Parallel()
	first := startPeer(t, "m0", nil)
	addr := first.Addr()
	port := first.list.LocalNode().Port
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	early := startPeer(t, "m1", nil)
	early.Join([]string{addr})
	late := startPeer(t, "m0", func(c *Config) { c.BindPort = int(port) })
	early.sees(t, 2)
	late.sees(t, 2)
	<-early.Joined()
}

func TestWrongKeyAndLabelAreRefused(t *testing.T) {
	t.Parallel()
	var logged syncBuffer
	key := func(fill byte) func(*Config) {
		return func(c *Config) {
			c.Key = bytes.Repeat([]byte{fill}, KeySize)
			c.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		}
	}
	home := startPeer(t, "m0", key(1))
	good := startPeer(t, "m1", key(1))
	good.Join([]string{home.Addr()})
	home.sees(t, 2)
	if _, err := startPeer(t, "m2", key(2)).list.Join([]string{home.Addr()}); err == nil {
		t.Error("a member with another key got in")
	}
	if _, err := startPeer(t, "m3", nil).list.Join([]string{home.Addr()}); err == nil {
		t.Error("a member without a key got in")
	}
	stranger := startPeer(t, "m4", func(c *Config) { key(1)(c); c.Label = "other" })
	if _, err := stranger.list.Join([]string{home.Addr()}); err == nil {
		t.Error("a member of another label got in")
	}
	home.sees(t, 2)
	if !strings.Contains(logged.String(), "level=WARN") {
		t.Errorf("the operator was not told: %s", logged.String())
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

func TestKeyRequired(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0", "192.0.2.1", "::"} {
		_, err := Start(Config{BindAddr: addr, Meta: Meta{ID: "m", Role: RoleWorker}})
		if !errors.Is(err, ErrKeyRequired) || !strings.Contains(err.Error(), "--gossip-key-file") || !strings.Contains(err.Error(), "clusterd keygen") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, cfg := range []Config{
		{Meta: Meta{ID: "m", Role: RoleWorker}},
		{BindAddr: "127.0.0.1", Meta: Meta{ID: "m"}},
		{BindAddr: "127.0.0.1", Meta: Meta{Role: RoleWorker}},
		{BindAddr: "127.0.0.1", Key: []byte("short"), Meta: Meta{ID: "m", Role: RoleWorker}},
		{BindAddr: "127.0.0.1", Meta: Meta{ID: strings.Repeat("x", MaxMeta), Role: RoleWorker}},
	} {
		if g, err := Start(cfg); err == nil {
			t.Errorf("accepted %+v", cfg)
			_ = g.Close()
		}
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	first := startPeer(t, "m0", nil)
	_, err := Start(Config{BindAddr: "127.0.0.1", BindPort: int(first.list.LocalNode().Port), Meta: Meta{ID: "m1", Role: RoleMaster}, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "is in use; stop the process") {
		t.Fatalf("error %v", err)
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := GenerateKey()
	if text == GenerateKey() {
		t.Fatal("keys repeat")
	}
	key, err := LoadKeyFile(write("good", text+"\n", 0o600))
	if err != nil || len(key) != KeySize {
		t.Fatalf("key of %d bytes, %v", len(key), err)
	}
	for name, path := range map[string]string{
		"missing": filepath.Join(dir, "none"), "directory": dir, "open": write("open", text, 0o640), "short": write("short", "AAAA", 0o600),
		"no base64": write("plain", "!!", 0o600), "empty": write("empty", "", 0o600), "huge": write("huge", strings.Repeat("A", 8192), 0o600),
	} {
		if _, err := LoadKeyFile(path); !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMetaRoundTripAndLimits(t *testing.T) {
	t.Parallel()
	full := Meta{
		Role: RoleMaster, ID: strings.Repeat("i", 64), ClusterID: strings.Repeat("c", 36), Host: strings.Repeat("h", 128), SparkPort: 7077, RESTPort: 6066,
		WebUIPort: 8080, RPCPort: 7078, RaftAddr: strings.Repeat("r", 134), Expect: 5, Bootstrapped: true, Incarnation: 1 << 62, Protocol: 1, Leaving: true,
	}
	data, err := full.encode()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := decodeMeta(data); err != nil || back != full {
		t.Fatalf("got %+v, %v", back, err)
	}
	// A later release's keys are skipped.
	newer, err := cbor.Marshal(map[int]any{1: 2, 2: "w", 12: 7, 13: 9, 99: "later"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := decodeMeta(newer); err != nil || m.ID != "w" || m.Role != RoleWorker {
		t.Fatalf("got %+v, %v", m, err)
	}
}

func FuzzDecodeMeta(f *testing.F) {
	data, err := Meta{Role: RoleWorker, ID: "w"}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := decodeMeta(data); err == nil && (m.ID == "" || m.Role == 0) {
			t.Fatalf("accepted %+v", m)
		}
	})
}

func TestUpdateTooLongChangesNothing(t *testing.T) {
	t.Parallel()
	p := startPeer(t, "m0", nil)
	before := p.Meta()
	if err := p.UpdateMeta(func(m *Meta) { m.Host = strings.Repeat("h", MaxMeta) }); !errors.Is(err, ErrMeta) {
		t.Fatalf("error %v", err)
	}
	if p.Meta() != before {
		t.Fatal("the metadata changed")
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "normal", "fast", "wan"} {
		if p, err := ProfileByName(name); err != nil || (name != "" && p.Name != name) {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
	}
	if _, err := ProfileByName("slow"); err == nil {
		t.Error("accepted slow")
	}
}

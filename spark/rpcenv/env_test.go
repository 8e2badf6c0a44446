package rpcenv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// endpoint is an Endpoint of functions.
type endpoint struct {
	receive      func(p *Peer, m messages.Message)
	reply        func(p *Peer, m messages.Message) (messages.Message, error)
	disconnected func(p *Peer, err error)
}

func (e endpoint) Receive(p *Peer, m messages.Message) {
	if e.receive != nil {
		e.receive(p, m)
	}
}

func (e endpoint) ReceiveAndReply(p *Peer, m messages.Message) (messages.Message, error) {
	if e.reply == nil {
		return &messages.Boolean{Value: true}, nil
	}
	return e.reply(p, m)
}

func (e endpoint) Disconnected(p *Peer, err error) {
	if e.disconnected != nil {
		e.disconnected(p, err)
	}
}

// server is an environment on loopback with an endpoint "Master".
func server(t *testing.T, e Endpoint) (*Env, wire.Address) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := wire.Address{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port}
	env := New(Config{Address: addr, Endpoints: map[string]Endpoint{"Master": e}, Logger: slog.New(slog.DiscardHandler)})
	env.Serve(ln)
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	return env, addr
}

// table finds the class table that has a release.
func table(t *testing.T, version, scala string) *releases.Table {
	t.Helper()
	for _, tab := range releases.Tables() {
		for _, r := range tab.Releases() {
			if r.Version == version && tab.Scala() == scala {
				return tab
			}
		}
	}
	t.Fatalf("no table of %s for Scala %s", version, scala)
	return nil
}

// client dials as a Spark process of a release would.
func client(t *testing.T, to wire.Address, tab *releases.Table, e Endpoint) *Peer {
	t.Helper()
	env := New(Config{Address: wire.Address{Host: "w7", Port: 41001}, Endpoints: map[string]Endpoint{"Worker": e}, Logger: slog.New(slog.DiscardHandler)})
	p, err := env.Dial(ctx(t), to, Dialect{Table: tab})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); <-p.Served() })
	return p
}

// raw dials below the environment, to send what no environment would.
func raw(t *testing.T, to wire.Address) *wire.Conn {
	t.Helper()
	h := &rawHandler{closed: make(chan struct{})}
	c, err := wire.Dial(ctx(t), to, wire.Config{Handler: h})
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	t.Cleanup(func() { c.Close(); <-h.closed })
	return c
}

type rawHandler struct{ closed chan struct{} }

func (*rawHandler) Ask(*wire.Conn, wire.Envelope) ([]byte, error) { return nil, errors.New("no") }
func (*rawHandler) Send(*wire.Conn, wire.Envelope)                {}
func (h *rawHandler) Closed(*wire.Conn, error)                    { close(h.closed) }

func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return c
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("not reached")
	}
}

func encoded(t *testing.T, m messages.Message, tab *releases.Table) []byte {
	t.Helper()
	b, err := Encode(m, Dialect{Table: tab})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVerifier(t *testing.T) {
	t.Parallel()
	_, addr := server(t, endpoint{})
	for _, release := range [][2]string{{"3.5.7", "2.12"}, {"4.1.4", "2.13"}} {
		p := client(t, addr, table(t, release[0], release[1]), endpoint{})
		for name, want := range map[string]bool{"Master": true, Verifier: true, "Worker": false, "": false, "master": false} {
			got, err := p.Ask(ctx(t), Verifier, &messages.CheckExistence{Name: name})
			if b, ok := got.(*messages.Boolean); err != nil || !ok || b.Value != want {
				t.Errorf("%s: %q is there: %+v, %v; want %v", release[0], name, got, err, want)
			}
		}
		_, err := p.Ask(ctx(t), Verifier, &messages.Boolean{})
		if remote, ok := errors.AsType[*wire.RemoteError](err); !ok || !strings.Contains(remote.Text, "CheckExistence") {
			t.Errorf("the verifier answered what is no question to it: %v", err)
		}
	}
}

// The first message tells the dialect, and our messages are written in it.
func TestTheDialectIsLearned(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ version, scala string }{{"3.5.7", "2.12"}, {"4.0.1", "2.13"}, {"4.3.0", "2.13"}} {
		t.Run(c.version, func(t *testing.T) {
			t.Parallel()
			learned, got := make(chan Dialect, 1), make(chan messages.Message, 1)
			_, addr := server(t, endpoint{reply: func(p *Peer, _ messages.Message) (messages.Message, error) {
				learned <- p.Dialect()
				// A message without a ref: nothing in it moves inside a dialect.
				return &messages.Boolean{Value: true}, p.Send("Worker", &messages.ApplicationFinished{AppID: "app-1"})
			}})
			own := table(t, c.version, c.scala)
			p := client(t, addr, own, endpoint{receive: func(_ *Peer, m messages.Message) { got <- m }})
			if _, err := p.Ask(ctx(t), Verifier, &messages.CheckExistence{Name: "Master"}); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Ask(ctx(t), "Master", &messages.RequestExecutors{AppID: "a"}); err != nil {
				t.Fatal(err)
			}
			d := await(t, learned, "the ask")
			if d.Table == nil || d.Table.Scala() != c.scala || d.Ref != nil {
				t.Fatalf("learned %+v", d)
			}
			const class = "org.apache.spark.deploy.DeployMessages$ApplicationFinished"
			want, err1 := own.Class(class)
			used, err2 := d.Table.Class(class)
			if err := errors.Join(err1, err2); err != nil || want.SUID != used.SUID {
				t.Errorf("%s is written with serialVersionUID %d, the peer has %d (%v)", class, used.SUID, want.SUID, err)
			}
			if m, ok := await(t, got, "our message").(*messages.ApplicationFinished); !ok || m.AppID != "app-1" {
				t.Errorf("the peer got %+v", m)
			}
		})
	}
}

// A first message that is not the verifier's tells the dialect as well: MasterChangeAcknowledged, say.
func TestTheDialectIsLearnedFromAnyMessage(t *testing.T) {
	t.Parallel()
	learned := make(chan Dialect, 1)
	_, addr := server(t, endpoint{receive: func(p *Peer, _ messages.Message) { learned <- p.Dialect() }})
	p := client(t, addr, table(t, "3.5.7", "2.12"), endpoint{})
	if err := p.Send("Master", &messages.UnregisterApplication{AppID: "a"}); err != nil {
		t.Fatal(err)
	}
	if d := await(t, learned, "the message"); d.Table == nil || d.Table.Scala() != "2.12" {
		t.Errorf("learned %+v", d)
	}
}

func TestAnUnknownBuildIsToldWhatWeSpeak(t *testing.T) {
	t.Parallel()
	_, addr := server(t, endpoint{})
	c := raw(t, addr)
	tree, err := javaser.Decode(encoded(t, &messages.CheckExistence{Name: "Master"}, table(t, "4.1.4", "2.13")), javaser.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	tree.(*javaser.Object).Class.SUID = 3141592653
	payload, err := javaser.Encode(tree)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Ask(ctx(t), wire.Envelope{Endpoint: Verifier, Payload: payload})
	remote, ok := errors.AsType[*wire.RemoteError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"unknown Spark build", "3141592653", "this master speaks", "3.5", "4.1", "4.3"} {
		if !strings.Contains(remote.Text, want) {
			t.Errorf("the text misses %q: %s", want, remote.Text)
		}
	}
	if c.Err() != nil {
		t.Errorf("the connection ended: %v", c.Err())
	}
}

func TestUnknownEndpoint(t *testing.T) {
	t.Parallel()
	got := make(chan messages.Message, 1)
	_, addr := server(t, endpoint{receive: func(_ *Peer, m messages.Message) { got <- m }})
	p := client(t, addr, table(t, "4.1.4", "2.13"), endpoint{})
	_, err := p.Ask(ctx(t), "Nowhere", &messages.CheckExistence{Name: "x"})
	if remote, ok := errors.AsType[*wire.RemoteError](err); !ok || remote.Text != "org.apache.spark.SparkException: Could not find Nowhere." {
		t.Errorf("got %v", err)
	}
	// One-way to nowhere vanishes; the next one arrives.
	for _, name := range []string{"Nowhere", "Master"} {
		if err := p.Send(name, &messages.UnregisterApplication{AppID: name}); err != nil {
			t.Fatal(err)
		}
	}
	if m := await(t, got, "the message").(*messages.UnregisterApplication); m.AppID != "Master" {
		t.Errorf("got %+v", m)
	}
}

func TestMessagesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	got := make(chan messages.Message, 1)
	_, addr := server(t, endpoint{receive: func(_ *Peer, m messages.Message) { got <- m }})
	c := raw(t, addr)
	for _, payload := range [][]byte{nil, {0}, {0xAC, 0xED, 0, 5}, {0xAC, 0xED, 0, 5, 0x73}, []byte("GET / HTTP/1.1")} {
		if err := c.Send(wire.Envelope{Endpoint: "Master", Payload: payload}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Ask(ctx(t), wire.Envelope{Endpoint: "Master", Payload: payload}); err == nil {
			t.Errorf("%x was answered", payload)
		} else if _, ok := errors.AsType[*wire.RemoteError](err); !ok {
			t.Errorf("%x: %v", payload, err)
		}
	}
	good := encoded(t, &messages.UnregisterApplication{AppID: "a"}, table(t, "4.1.4", "2.13"))
	if err := c.Send(wire.Envelope{Endpoint: "Master", Payload: good}); err != nil {
		t.Fatal(err)
	}
	if m, ok := await(t, got, "the good one").(*messages.UnregisterApplication); !ok || m.AppID != "a" {
		t.Errorf("got %+v", m)
	}
}

func TestAnEndpointsErrorIsGivenAsText(t *testing.T) {
	t.Parallel()
	replies := map[string]func() (messages.Message, error){
		"error":   func() (messages.Message, error) { return nil, errors.New("there is no leader now") },
		"nothing": func() (messages.Message, error) { return nil, nil },
	}
	_, addr := server(t, endpoint{reply: func(_ *Peer, m messages.Message) (messages.Message, error) {
		return replies[m.(*messages.RequestExecutors).AppID]()
	}})
	p := client(t, addr, table(t, "3.5.7", "2.12"), endpoint{})
	for app, want := range map[string]string{"error": "there is no leader now", "nothing": "no message"} {
		_, err := p.Ask(ctx(t), "Master", &messages.RequestExecutors{AppID: app})
		if remote, ok := errors.AsType[*wire.RemoteError](err); !ok || !strings.Contains(remote.Text, want) {
			t.Errorf("%s: got %v", app, err)
		}
	}
}

// Served is closed only when the last message of a connection that has ended has been handled, and Disconnected was told.
func TestServedComesLast(t *testing.T) {
	t.Parallel()
	release, told := make(chan struct{}), make(chan *Peer, 1)
	first := make(chan *Peer, 1)
	var mu sync.Mutex
	var order []string
	note := func(s string) { mu.Lock(); defer mu.Unlock(); order = append(order, s) }
	_, addr := server(t, endpoint{
		receive: func(p *Peer, m messages.Message) {
			select {
			case first <- p:
			default:
			}
			<-release
			note(m.(*messages.UnregisterApplication).AppID)
		},
		disconnected: func(p *Peer, err error) {
			if !errors.Is(err, wire.ErrClosed) {
				t.Errorf("disconnected by %v", err)
			}
			note("disconnected")
			told <- p
		},
	})
	c := raw(t, addr)
	for _, id := range []string{"a", "b"} {
		payload := encoded(t, &messages.UnregisterApplication{AppID: id}, table(t, "4.1.4", "2.13"))
		if err := c.Send(wire.Envelope{Sender: wire.Address{Host: "w7", Port: 1}, Endpoint: "Master", Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	p := await(t, first, "the first message")
	if p.Dialled() || p.Address() != (wire.Address{Host: "w7", Port: 1}) {
		t.Errorf("dialled %v, address %v", p.Dialled(), p.Address())
	}
	c.Close()
	await(t, p.Done(), "the end of the connection")
	select {
	case <-p.Served():
		t.Error("served while its first message is being handled")
	default:
	}
	close(release)
	if got := await(t, told, "Disconnected"); got != p {
		t.Error("another peer was disconnected")
	}
	await(t, p.Served(), "Served")
	if got := fmt.Sprint(order); got != "[a b disconnected]" {
		t.Errorf("got %s", got)
	}
}

// Our ref is made like the peer's own, peer by peer: a 4.0.1 and a 4.1.4 peer at once.
func TestRefsAreClonedForEachPeer(t *testing.T) {
	t.Parallel()
	const class = "org.apache.spark.rpc.RpcEndpointRef"
	_, addr := server(t, endpoint{receive: func(p *Peer, m messages.Message) {
		p.Adopt(Dialect{Ref: m.(*messages.Heartbeat).Worker.Template})
		if err := p.Send("Worker", &messages.MasterChanged{Master: messages.Ref{Name: "Master", Host: "m1", Port: 7077}, WebUIURL: "http://m1:8080"}); err != nil {
			t.Error(err)
		}
	}})
	got := map[string]chan messages.Message{"4.0.1": make(chan messages.Message, 1), "4.1.4": make(chan messages.Message, 1), "3.5.7": make(chan messages.Message, 1)}
	for version, c := range got {
		scala := "2.13"
		if version == "3.5.7" {
			scala = "2.12"
		}
		own := table(t, version, scala)
		p := client(t, addr, own, endpoint{receive: func(_ *Peer, m messages.Message) { c <- m }})
		if err := p.Send("Master", &messages.Heartbeat{WorkerID: "w", Worker: messages.Ref{Name: "Worker", Host: "w7", Port: 41001}}); err != nil {
			t.Fatal(err)
		}
	}
	suids := map[int64]string{}
	for version, c := range got {
		m := await(t, c, "MasterChanged").(*messages.MasterChanged)
		if m.Master.URL() != "spark://Master@m1:7077" {
			t.Errorf("%s: our ref is %s", version, m.Master.URL())
		}
		scala := "2.13"
		if version == "3.5.7" {
			scala = "2.12"
		}
		want, err := table(t, version, scala).Class(class)
		if err != nil {
			t.Fatal(err)
		}
		suid := messages.SUIDs(m.Master.Template)[class]
		if suid != want.SUID {
			t.Errorf("%s was given a ref of serialVersionUID %d, its own is %d", version, suid, want.SUID)
		}
		suids[suid] = version
	}
	if len(suids) != 3 {
		t.Errorf("the releases do not differ, so nothing is tested: %v", suids)
	}
}

func TestAdoptKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	p := &Peer{}
	tab, ref := table(t, "4.1.4", "2.13"), &javaser.Object{}
	p.Adopt(Dialect{Table: tab})
	p.Adopt(Dialect{Ref: ref})
	p.Adopt(Dialect{})
	if d := p.Dialect(); d.Table != tab || d.Ref != ref {
		t.Errorf("got %+v", d)
	}
}

// Without a dialect nothing can be said; nothing is sent, and the connection lives.
func TestAPeerOfAnUnknownBuildIsNotSpokenTo(t *testing.T) {
	t.Parallel()
	_, addr := server(t, endpoint{})
	p := client(t, addr, nil, endpoint{})
	if err := p.Send("Master", &messages.UnregisterApplication{}); err == nil || !strings.Contains(err.Error(), "not known") {
		t.Errorf("Send: %v", err)
	}
	if _, err := p.Ask(ctx(t), "Master", &messages.UnregisterApplication{}); err == nil || !strings.Contains(err.Error(), "not known") {
		t.Errorf("Ask: %v", err)
	}
	select {
	case <-p.Done():
		t.Error("the connection ended")
	default:
	}
}

func TestCloseEndsItsPeers(t *testing.T) {
	t.Parallel()
	env, addr := server(t, endpoint{})
	p := client(t, addr, table(t, "4.1.4", "2.13"), endpoint{})
	if _, err := p.Ask(ctx(t), Verifier, &messages.CheckExistence{Name: "Master"}); err != nil {
		t.Fatal(err)
	}
	if err := env.Close(); err != nil {
		t.Error(err)
	}
	await(t, p.Done(), "the end")
	if err := New(Config{}).Close(); err != nil {
		t.Errorf("an environment without a server: %v", err)
	}
}

// A peer is asked for its release by a class that only its release has: it tells its own number, or takes the question
// for a CheckExistence where that was guessed.
func TestAskRelease(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ version, scala, guess string }{
		{"3.4.4", "2.12", "3.5.9"}, {"3.5.9", "2.12", "3.5.9"}, {"4.1.4", "2.13", "4.3.0"}, {"4.3.0", "2.13", ""}, {"4.0.5", "2.13", "4.0.5"},
	} {
		tab := table(t, c.version, c.scala)
		probe := probeOf(t, tab, c.version)
		var guess int64
		if c.guess != "" {
			guess = probeOf(t, table(t, c.guess, c.scala), c.guess)
		}
		p := standIn(t, tab, probe)
		if got, err := p.AskRelease(ctx(t), "Worker", guess); err != nil || got != probe {
			t.Errorf("Spark %s, guessed %s: got %d, %v; want %d", c.version, c.guess, got, err, probe)
		}
		if reply, err := p.Ask(ctx(t), Verifier, &messages.CheckExistence{Name: "Master"}); err != nil || !reply.(*messages.Boolean).Value {
			t.Errorf("Spark %s after the question: %v, %v", c.version, reply, err)
		}
	}
	tab := table(t, "4.3.0", "2.13")
	nobody := standIn(t, tab, 0) // takes any number
	if got, err := nobody.AskRelease(ctx(t), "Worker", 0); !errors.Is(err, ErrNoRelease) {
		t.Errorf("no guess, and nobody to compare: got %d, %v", got, err)
	}
	if got, err := nobody.AskRelease(ctx(t), "Worker", 7); err != nil || got != 7 {
		t.Errorf("a guess that nobody compares: got %d, %v", got, err)
	}
	nobody.Close()
	if _, err := nobody.AskRelease(ctx(t), "Worker", 7); err == nil || errors.Is(err, ErrNoRelease) {
		t.Errorf("a closed connection: %v", err)
	}
	_, addr := server(t, endpoint{})
	if _, err := client(t, addr, nil, endpoint{}).AskRelease(ctx(t), "Master", 7); !errors.Is(err, ErrNoRelease) {
		t.Errorf("an unknown dialect: %v", err)
	}
}

func probeOf(t *testing.T, tab *releases.Table, version string) int64 {
	t.Helper()
	for _, r := range tab.Releases() {
		if r.Version == version {
			return r.ProbeSUID
		}
	}
	t.Fatalf("the table of %s lacks %s", tab.Name(), version)
	return 0
}

// standIn is a connection to an environment that plays a Spark process of the release whose ProbeClass has the number.
func standIn(t *testing.T, tab *releases.Table, probe int64) *Peer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := wire.Address{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port}
	env := New(Config{Address: addr, Endpoints: map[string]Endpoint{"Master": endpoint{}}, ProbeSUID: probe, Logger: slog.New(slog.DiscardHandler)})
	env.Serve(ln)
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	return client(t, addr, tab, endpoint{})
}

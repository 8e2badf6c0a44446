// Package simapp is a driver without Spark: it registers an application over spark:// as a driver's AppClient does, and
// unregisters it. It costs so little that the moment of an answer can be measured with it; what real drivers see is
// tested with real drivers.
package simapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// Silent logs nothing: what goes wrong shows in what does not come.
var Silent = slog.New(slog.DiscardHandler)

// App is one simulated driver.
type App struct {
	env   *rpcenv.Env
	addr  wire.Address
	table *releases.Table

	cores       int
	environment map[string]string
	observe     func(*rpcenv.Peer, messages.Message)

	mu      sync.Mutex
	closed  bool
	dialled []*rpcenv.Peer
	placed  []Placement
	answer  *messages.RegisteredApplication
	others  []string     // ids of later answers that are not the first one's
	master  *rpcenv.Peer // the connection that the last answer or MasterChanged came on
	arrived chan struct{}
	running chan struct{}
	runOnce sync.Once
}

// Config of a simulated driver. The zero value asks for no executor and speaks as the newest release in the tables does.
type Config struct {
	Table *releases.Table
	Cores int // executors of one core, so many at most
	// Environment is that of its executors, where workers start real ones.
	Environment map[string]string
	// Host is the address to listen on and to announce; "" is 127.0.0.1.
	Host string
	// Port is where to listen; 0 is any that is free.
	Port int
	// Observe, if set, is shown every message that a master sends, in order, before anything is done about it. It must not
	// block, and must not call the App.
	Observe func(from *rpcenv.Peer, m messages.Message)
}

// Placement is one executor that a master gave the application.
type Placement struct {
	WorkerID string
	At       time.Time // when the driver was told
}

// New makes a driver that listens.
func New(c Config) (*App, error) {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	if err != nil {
		return nil, fmt.Errorf("start a simulated driver: %w", err)
	}
	if tables := releases.Tables(); c.Table == nil {
		c.Table = tables[len(tables)-1]
	}
	a := &App{
		addr:  wire.Address{Host: c.Host, Port: ln.Addr().(*net.TCPAddr).Port},
		table: c.Table, cores: c.Cores, environment: c.Environment, observe: c.Observe, arrived: make(chan struct{}), running: make(chan struct{}),
	}
	a.env = rpcenv.New(rpcenv.Config{
		Address: a.addr, Endpoints: map[string]rpcenv.Endpoint{"AppClient": endpoint{a}}, ProbeSUID: c.Table.Newest().ProbeSUID, Logger: Silent,
	})
	a.env.Serve(ln)
	return a, nil
}

// Register asks every master at once, again and again until one answers, and gives the application's id and the time of
// the answer. A real driver asks again after 20 s; this one does so every retry, so that it sees the first moment.
func (a *App) Register(ctx context.Context, name string, masters []string, retry time.Duration) (id string, at time.Time, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	// Every master is sent the same bytes, as by a real driver, and they are made once: what the load costs here it takes from
	// the masters on the same machine.
	registration, err := a.registration(name)
	if err != nil {
		return "", time.Time{}, err
	}
	for _, m := range masters {
		wg.Go(func() { a.ask(ctx, registration, m, retry) })
	}
	select {
	case <-a.arrived:
		at = time.Now()
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.answer.AppID, at, nil
	case <-ctx.Done():
		return "", time.Time{}, fmt.Errorf("no master of %v took the application: %w", masters, ctx.Err())
	}
}

func (a *App) ask(ctx context.Context, registration []byte, master string, retry time.Duration) {
	addr, err := ParseAddress(master)
	if err != nil {
		return
	}
	for ctx.Err() == nil {
		if p, err := a.dial(ctx, addr); err == nil {
			if err := a.register(ctx, p, registration); err == nil {
				select {
				case <-ctx.Done():
					return
				case <-p.Done(): // that master died: call again
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

// dial opens a connection that Close ends, as the end of a driver's process does.
func (a *App) dial(ctx context.Context, addr wire.Address) (*rpcenv.Peer, error) {
	p, err := a.env.Dial(ctx, addr, rpcenv.Dialect{Table: a.table})
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		p.Close()
		return nil, net.ErrClosed
	}
	a.dialled = append(a.dialled, p)
	return p, nil
}

func (a *App) register(ctx context.Context, p *rpcenv.Peer, registration []byte) error {
	if err := Verify(ctx, p); err != nil {
		return err
	}
	return p.SendPayload("Master", registration)
}

// registration is the object stream of a RegisterApplication.
func (a *App) registration(name string) ([]byte, error) {
	executor := map[string]messages.ExecutorResourceRequest{messages.ResourceMemory: {Amount: 512}, messages.ResourceCores: {Amount: 1}}
	return rpcenv.Encode(&messages.RegisterApplication{
		App: &messages.ApplicationDescription{
			Name: name, User: "nobody", MaxCores: &a.cores, Command: messages.Command{MainClass: "none", Environment: a.environment},
			DefaultProfile: messages.ResourceProfile{Executor: executor},
		},
		Driver: messages.Ref{Name: "AppClient", Host: a.addr.Host, Port: a.addr.Port},
	}, rpcenv.Dialect{Table: a.table})
}

// WaitRunning waits for the first executor to be RUNNING.
func (a *App) WaitRunning(ctx context.Context) error {
	select {
	case <-a.running:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no executor is running: %w", ctx.Err())
	}
}

// Placements are the executors that the application was given so far.
func (a *App) Placements() []Placement {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.placed)
}

var errNotRegistered = errors.New("the application is not registered")

// Unregister ends the application.
func (a *App) Unregister() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answer == nil {
		return errNotRegistered
	}
	return a.master.Send("Master", &messages.UnregisterApplication{AppID: a.answer.AppID})
}

// Address is where the driver listens: what tells it from all others in the books of the masters.
func (a *App) Address() string { return a.addr.String() }

// OtherIDs are the ids of answers that contradict the first one: a driver must be given one application only.
func (a *App) OtherIDs() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.others)
}

// Close ends the driver's connections.
func (a *App) Close() error {
	a.mu.Lock()
	a.closed = true
	dialled := a.dialled
	a.dialled = nil
	a.mu.Unlock()
	for _, p := range dialled {
		p.Close()
	}
	return a.env.Close()
}

// endpoint is the driver's AppClient.
type endpoint struct{ a *App }

func (e endpoint) Receive(p *rpcenv.Peer, m messages.Message) {
	e.a.mu.Lock()
	defer e.a.mu.Unlock()
	if e.a.observe != nil {
		e.a.observe(p, m)
	}
	switch m := m.(type) {
	case *messages.RegisteredApplication:
		e.a.master = p
		if e.a.answer == nil {
			e.a.answer = m
			close(e.a.arrived)
		} else if m.AppID != e.a.answer.AppID {
			e.a.others = append(e.a.others, m.AppID)
		}
	case *messages.MasterChanged:
		e.a.master = p
	case *messages.ExecutorAdded:
		e.a.placed = append(e.a.placed, Placement{WorkerID: m.WorkerID, At: time.Now()})
	case *messages.ExecutorUpdated:
		if m.State == messages.ExecutorRunning {
			e.a.runOnce.Do(func() { close(e.a.running) })
		}
	}
}

// ErrNoAsks is what a simulated process answers to a question.
var ErrNoAsks = errors.New("a simulated process answers nothing")

func (endpoint) ReceiveAndReply(*rpcenv.Peer, messages.Message) (messages.Message, error) {
	return nil, ErrNoAsks
}

// DialMaster connects to the master at host:port and sees that it is one, as every Spark process does first.
func DialMaster(ctx context.Context, env *rpcenv.Env, table *releases.Table, master string) (*rpcenv.Peer, error) {
	addr, err := ParseAddress(master)
	if err != nil {
		return nil, err
	}
	p, err := env.Dial(ctx, addr, rpcenv.Dialect{Table: table})
	if err != nil {
		return nil, err
	}
	if err := Verify(ctx, p); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Verify asks a peer whether it has a master's endpoint.
func Verify(ctx context.Context, p *rpcenv.Peer) error {
	_, err := p.Ask(ctx, rpcenv.Verifier, &messages.CheckExistence{Name: "Master"})
	return err
}

// ParseAddress reads host:port.
func ParseAddress(addr string) (wire.Address, error) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return wire.Address{}, fmt.Errorf("address %q: %w", addr, err)
	}
	return wire.Address{Host: a.IP.String(), Port: a.Port}, nil
}

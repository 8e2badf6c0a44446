package master

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"go.uber.org/goleak"
)

// TestMain looks for goroutines that are left: for longer than goleak does by itself, since a probe of gossip outlives its
// member by up to four probe intervals.
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

// patience bounds waits that end by an event long before.
const patience = 20 * time.Second

// quiet drops the log; FIRESTEEL_TEST_LOG=1 shows it, to look into a failure.
func quiet() *slog.Logger {
	if os.Getenv("FIRESTEEL_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

// books is a state machine that a test writes to directly, as a log would, and whose events it carries to duties.
type books struct {
	t *testing.T
	*fsm.Machine

	mu    sync.Mutex
	index uint64
	sub   *fsm.Subscription
}

func newBooks(t *testing.T) *books {
	b := &books{t: t, Machine: fsm.New(fsm.Config{Fatal: func(err error) { t.Errorf("fatal: %v", err) }})}
	_, b.sub = b.Subscribe()
	t.Cleanup(b.sub.Close)
	return b
}

func (b *books) try(c fsm.Command, out any) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index++
	return fsm.DecodeResult(b.Apply(b.index, 1, [][]byte{fsm.Encode(c, "")})[0], out)
}

func (b *books) do(c fsm.Command, out any) {
	b.t.Helper()
	if err := b.try(c, out); err != nil {
		b.t.Fatalf("%T: %v", c, err)
	}
}

// events gives what has happened since the last call.
func (b *books) events() []fsm.Event {
	b.t.Helper()
	_, evs, err := b.sub.Next(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return evs
}

const testBuild = "spark-test"

func (b *books) worker(id string) *fsm.Worker {
	b.t.Helper()
	b.do(&fsm.RegisterWorker{Worker: fsm.Worker{
		ID: id, Host: "host-" + id, Port: 7000, Cores: 8, MemoryMB: 8192, Kind: fsm.WorkerGo, Builds: []string{testBuild}, Incarnation: "1", Registered: now(),
	}}, nil)
	w, _ := b.State().Worker(id)
	return w
}

func (b *books) appRequest(port int) *fsm.RegisterApplication {
	return &fsm.RegisterApplication{ID: fsm.IDParts{Prefix: "app-"}, App: fsm.App{
		Name: "test", Submitted: now(), MaxCores: fsm.Unlimited, Build: testBuild, DriverHost: "driver", DriverPort: port, DriverRef: []byte("ref"),
		Description: fmt.Appendf(nil, "description %d", port), Profiles: []fsm.Profile{{Cores: 1, MemoryMB: 128, Target: fsm.Unlimited}},
	}}
}

func (b *books) app(port int) *fsm.App {
	b.t.Helper()
	var out fsm.AppRegistered
	b.do(b.appRequest(port), &out)
	a, ok := b.State().App(out.AppID)
	if !ok {
		b.t.Fatalf("no application %s", out.AppID)
	}
	return a
}

// place starts an executor on each of the workers.
func (b *books) place(a *fsm.App, workers ...string) {
	b.t.Helper()
	p := &fsm.ApplyPlan{At: now()}
	for _, w := range workers {
		p.Executors = append(p.Executors, fsm.Placement{AppSeq: a.Seq, WorkerID: w, Cores: 1})
	}
	var out fsm.PlanApplied
	b.do(p, &out)
	if out.Started != len(workers) {
		b.t.Fatalf("started %d of %d", out.Started, len(workers))
	}
}

func (b *books) report(a *fsm.App, id int, s fsm.ExecutorState, exit ...int) {
	b.t.Helper()
	c := &fsm.ExecutorStateChanged{AppID: a.ID, ID: id, State: s, At: now(), MaxRetries: 10, Retained: 10}
	if len(exit) > 0 {
		c.ExitStatus = &exit[0]
	}
	b.do(c, nil)
}

func (b *books) finish(a *fsm.App, s fsm.AppState) {
	b.t.Helper()
	b.do(&fsm.FinishApplication{AppID: a.ID, State: s, At: now(), Retained: 10}, nil)
}

func key(a *fsm.App, id int) fsm.ExecutorKey { return fsm.ExecutorKey{AppID: a.ID, ID: id} }

package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/firesteel/firesteel/chaos/history"
	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// simWorker speaks as Spark's own Worker does (org.apache.spark.deploy.worker.Worker) and starts no processes: its executors are
// entries that run until they are killed, or end by themselves. It keeps the rules that a leader must be able to rely on:
// it obeys only the master it follows, lists what it runs when a master asks, registers again when it has lost its master, and
// repeats a final report until one has it.
type simWorker struct {
	id      string
	addr    wire.Address
	cores   int
	env     *rpcenv.Env
	table   *releases.Table
	masters []wire.Address
	rec     *history.Recorder
	complain
	registered chan struct{} // closed at the first registration

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex
	rng    *rand.Rand
	peers  map[wire.Address]*rpcenv.Peer // that it has opened
	active *rpcenv.Peer                  // nil while it has no master
	url    string                        // of the active master
	once   sync.Once
	execs  map[execKey]*simExec
	ended  map[execKey]bool // an id that comes twice is a defect, which the history shows; this keeps the books right
	lost   chan struct{}    // has a token when it needs to register
}

type execKey struct {
	app string
	id  int
}

type simExec struct {
	desc messages.ExecutorDescription
	res  messages.Resources
}

// complain takes what must never happen.
type complain func(format string, args ...any)

const (
	simMemory     = 1 << 16         // MiB, never scarce
	simHeartbeat  = 5 * time.Second // a third of the JVM's: a run is short
	simRetry      = 500 * time.Millisecond
	reportTimeout = 5 * time.Second
)

type simWorkerConfig struct {
	host    string
	cores   int
	masters []string
	table   *releases.Table
	rec     *history.Recorder
	seed    uint64
	complain
}

func startSimWorker(ctx context.Context, c simWorkerConfig) (*simWorker, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(c.host, "0"))
	if err != nil {
		return nil, fmt.Errorf("start a simulated worker: %w", err)
	}
	w := &simWorker{
		addr: wire.Address{Host: c.host, Port: ln.Addr().(*net.TCPAddr).Port}, cores: c.cores, table: c.table, rec: c.rec,
		complain: c.complain, registered: make(chan struct{}), rng: rand.New(rand.NewPCG(c.seed, 2)),
		peers: map[wire.Address]*rpcenv.Peer{}, execs: map[execKey]*simExec{}, ended: map[execKey]bool{}, lost: make(chan struct{}, 1),
	}
	w.id = fmt.Sprintf("worker-20260101000000-%s-%d", c.host, w.addr.Port)
	for _, m := range c.masters {
		addr, err := simapp.ParseAddress(m)
		if err != nil {
			return nil, err
		}
		w.masters = append(w.masters, addr)
	}
	w.rec.HasCores(w.id, w.cores)
	w.ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	w.env = rpcenv.New(rpcenv.Config{Address: w.addr, Endpoints: map[string]rpcenv.Endpoint{"Worker": simEndpoint{w}}, ProbeSUID: w.table.Newest().ProbeSUID, Logger: simapp.Silent})
	w.env.Serve(ln)
	w.lost <- struct{}{}
	w.wg.Go(w.follow)
	return w, nil
}

// close ends it without a word, as a machine does that loses power.
func (w *simWorker) close() {
	w.stop()
	_ = w.env.Close() // it ends either way
	w.wg.Wait()
}

// follow registers whenever it has no master, and sends heartbeats.
func (w *simWorker) follow() {
	beat := time.NewTicker(simHeartbeat)
	defer beat.Stop()
	retry := time.NewTicker(simRetry)
	defer retry.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-beat.C:
			if p := w.master(); p != nil {
				_ = p.Send("Master", &messages.Heartbeat{WorkerID: w.id, Worker: w.ref()}) // a master that is gone is noticed by its connection
			}
		case <-w.lost:
			w.registerAll()
		case <-retry.C:
			if w.master() == nil {
				w.registerAll()
			}
		}
	}
}

func (w *simWorker) master() *rpcenv.Peer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active
}

// registerAll asks every master at once, as tryRegisterAllMasters does.
func (w *simWorker) registerAll() {
	var wg sync.WaitGroup
	for _, m := range w.masters {
		wg.Go(func() { _ = w.register(m) }) // the next one comes in a moment
	}
	wg.Wait()
}

func (w *simWorker) register(m wire.Address) error {
	ctx, cancel := context.WithTimeout(w.ctx, time.Second)
	defer cancel()
	p, err := w.dial(ctx, m)
	if err != nil {
		return err
	}
	if err := simapp.Verify(ctx, p); err != nil {
		return err
	}
	return p.Send("Master", &messages.RegisterWorker{
		ID: w.id, Host: w.addr.Host, Port: w.addr.Port, Worker: w.ref(), Cores: w.cores, MemoryMB: simMemory,
		WebUIURL: "http://" + w.addr.String(), MasterAddress: messages.Address{Host: m.Host, Port: m.Port},
	})
}

func (w *simWorker) dial(ctx context.Context, m wire.Address) (*rpcenv.Peer, error) {
	w.mu.Lock()
	p := w.peers[m]
	w.mu.Unlock()
	if p != nil {
		select {
		case <-p.Done():
		default:
			return p, nil
		}
	}
	p, err := w.env.Dial(ctx, m, rpcenv.Dialect{Table: w.table})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peers[m] = p
	return p, nil
}

func (w *simWorker) ref() messages.Ref {
	return messages.Ref{Name: "Worker", Host: w.addr.Host, Port: w.addr.Port}
}

// simEndpoint is the endpoint named Worker.
type simEndpoint struct{ w *simWorker }

func (e simEndpoint) Receive(p *rpcenv.Peer, m messages.Message) {
	w := e.w
	w.mu.Lock()
	defer w.mu.Unlock()
	switch m := m.(type) {
	case *messages.RegisteredWorker:
		w.change(p, m.Master)
		w.once.Do(func() { close(w.registered) })
		_ = p.Send("Master", &messages.WorkerLatestState{ID: w.id, Executors: w.descriptions()})
	case *messages.MasterChanged:
		w.change(p, m.Master)
		answer := &messages.WorkerSchedulerStateResponse{ID: w.id}
		for _, e := range w.execs {
			answer.Executors = append(answer.Executors, messages.WorkerExecutorState{Executor: e.desc, Resources: e.res})
		}
		_ = p.Send("Master", answer)
	case *messages.RegisterWorkerFailed:
		w.complain("worker %s was refused, which makes a JVM worker exit: %s", w.id, m.Reason)
	case *messages.ReconnectWorker:
		w.needMaster()
	case *messages.LaunchExecutor:
		if m.MasterURL == w.url {
			w.launch(m)
		}
	case *messages.KillExecutor:
		if m.MasterURL == w.url {
			w.kill(execKey{m.AppID, m.ExecID})
		}
	}
}

// change is Worker.changeMaster.
func (w *simWorker) change(p *rpcenv.Peer, master messages.Ref) {
	w.active, w.url = p, "spark://"+master.Address().String()
}

func (w *simWorker) descriptions() []messages.ExecutorDescription {
	var all []messages.ExecutorDescription
	for _, e := range w.execs {
		all = append(all, e.desc)
	}
	return all
}

func (w *simWorker) needMaster() {
	select {
	case w.lost <- struct{}{}:
	default:
	}
}

// Disconnected is Worker.onDisconnected.
func (e simEndpoint) Disconnected(p *rpcenv.Peer, _ error) {
	w := e.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.active == p {
		w.active = nil
		w.needMaster()
	}
}

func (simEndpoint) ReceiveAndReply(*rpcenv.Peer, messages.Message) (messages.Message, error) {
	return nil, simapp.ErrNoAsks
}

func (w *simWorker) launch(m *messages.LaunchExecutor) {
	k := execKey{m.AppID, m.ExecID}
	w.rec.Launched(k.app, k.id, w.id, w.rec.Exact())
	if w.execs[k] != nil || w.ended[k] {
		return // the history has it
	}
	w.rec.Takes(w.id, k.app, k.id, m.Cores)
	w.execs[k] = &simExec{desc: messages.ExecutorDescription{
		AppID: m.AppID, ExecID: m.ExecID, RPID: m.RPID, Cores: m.Cores, MemoryMB: m.MemoryMB, State: messages.ExecutorRunning,
	}, res: m.Resources}
	w.report(&messages.ExecutorStateChanged{AppID: k.app, ExecID: k.id, State: messages.ExecutorRunning})
	if w.rng.IntN(4) > 0 {
		return
	}
	lives, code := between(w.rng, 100*time.Millisecond, 3*time.Second), w.rng.IntN(2)
	w.wg.Go(func() {
		select {
		case <-time.After(lives):
			w.exit(k, code)
		case <-w.ctx.Done():
		}
	})
}

// exit ends an executor at its own wish.
func (w *simWorker) exit(k execKey, code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.execs[k] == nil {
		return
	}
	w.rec.MayEnd(k.app, k.id, "it exits")
	w.end(k)
	w.report(&messages.ExecutorStateChanged{AppID: k.app, ExecID: k.id, State: messages.ExecutorExited, ExitStatus: &code})
}

func (w *simWorker) kill(k execKey) {
	if w.execs[k] == nil {
		return
	}
	w.rec.Killed(k.app, k.id, w.id, w.rec.Exact())
	w.end(k)
	code := 143
	w.report(&messages.ExecutorStateChanged{AppID: k.app, ExecID: k.id, State: messages.ExecutorKilled, ExitStatus: &code})
}

func (w *simWorker) end(k execKey) {
	w.rec.Frees(w.id, k.app, k.id, w.execs[k].desc.Cores)
	delete(w.execs, k)
	w.ended[k] = true
}

// report tells the master of the moment, and the next one if it does not answer (Worker.syncExecutorStateWithMaster).
func (w *simWorker) report(m *messages.ExecutorStateChanged) {
	p := w.active
	w.wg.Go(func() {
		for tries := 0; tries < 10 && w.ctx.Err() == nil; tries++ {
			if p != nil {
				ctx, cancel := context.WithTimeout(w.ctx, reportTimeout)
				_, err := p.Ask(ctx, "Master", m)
				cancel()
				if err == nil {
					return
				}
			}
			select {
			case <-time.After(simRetry):
			case <-w.ctx.Done():
			}
			p = w.master()
		}
	})
}

// running is what it runs, by its own account.
func (w *simWorker) running() (executors, cores int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.execs {
		cores += e.desc.Cores
	}
	return len(w.execs), cores
}

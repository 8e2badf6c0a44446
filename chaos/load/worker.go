package load

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// workerCores are the cores of every simulated worker.
const workerCores = 64

// heartbeatEvery is a JVM worker's interval, spark.worker.timeout / 4.
const heartbeatEvery = 15 * time.Second

// worker is a Spark Worker that starts no processes: the launch of an executor is reported RUNNING at once, its kill KILLED, and a driver
// FINISHED as soon as it is launched.
type worker struct {
	id    string
	addr  wire.Address
	env   *rpcenv.Env
	table *releases.Table
	peers []*rpcenv.Peer

	driverCame func(driverID string) // may be nil
	registered chan struct{}
	once       sync.Once
	launched   atomic.Int64
	failed     atomic.Int64
	wg         sync.WaitGroup
	stop       context.CancelFunc
	ctx        context.Context
}

func startWorker(ctx context.Context, n int, table *releases.Table, masters []string, driverCame func(string)) (*worker, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start simulated worker %d: %w", n, err)
	}
	w := &worker{
		addr:  wire.Address{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port},
		table: table, driverCame: driverCame, registered: make(chan struct{}),
	}
	w.id = fmt.Sprintf("worker-20260101000000-127.0.0.1-%d", w.addr.Port)
	w.ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	w.env = rpcenv.New(rpcenv.Config{Address: w.addr, Endpoints: map[string]rpcenv.Endpoint{"Worker": workerEndpoint{w}}, ProbeSUID: table.Newest().ProbeSUID, Logger: simapp.Silent})
	w.env.Serve(ln)
	if err := w.enlist(ctx, masters); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// registerEvery is how often a worker that nobody has answered asks again; a real one draws 5 to 15 s.
const registerEvery = 10 * time.Second

// enlist registers with all masters until one has answered.
func (w *worker) enlist(ctx context.Context, masters []string) error {
	for _, m := range masters {
		if err := w.connect(ctx, m); err != nil {
			return err
		}
	}
	again := time.NewTicker(registerEvery)
	defer again.Stop()
	for {
		for _, p := range w.peers {
			if err := w.register(p); err != nil {
				return err
			}
		}
		select {
		case <-w.registered:
			return nil
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("simulated worker %s was not registered: %w", w.id, ctx.Err())
		}
	}
}

func (w *worker) connect(ctx context.Context, master string) error {
	p, err := simapp.DialMaster(ctx, w.env, w.table, master)
	if err != nil {
		return err
	}
	w.peers = append(w.peers, p)
	return nil
}

func (w *worker) register(p *rpcenv.Peer) error {
	at := p.Address()
	return p.Send("Master", &messages.RegisterWorker{
		ID: w.id, Host: w.addr.Host, Port: w.addr.Port, Worker: w.ref(), Cores: workerCores, MemoryMB: 1 << 16, WebUIURL: "http://127.0.0.1:1",
		MasterAddress: messages.Address{Host: at.Host, Port: at.Port},
	})
}

func (w *worker) ref() messages.Ref {
	return messages.Ref{Name: "Worker", Host: w.addr.Host, Port: w.addr.Port}
}

func (w *worker) close() {
	w.stop()
	for _, p := range w.peers {
		p.Close()
	}
	_ = w.env.Close() // the measurement is over
	w.wg.Wait()
}

// workerEndpoint is the endpoint named Worker.
type workerEndpoint struct{ w *worker }

func (e workerEndpoint) Receive(p *rpcenv.Peer, m messages.Message) {
	w := e.w
	switch m := m.(type) {
	case *messages.RegisteredWorker:
		w.listed(p)
	case *messages.MasterChanged:
		if err := p.Send("Master", &messages.WorkerSchedulerStateResponse{ID: w.id}); err != nil {
			w.failed.Add(1)
		}
	case *messages.LaunchExecutor:
		w.launched.Add(1)
		w.report(p, &messages.ExecutorStateChanged{AppID: m.AppID, ExecID: m.ExecID, State: messages.ExecutorRunning})
	case *messages.LaunchDriver:
		if w.driverCame != nil {
			w.driverCame(m.DriverID)
		}
		if err := p.Send("Master", &messages.DriverStateChanged{DriverID: m.DriverID, State: messages.DriverFinished}); err != nil {
			w.failed.Add(1)
		}
	case *messages.KillExecutor:
		code := 143
		w.report(p, &messages.ExecutorStateChanged{AppID: m.AppID, ExecID: m.ExecID, State: messages.ExecutorKilled, ExitStatus: &code})
	}
}

func (w *worker) listed(p *rpcenv.Peer) {
	if err := p.Send("Master", &messages.WorkerLatestState{ID: w.id}); err != nil {
		w.failed.Add(1)
	}
	w.once.Do(func() {
		close(w.registered)
		w.wg.Go(func() { w.beat(p) })
	})
}

func (w *worker) beat(p *rpcenv.Peer) {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := p.Send("Master", &messages.Heartbeat{WorkerID: w.id, Worker: w.ref()}); err != nil {
				return
			}
		case <-w.ctx.Done():
			return
		}
	}
}

// report asks in the background: the answer comes on the connection that this message came on.
func (w *worker) report(p *rpcenv.Peer, m *messages.ExecutorStateChanged) {
	w.wg.Go(func() {
		ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
		defer cancel()
		if _, err := p.Ask(ctx, "Master", m); err != nil && w.ctx.Err() == nil {
			w.failed.Add(1)
		}
	})
}

func (workerEndpoint) ReceiveAndReply(*rpcenv.Peer, messages.Message) (messages.Message, error) {
	return nil, simapp.ErrNoAsks
}

package worker

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/internal/lease"
	"github.com/firesteel/firesteel/membership"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
	"github.com/firesteel/firesteel/worker/fetch"
)

// Config of a worker process.
type Config struct {
	ID      string   // "" = by Spark.IDPattern
	Bind    string   // address to listen on; "" = the advertised host
	Masters []string // host:port of the masters' Spark ports, see ParseMasterURL
	Homes   []string // Spark homes; at least one
	DataDir string   // keeps the worker's id over restarts; "" = nothing is kept
	Drained bool     // it begins drained, see Worker.Decommission
	Spark   config.Worker
	Env     config.Env
	// GossipKey, where the cluster has one; without it gossip works on loopback only.
	GossipKey     []byte
	GossipProfile string
	Logger        *slog.Logger
}

// Worker is a running worker: executors, their watcher's endpoint, web pages, and a session with whoever leads.
type Worker struct {
	cfg         Config
	log         *slog.Logger
	id          string
	incarnation string
	homes       *Homes
	resources   map[string][]string
	port        int

	env       *rpcenv.Env
	executors *Executors
	drivers   *Drivers
	lease     *lease.Lease
	upkeep
	ui      *UI
	gossip  *membership.Gossip
	session *session
	outbox  *outbox
	fence   fence
	drain   drain
	leaving atomic.Bool // it says goodbye: no session is opened any more

	mu      sync.Mutex
	welcome *clusterpb.Welcome // of the present session; nil between two
	cluster string             // that of the last welcome
	over    chan struct{}      // closed when the present session ends

	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	failed chan error
	close  func() error
}

// Open starts a worker. It goes on looking for a leader until Close, or until Done says that the masters refuse it.
func Open(ctx context.Context, cfg Config) (*Worker, error) {
	w := &Worker{
		cfg: cfg, log: cmp.Or(cfg.Logger, slog.Default()), incarnation: rand.Text(), outbox: newOutbox(), failed: make(chan error, 1),
	}
	if cfg.Drained {
		w.drain.wish()
	}
	w.close = sync.OnceValue(w.closeAll)
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	w.wg.Go(w.follow)
	w.wg.Go(func() { w.lease.Watch(w.ctx, w.endLease) })
	w.wg.Go(w.keepUp)
	return w, nil
}

func (w *Worker) open(ctx context.Context) error {
	var err error
	if w.homes, err = NewHomes(w.cfg.Homes); err != nil {
		return err
	}
	if _, err := FindJava(w.cfg.Env); err != nil {
		return err
	}
	if w.resources, err = DiscoverResources(ctx, w.cfg.Spark.ResourcesFile, w.cfg.Spark.Resources); err != nil {
		return err
	}
	bind := w.cfg.Bind
	if bind == "" {
		bind = w.cfg.Spark.Host
	}
	rpcPort, err := rpc.Listen("worker", bind, w.cfg.Spark.Port, w.cfg.Spark.PortMaxRetries)
	if err != nil {
		return err
	}
	w.port = rpcPort.Addr().(*net.TCPAddr).Port
	w.env = rpcenv.New(rpcenv.Config{
		Address: wire.Address{Host: w.cfg.Spark.Host, Port: w.port}, Logger: w.log,
		Endpoints: map[string]rpcenv.Endpoint{"Worker": watched{w.log}},
	})
	w.env.Serve(rpcPort)
	if w.id, err = w.chooseID(); err != nil {
		return err
	}
	if err := w.beginUpkeep(); err != nil {
		return err
	}
	pages, err := rpc.Listen("worker web UI", bind, w.cfg.Spark.UI.Port, w.cfg.Spark.PortMaxRetries)
	if err != nil {
		return err
	}
	identity := Identity{
		WorkerID: w.id, WorkerURL: WorkerURL(w.cfg.Spark.Host, w.port), Host: w.cfg.Spark.Host, PublicHost: w.cfg.Spark.PublicHost,
		WebUIPort: pages.Addr().(*net.TCPAddr).Port, ReverseProxy: w.cfg.Spark.UI.ReverseProxy, ReverseProxyURL: w.cfg.Spark.UI.ReverseProxyURL,
	}
	if w.executors, err = NewExecutors(ExecutorsConfig{
		WorkDir: w.cfg.Spark.WorkDir, LocalDirs: w.cfg.Spark.LocalDirs, Identity: identity, Env: w.cfg.Env, Redaction: w.cfg.Spark.Redaction,
		AuthSecret: w.cfg.Spark.AuthSecret, Retained: w.cfg.Spark.RetainedExecutors, OnReport: w.report, Logger: w.log,
		Logs: w.cfg.Spark.Logs, NodeSSL: w.cfg.Spark.NodeSSL, Life: w.life, Guard: w.guard,
		Blocks: BlockCleanup{Clean: w.cfg.Spark.Shuffle.Enabled && w.cfg.Spark.Shuffle.Cleanup, KeepRDD: w.cfg.Spark.Shuffle.FetchRDD},
	}); err != nil {
		return errors.Join(err, pages.Close())
	}
	if w.drivers, err = NewDrivers(DriversConfig{
		WorkDir: w.cfg.Spark.WorkDir, Identity: identity, Env: w.cfg.Env, Redaction: w.cfg.Spark.Redaction, AuthSecret: w.cfg.Spark.AuthSecret,
		NodeSSL: w.cfg.Spark.NodeSSL, Logs: w.cfg.Spark.Logs, KillGrace: w.cfg.Spark.DriverTerminateTimeout, MaxBackOff: w.cfg.Spark.DriverMaxBackOff,
		Retained: w.cfg.Spark.RetainedDrivers, Fetch: fetch.New(fetch.Config{Properties: w.cfg.Spark.Conf.Raw, Env: w.cfg.Env}).Fetch, OnReport: w.driverReport, Spawner: w.executors.spawner, Life: w.life, Logger: w.log,
	}); err != nil {
		return errors.Join(err, pages.Close())
	}
	// The worker itself ends supervised drivers with some grace when the lease is over; the guardian does if it cannot.
	w.lease = lease.New(w.cfg.Spark.DriverLease, func(left time.Duration) { w.guard.Renew(left + w.cfg.Spark.DriverTerminateTimeout) })
	w.ui, err = NewUI(UIConfig{Listener: pages, WorkDir: w.cfg.Spark.WorkDir, Status: w.Status, Redaction: w.cfg.Spark.Redaction, Logger: w.log})
	if err != nil {
		return errors.Join(err, pages.Close())
	}
	if err := w.startShuffleService(ctx); err != nil {
		return err
	}
	w.session = &session{log: w.log, do: (*agent)(w), fence: &w.fence, outbox: w.outbox, lease: w.lease}
	return nil
}

// ID is the worker's id, Port that of its Spark endpoint, WebUIPort that of its pages.
func (w *Worker) ID() string     { return w.id }
func (w *Worker) Port() int      { return w.port }
func (w *Worker) WebUIPort() int { return w.ui.Port() }

// Done gives the error that ended the worker from within: the masters refuse it.
func (w *Worker) Done() <-chan error { return w.failed }

// goodbyeTime bounds how long Close waits for the leader to take the goodbye.
const goodbyeTime = 500 * time.Millisecond

// Close ends what runs, says goodbye, and stops. It is used for a worker that failed to open, too.
func (w *Worker) Close() error { return w.close() }

func (w *Worker) closeAll() error {
	var errs []error
	if w.drivers != nil {
		w.drivers.Close()
	}
	if w.shuffle != nil {
		w.shuffle.Close()
	}
	if w.executors != nil {
		errs = append(errs, w.executors.Close())
		w.sayGoodbye()
	}
	w.cancel(errors.New("the worker is stopping"))
	w.wg.Wait()
	if w.gossip != nil {
		errs = append(errs, w.gossip.Close())
	}
	if w.ui != nil {
		errs = append(errs, w.ui.Close())
	}
	if w.env != nil {
		errs = append(errs, w.env.Close())
	}
	return errors.Join(append(errs, w.upkeep.close())...)
}

// sayGoodbye tells the leader that this worker is stopping, so that it need not be found out.
func (w *Worker) sayGoodbye() {
	w.mu.Lock()
	open, over := w.welcome != nil, w.over
	w.mu.Unlock()
	if !open {
		return
	}
	w.leaving.Store(true)
	w.outbox.put(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Goodbye{Goodbye: &clusterpb.Goodbye{Reason: "it was told to"}}})
	select {
	case <-over: // the leader closes the session when it has taken the goodbye
	case <-time.After(goodbyeTime):
	}
}

// endLease ends what a leader may launch elsewhere.
func (w *Worker) endLease() {
	if n := len(w.drivers.Running()); n > 0 {
		w.log.Warn("no master was heard of for the drivers' lease: supervised drivers are ended, others go on", "lease", w.cfg.Spark.DriverLease, "drivers", n)
	}
	w.drivers.EndLease()
}

// leasePromise is when no supervised driver is alive here any more, after the last word of a leader: the lease, the grace
// of a kill, and a second for the kill itself.
func (w *Worker) leasePromise() time.Duration {
	return w.cfg.Spark.DriverLease + w.cfg.Spark.DriverTerminateTimeout + time.Second
}

// Status is what the pages show.
func (w *Worker) Status() Status {
	s := Status{
		ID: w.id, Cores: w.cfg.Spark.Cores, MemoryMiB: w.cfg.Spark.MemoryMiB, Resources: w.resources,
		Running: w.executors.Running(), Finished: w.executors.Finished(), Drivers: w.drivers.Running(), FinishedDrivers: w.drivers.Finished(),
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.welcome != nil {
		s.MasterURL, s.MasterWebUIURL = w.welcome.GetMasterUrl(), w.welcome.GetMasterWebUiUrl()
	}
	return s
}

// follow keeps a session open with whoever leads, for as long as the worker lives. Spark's Worker gives up after 16
// tries; what runs here goes on without a master, so this one never does.
func (w *Worker) follow() {
	s := newSearch(func(ctx context.Context) ([]string, error) {
		view, err := askCluster(ctx, w.cfg.Masters)
		if err != nil {
			return nil, err
		}
		w.joinGossip(view)
		return leaderFirst(view), nil
	}, w.log)
	for {
		addr, ok := s.next(w.ctx)
		if !ok {
			return
		}
		opened, err := w.once(addr)
		if w.leaving.Load() {
			return
		}
		if errors.Is(err, ErrRefused) && !opened {
			w.refused(err)
		}
		s.tried(addr, opened, err)
	}
}

// once is one session with a master, from Hello to its end.
func (w *Worker) once(addr string) (opened bool, err error) {
	over := make(chan struct{})
	defer close(over)
	err = w.session.run(w.ctx, addr, func(welcome *clusterpb.Welcome, term uint64) {
		opened = true
		w.mu.Lock()
		w.welcome, w.over = welcome, over
		w.cluster = welcome.GetClusterId()
		w.drain.welcomed()
		w.mu.Unlock()
		w.log.Info("session open", "leader", welcome.GetLeaderId(), "master", welcome.GetMasterUrl(), "term", term)
	})
	w.mu.Lock()
	w.welcome = nil
	w.mu.Unlock()
	if opened && w.ctx.Err() == nil {
		w.log.Info("session ended; what runs goes on", "reason", err)
	}
	return opened, err
}

// refused ends the worker if it runs nothing, as Spark's does when its first registration fails; one that runs
// executors keeps them and goes on asking.
func (w *Worker) refused(err error) {
	if len(w.executors.Running())+len(w.drivers.Running()) > 0 {
		w.log.Error("refused; what runs goes on", "error", err)
		return
	}
	select {
	case w.failed <- err:
	default:
	}
}

// joinGossip makes the worker known to the masters' failure detector. It is a help, not a need: without gossip a silent
// worker is noticed by its missing heartbeats.
func (w *Worker) joinGossip(view ClusterView) {
	if w.gossip != nil {
		return
	}
	if view.GossipKey && len(w.cfg.GossipKey) == 0 {
		return // the cluster's gossip is encrypted and we have no key
	}
	var seeds []string
	for _, m := range view.Masters {
		if m.Gossip != "" { // one that nobody sees at present
			seeds = append(seeds, m.Gossip)
		}
	}
	g, err := w.openGossip(seeds)
	if err != nil {
		w.log.Warn("no gossip; the masters will go by heartbeats alone", "error", err)
		return
	}
	w.gossip = g
}

// watched is the endpoint named Worker: executors and drivers ask for it and keep the connection, and exit when it drops.
type watched struct{ log *slog.Logger }

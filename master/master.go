package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/membership"
	"github.com/firesteel/firesteel/raftnode"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/scheduler"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
	"github.com/firesteel/firesteel/web"
)

// Master is a running master.
type Master struct {
	cfg        Config
	log        *slog.Logger
	scheduling scheduler.Settings
	watching   watching

	fsm       *fsm.Machine
	node      *raftnode.Node
	bootstrap *raftnode.Bootstrapper
	gossip    *membership.Gossip
	pool      *rpc.Pool
	grpc      *rpc.Server
	env       *rpcenv.Env // Spark's RPC
	peers     *peers
	arrivals  *arrivals
	appIDs    idCache
	driverIDs idCache
	book      addressBook
	guesses   guesses // at the releases of Spark peers
	pages     []*http.Server
	rest      http.Handler // the REST submission server; nil where it is switched off
	lists     masterLists
	duties    atomic.Pointer[duties] // of the term in which this master leads; nil while it does not

	sparkPort, webPort, rpcPort, restPort int // restPort is 0 where REST is not served

	opened chan struct{} // closed when all of the above is there: duties need it

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	close  func() error
}

// Open starts a master. It serves as soon as it returns; requests are held while nobody leads.
func Open(ctx context.Context, cfg Config) (*Master, error) {
	m := &Master{cfg: cfg, log: cmp.Or(cfg.Logger, slog.Default()), peers: newPeers(), arrivals: newArrivals(), pool: rpc.NewPool(), opened: make(chan struct{})}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.close = sync.OnceValue(m.closeAll)
	if err := m.open(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Master) open(ctx context.Context) error {
	if err := m.checkSettings(); err != nil {
		return err
	}
	ports, err := m.listen()
	if err != nil {
		return err
	}
	if err := m.startRaft(ctx, ports); err != nil {
		return errors.Join(err, ports.close())
	}
	if err := m.startGossip(); err != nil {
		return errors.Join(err, ports.close())
	}
	m.serve(ports)
	close(m.opened)
	m.tasks.Go(m.runBootstrap)
	m.tasks.Go(m.followIdentity)
	m.tasks.Go(m.followStanding)
	m.tasks.Go(func() { m.arrivals.follow(m.ctx, m.fsm) })
	return nil
}

// checkSettings refuses what would only fail at the first use.
func (m *Master) checkSettings() error {
	policy, err := scheduler.ParsePolicy(m.cfg.Spark.WorkerSelectionPolicy)
	if err != nil {
		return err
	}
	if m.watching, err = readWatching(m.cfg.Spark); err != nil {
		return err
	}
	m.scheduling = scheduler.Settings{
		SpreadOutApps: m.cfg.Spark.SpreadOutApps, SpreadOutDrivers: m.cfg.Spark.SpreadOutDrivers, MaxDrivers: m.cfg.Spark.MaxDrivers,
		WorkerSelectionPolicy: policy,
	}
	for _, pattern := range []string{m.cfg.Spark.AppIDPattern, m.cfg.Spark.DriverIDPattern} {
		if _, err := idParts(pattern, idTime(time.Now())); err != nil {
			return err
		}
	}
	m.rest, err = m.newREST()
	return err
}

func (m *Master) startRaft(ctx context.Context, ports *ports) error {
	profile, err := raftnode.ProfileByName(m.cfg.Profile)
	if err != nil {
		return err
	}
	m.fsm = fsm.New(fsm.Config{Fatal: m.fatal})
	grpc, raft := rpc.Share(ports.rpc)
	ports.rpc, ports.grpc = nil, grpc
	m.node, err = raftnode.Open(ctx, raftnode.Config{
		ID: m.cfg.ID, DataDir: m.cfg.DataDir, Listener: raft, Advertise: net.JoinHostPort(m.cfg.Spark.Host, strconv.Itoa(m.rpcPort)),
		Profile: profile, Logger: m.log, Machine: machine{m.fsm}, Forwarder: forwarder{m.pool}, Lead: m.lead, Fatal: m.fatal,
		Reserve: m.cfg.DiskReserve, AwaitAdmission: true, SnapshotThreshold: m.cfg.Snapshots.Threshold, SnapshotInterval: m.cfg.Snapshots.Interval, TrailingLogs: m.cfg.Snapshots.Trailing,
	})
	if err != nil {
		return errors.Join(err, raft.Close())
	}
	m.bootstrap, err = raftnode.NewBootstrapper(raftnode.BootstrapConfig{
		Node: m.node, Expect: m.cfg.BootstrapExpect, RPCAddr: m.node.Addr(), Promiser: promiser{m.pool}, List: m.candidates, Logger: m.log,
	})
	return err
}

// fatal ends the process: to go on would make this master differ from the others.
func (m *Master) fatal(err error) {
	logged := make(chan struct{})
	go func() {
		m.log.Error("this master must stop", "error", err)
		close(logged)
	}()
	select {
	case <-logged:
	case <-time.After(time.Second): // the log may be on the disk that hangs
	}
	os.Exit(exitFatal)
}

func (m *Master) startGossip() error {
	profile, err := membership.ProfileByName(m.cfg.Profile)
	if err != nil {
		return err
	}
	m.gossip, err = membership.Start(membership.Config{
		Label: membership.Label, BindAddr: m.bind(), BindPort: m.cfg.GossipPort, AdvertiseAddr: m.cfg.Spark.Host, Key: m.cfg.GossipKey, Profile: profile,
		Meta: membership.Meta{
			Role: membership.RoleMaster, ID: m.cfg.ID, ClusterID: m.node.ClusterID(), Host: m.cfg.Spark.Host, SparkPort: uint16(m.sparkPort),
			WebUIPort: uint16(m.webPort), RESTPort: uint16(m.restPort), RPCPort: uint16(m.rpcPort), RaftAddr: m.node.Addr(), Expect: uint16(m.cfg.BootstrapExpect),
			Bootstrapped: m.node.HasState(),
		},
		OnEvent: m.gossiped, Logger: m.log,
	})
	if err != nil {
		return err
	}
	m.gossip.Join(m.cfg.Join)
	return nil
}

func (m *Master) gossiped(ev membership.Event) {
	if m.belongs(ev.Member) {
		m.book.note(ev.Member)
	}
	if d := m.duties.Load(); d != nil {
		d.gossiped(ev)
	}
	if own := m.fsm.State().ClusterID(); ev.Member.Role == membership.RoleMaster && ev.Member.ClusterID != "" && own != "" && ev.Member.ClusterID != own {
		m.log.Error("a master of another cluster is in our gossip: give each cluster a gossip key of its own", "id", ev.Member.ID, "address", ev.Member.Addr)
	}
}

// serve opens the doors.
func (m *Master) serve(p *ports) {
	m.env = rpcenv.New(rpcenv.Config{
		Address: wire.Address{Host: m.cfg.Spark.Host, Port: m.sparkPort}, Logger: m.log,
		Endpoints: map[string]rpcenv.Endpoint{"Master": &door{m: m, log: m.log}},
	})
	m.env.Serve(p.spark)
	m.grpc = rpc.NewServer(rpc.ServerConfig{Master: served{m}, Workers: &sessions{m: m}, Quorum: quorum{m: m}, SecondOpinion: secondOpinion{m: m}, Admin: admin{m: m}})
	m.grpc.Serve(p.grpc)
	m.servePages(m.env.HTTP(), web.RPCPortHandler(view{m}, m.rest))
	m.servePages(p.web, web.Handler(view{m}, m.actions()))
	if p.rest != nil {
		m.servePages(p.rest, m.rest)
	}
}

func (m *Master) servePages(ln net.Listener, h http.Handler) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10, // spark.ui.requestHeaderSize
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
	}
	m.pages = append(m.pages, s)
	m.tasks.Go(func() { _ = s.Serve(ln) }) // ends with Close
}

func (m *Master) runBootstrap() {
	if err := m.bootstrap.Run(m.ctx); err != nil && m.ctx.Err() == nil {
		m.log.Error("no cluster could be formed", "error", err)
	}
}

// followIdentity writes the cluster's id into the data directory as soon as it is known, and tells gossip of it.
func (m *Master) followIdentity() {
	_, sub := m.fsm.Subscribe()
	defer sub.Close()
	for {
		s := m.fsm.State()
		if id := s.ClusterID(); id != "" {
			if err := m.node.SetClusterID(id); err != nil {
				m.fatal(err)
			}
			m.tellGossip(id)
			return
		}
		if m.node.HasState() {
			m.tellGossip(m.node.ClusterID())
		}
		if _, _, err := sub.Next(m.ctx); err != nil {
			return
		}
	}
}

func (m *Master) tellGossip(clusterID string) {
	err := m.gossip.UpdateMeta(func(meta *membership.Meta) {
		meta.ClusterID, meta.Bootstrapped = clusterID, m.node.HasState()
	})
	if err != nil {
		m.log.Warn("gossip does not take the cluster's id", "error", err)
	}
}

// Close hands leadership over, closes the doors and waits for everything. It is used for a master that failed to open, too.
func (m *Master) Close() error { return m.close() }

func (m *Master) closeAll() error {
	var errs []error
	m.cancel()
	if m.node != nil {
		errs = append(errs, m.node.Close())
	}
	if m.gossip != nil {
		errs = append(errs, ignoreClosed(m.gossip.Leave(time.Second)), m.gossip.Close())
	}
	if m.grpc != nil {
		errs = append(errs, m.grpc.Close())
	}
	for _, s := range m.pages {
		errs = append(errs, s.Close())
	}
	if m.env != nil {
		errs = append(errs, m.env.Close())
	}
	m.pool.Close()
	m.tasks.Wait()
	return errors.Join(errs...)
}

// ignoreClosed: nobody to say goodbye to is no failure.
func ignoreClosed(error) error { return nil }

// URL is this master's spark://host:port, and WebURL where its pages are.
func (m *Master) URL() string    { return wireAddress(m.cfg.Spark.Host, m.sparkPort).URL() }
func (m *Master) WebURL() string { return m.webURL() }

// Leading tells whether this master leads and its duties run.
func (m *Master) Leading() bool { return m.duties.Load() != nil }

func (m *Master) webURL() string {
	return "http://" + net.JoinHostPort(m.cfg.Spark.PublicHost, strconv.Itoa(m.webPort))
}

// ref is this master's endpoint as it stands in messages.
func (m *Master) ref() messages.Ref {
	return messages.Ref{Name: "Master", Host: m.cfg.Spark.Host, Port: m.sparkPort}
}

func (m *Master) bind() string { return cmp.Or(m.cfg.Bind, m.cfg.Spark.Host) }

// ports are what a master listens on.
type ports struct{ spark, web, rest, rpc, grpc net.Listener }

func (m *Master) listen() (*ports, error) {
	p := &ports{}
	type listener struct {
		what    string
		host    string
		port    int
		retries int
		ln      *net.Listener
		bound   *int
	}
	all := []listener{
		{"Spark RPC (--port)", m.bind(), m.cfg.Spark.Port, 0, &p.spark, &m.sparkPort},
		{"web UI (--webui-port)", m.bind(), m.cfg.Spark.UI.Port, 0, &p.web, &m.webPort},
		{"gRPC and Raft (--rpc-port)", m.bind(), m.cfg.RPCPort, 0, &p.rpc, &m.rpcPort},
	}
	if rest := m.cfg.Spark.REST; m.rest != nil { // the one port that Spark's Master does not insist on
		all = append(all, listener{"REST submissions (--rest-port)", cmp.Or(rest.Host, m.bind()), rest.Port, m.cfg.Spark.PortMaxRetries, &p.rest, &m.restPort})
	}
	for _, l := range all {
		ln, err := rpc.Listen(l.what, l.host, l.port, l.retries)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		*l.ln, *l.bound = ln, ln.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}

func (p *ports) close() error {
	var errs []error
	for _, ln := range []net.Listener{p.spark, p.web, p.rest, p.rpc, p.grpc} {
		if ln != nil {
			errs = append(errs, ln.Close())
		}
	}
	return errors.Join(errs...)
}

func sortByID(masters []web.MasterInfo) {
	slices.SortFunc(masters, func(a, b web.MasterInfo) int { return cmp.Compare(a.ID, b.ID) })
}

// WaitWorkers returns when this master knows of a leader and of so many ALIVE workers.
func (m *Master) WaitWorkers(ctx context.Context, n int) error {
	for {
		changed := m.node.Watch()
		if m.node.LeaderID() != "" {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no master leads: %w", ctx.Err())
		}
	}
	_, sub := m.fsm.Subscribe()
	defer sub.Close()
	for {
		alive := 0
		for w := range m.fsm.State().Workers() {
			if w.State == fsm.WorkerAlive {
				alive++
			}
		}
		if alive >= n {
			return nil
		}
		if _, _, err := sub.Next(ctx); err != nil {
			return fmt.Errorf("%d of %d workers seen: %w", alive, n, err)
		}
	}
}

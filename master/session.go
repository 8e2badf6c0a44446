package master

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type sessionStream = grpc.BidiStreamingServer[clusterpb.WorkerMessage, clusterpb.MasterMessage]

// sessions is the door for Go workers.
type sessions struct {
	clusterpb.UnimplementedWorkersServer
	m *Master
}

// Session serves one worker until the stream, the term or the worker's place in the cluster ends.
func (s *sessions) Session(stream sessionStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello := first.GetHello()
	if hello == nil {
		return status.Error(codes.InvalidArgument, "a session begins with Hello")
	}
	d := s.m.duties.Load()
	if d == nil {
		return s.m.notLeader().GRPCStatus().Err()
	}
	if hello.GetSeenTerm() > d.term {
		return d.overtaken(hello)
	}
	if d.serves(hello) {
		return d.stranger(hello)
	}
	err = d.serveWorker(stream, hello)
	switch {
	case err == nil:
		return nil
	case d.ctx.Err() != nil:
		return s.m.notLeader().GRPCStatus().Err()
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.Unavailable, err.Error())
}

// serveWorker is one session: register, compare lists, then obey and be told.
func (d *duties) serveWorker(stream sessionStream, hello *clusterpb.Hello) error {
	if err := d.registerGoWorker(hello); err != nil {
		return err
	}
	log := d.log.With("worker", hello.GetId())
	line := newGoLine(d.ctx, d.term, log, stream)
	every := heartbeats(d.m.fsm.State().WorkerCount())
	line.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_Welcome{Welcome: &clusterpb.Welcome{
		LeaderId: d.m.cfg.ID, MasterUrl: d.m.URL(), MasterWebUiUrl: d.m.webURL(), HeartbeatMs: uint32(every.Milliseconds()), ClusterId: d.m.fsm.State().ClusterID(),
	}}})
	defer func() {
		line.close()
		d.live.checkID(d.ctx, hello.GetId())
	}()
	list, err := d.takeList(hello, line)
	if err != nil {
		return err
	}
	d.live.begins(hello.GetId(), hello.GetIncarnation(), every)
	d.giveUp(hello.GetId(), line, d.dispatch.attach(hello.GetId(), line, list))
	d.schedule.trigger()
	log.Info("worker session open", "executors", len(list.executors), "drivers", len(list.drivers))
	received := make(chan error, 1)
	go func() { received <- d.listen(stream, hello, line) }()
	select {
	case err := <-received:
		return err
	case <-line.done():
		return status.Error(codes.Aborted, "this session is over: open another one")
	case <-d.ctx.Done():
		return d.ctx.Err()
	}
}

// registerGoWorker has the worker's registration committed, and turns a refusal into a status that its agent decides by.
func (d *duties) registerGoWorker(h *clusterpb.Hello) error {
	w := fsm.Worker{
		ID: h.GetId(), Host: h.GetHost(), Port: int(h.GetPort()), Cores: int(h.GetCores()), MemoryMB: int(h.GetMemoryMb()),
		WebUIURL: h.GetWebUiUrl(), Kind: fsm.WorkerGo, Incarnation: h.GetIncarnation(), Registered: now(),
		Resources: addressMap(h.GetResources()), DriverLeaseMS: h.GetDriverLeaseMs(),
	}
	for _, home := range h.GetHomes() {
		w.Builds = append(w.Builds, home.GetBuild())
	}
	old, past := d.pastLife(w)
	if past == pastLives {
		return status.Errorf(codes.AlreadyExists, "worker id %s is held by a live worker at %s:%d: give this one another --id", w.ID, old.Host, old.Port)
	}
	c := &fsm.RegisterWorker{Worker: w, PastSilent: past == pastSilent, Damping: d.live.damping.death(), Drain: drainOf(h)}
	_, err := proposeHere[fsm.WorkerRegistered](d.ctx, d.m, c)
	if fsm.RefusalCode(err) == fsm.CodeAddressTaken {
		if d.addressHolderLives(w) {
			return status.Error(codes.AlreadyExists, err.Error())
		}
		c.ReplaceAddress = true
		_, err = proposeHere[fsm.WorkerRegistered](d.ctx, d.m, c)
	}
	if fsm.RefusalCode(err) == fsm.CodeInvalid {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return err
}

// What is known of an earlier life of a worker that registers: whether its process is there.
type past int

const (
	pastGone   past = iota // it is not, or there was none
	pastLives              // another process goes by the same id at another address, and answers
	pastSilent             // it does not answer, and may be cut off, with all that it runs
)

// pastLife finds out about the life before.
func (d *duties) pastLife(w fsm.Worker) (*fsm.Worker, past) {
	state := d.m.fsm.State()
	old, ok := state.Worker(w.ID)
	switch {
	case !ok && state.HoldsDrivers(w.ID): // it was lost so long ago that it is not listed any more
		return nil, pastSilent
	case !ok:
		return nil, pastGone
	case old.Incarnation == w.Incarnation, old.Host == w.Host && old.Port == w.Port: // one address is listened at by one process
		return old, pastGone
	case old.State == fsm.WorkerDead && !state.HoldsDrivers(w.ID):
		return old, pastGone // whatever it is, nothing is waited for
	}
	err := d.live.askNow(d.ctx, old)
	switch {
	case err == nil && old.State != fsm.WorkerDead:
		return old, pastLives
	case errors.Is(err, syscall.ECONNREFUSED):
		return old, pastGone
	}
	return old, pastSilent
}

// addressHolderLives tells whether the worker that the books have at this address still has a session. Another process
// cannot listen there too, but a wrong --host can make two workers announce one address.
func (d *duties) addressHolderLives(w fsm.Worker) bool {
	old, ok := d.m.fsm.State().WorkerAt(w.Host, w.Port)
	if !ok {
		return false
	}
	_, open := d.dispatch.attachedLine(old.ID)
	// A line outlives a host that lost its power until TCP notices.
	patience := silentAfter
	if old.Kind == fsm.WorkerJVM {
		patience = d.live.timeout // its heartbeats are a quarter of that apart
	}
	return open && time.Since(d.live.lastHeard(old.ID)) < patience
}

// takeList commits what the worker's list says: ends that nobody acknowledged, and what runs.
func (d *duties) takeList(h *clusterpb.Hello, line *goLine) (list workerList, err error) {
	report := &fsm.WorkerReport{ID: h.GetId(), Incarnation: h.GetIncarnation(), At: now()}
	for _, r := range h.GetDrivers() {
		if r.GetState() != clusterpb.DriverState_DRIVER_STATE_RUNNING {
			if err := d.driverReported(h.GetId(), r, line); err != nil {
				return list, err
			}
			continue
		}
		report.Drivers = append(report.Drivers, r.GetRunId())
	}
	for _, e := range h.GetExecutors() {
		s := fsm.ExecutorState(e.GetState())
		if s.Finished() {
			if err := d.reported(h.GetId(), e, line); err != nil {
				return list, err
			}
			continue
		}
		report.Executors = append(report.Executors, fsm.ReportedExecutor{AppID: e.GetAppId(), ID: int(e.GetExecutorId()), State: s})
		list.executors = append(list.executors, fsm.ExecutorKey{AppID: e.GetAppId(), ID: int(e.GetExecutorId())})
	}
	list.drivers, list.apps, list.drained = report.Drivers, h.GetApplications(), drainOf(h) != fsm.DrainNone
	_, err = proposeHere[fsm.WorkerReconciled](d.ctx, d.m, report)
	return list, err
}

// listen takes a worker's reports until its stream ends.
func (d *duties) listen(stream sessionStream, h *clusterpb.Hello, line *goLine) error {
	for {
		msg, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		d.live.heard(h.GetId())
		switch msg := msg.GetMessage().(type) {
		case *clusterpb.WorkerMessage_Executor:
			err = d.reported(h.GetId(), msg.Executor, line)
		case *clusterpb.WorkerMessage_Driver:
			err = d.driverReported(h.GetId(), msg.Driver, line)
		case *clusterpb.WorkerMessage_Heartbeat:
			d.acks.heartbeat(line, msg.Heartbeat.GetSequence())
		case *clusterpb.WorkerMessage_Decommissioning:
			err = d.drainAsked(h, line)
		case *clusterpb.WorkerMessage_Goodbye:
			d.live.declareLost(d.ctx, h.GetId(), h.GetIncarnation(), "worker stopped: "+msg.Goodbye.GetReason())
		}
		if err != nil && fsm.RefusalCode(err) == fsm.CodeOK {
			return err
		}
	}
}

// reported commits one report and acknowledges it. A refusal is acknowledged too: a late report of an executor that
// nobody knows any more is normal, and nobody needs it again.
func (d *duties) reported(workerID string, r *clusterpb.ExecutorReport, line *goLine) error {
	c := &fsm.ExecutorStateChanged{
		AppID: r.GetAppId(), ID: int(r.GetExecutorId()), State: fsm.ExecutorState(r.GetState()), Message: r.GetMessage(), At: now(),
		MaxRetries: d.m.cfg.Spark.MaxExecutorRetries, Retained: d.m.cfg.Spark.RetainedApplications, WorkerID: workerID,
	}
	if r.ExitStatus != nil {
		code := int(r.GetExitStatus())
		c.ExitStatus = &code
	}
	err := d.m.lateReport(c.AppID, c.ID)
	if err == nil {
		_, err = proposeHere[none](d.ctx, d.m, c)
	}
	if err != nil {
		if fsm.RefusalCode(err) == fsm.CodeOK {
			return err
		}
		d.log.Debug("a report that changes nothing", "worker", workerID, "reason", err)
	}
	line.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_ExecutorAck{ExecutorAck: &clusterpb.ExecutorAck{
		AppId: r.GetAppId(), ExecutorId: r.GetExecutorId(), State: r.GetState(),
	}}})
	return nil
}

// driverReported is the same for the end of a driver's run.
func (d *duties) driverReported(workerID string, r *clusterpb.DriverReport, line *goLine) error {
	if r.GetState() == clusterpb.DriverState_DRIVER_STATE_RUNNING {
		return nil // it is RUNNING in the books since it was placed
	}
	if err := d.commitDriverEnd(workerID, r); err != nil {
		if fsm.RefusalCode(err) == fsm.CodeOK {
			return err
		}
		d.log.Info("a driver's report that changes nothing", "worker", workerID, "driver", r.GetRunId(), "state", r.GetState(), "reason", err)
	}
	line.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_DriverAck{DriverAck: &clusterpb.DriverAck{RunId: r.GetRunId()}}})
	return nil
}

func (d *duties) commitDriverEnd(workerID string, r *clusterpb.DriverReport) error {
	if r.GetState() == clusterpb.DriverState_DRIVER_STATE_RELAUNCHING {
		return d.loseRun(r.GetRunId(), workerID, r.GetMessage())
	}
	_, err := proposeHere[none](d.ctx, d.m, &fsm.DriverStateChanged{
		ID: r.GetRunId(), State: fsm.DriverState(r.GetState()), Exception: r.GetMessage(), At: now(), Retained: d.m.cfg.Spark.RetainedDrivers, WorkerID: workerID,
	})
	return err
}

func addressMap(in map[string]*clusterpb.Addresses) map[string][]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string][]string, len(in))
	for name, a := range in {
		out[name] = a.GetAddresses()
	}
	return out
}

// goLine is the workerLine of a Go worker: its session.
type goLine struct {
	term uint64
	box  *mailbox[*clusterpb.MasterMessage]
	end  chan struct{}
	once sync.Once
}

var _ workerLine = (*goLine)(nil)

func newGoLine(ctx context.Context, term uint64, log *slog.Logger, stream sessionStream) *goLine {
	l := &goLine{term: term, box: newMailbox[*clusterpb.MasterMessage](), end: make(chan struct{})}
	go func() {
		for {
			msgs, ok := l.box.take(ctx, l.end)
			if !ok {
				return
			}
			for _, msg := range msgs {
				if err := stream.Send(msg); err != nil {
					log.Debug("worker session ended while sending", "error", err)
					l.close()
					return
				}
			}
		}
	}()
	return l
}

func (l *goLine) send(m *clusterpb.MasterMessage) {
	m.Term = l.term
	l.box.put(m)
}

func (l *goLine) launch(a *fsm.App, e *fsm.Executor) {
	res := map[string]*clusterpb.Addresses{}
	for name, addrs := range e.Resources {
		res[name] = &clusterpb.Addresses{Addresses: addrs}
	}
	l.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_LaunchExecutor{LaunchExecutor: &clusterpb.LaunchExecutor{
		AppId: e.AppID, ExecutorId: int32(e.ID), ResourceProfileId: int32(e.Profile), Cores: int32(e.Cores), MemoryMb: int32(e.MemoryMB),
		Resources: res, ApplicationDescription: a.Description, Build: a.Build,
	}}})
}

// forgets: a Go worker's list has the ends that nobody acknowledged.
func (l *goLine) forgets() bool { return false }

func (l *goLine) kill(k fsm.ExecutorKey) {
	l.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_KillExecutor{KillExecutor: &clusterpb.KillExecutor{AppId: k.AppID, ExecutorId: int32(k.ID)}}})
}

func (l *goLine) launchDriver(d *fsm.Driver) {
	res := map[string]*clusterpb.Addresses{}
	for name, addrs := range d.Resources {
		res[name] = &clusterpb.Addresses{Addresses: addrs}
	}
	l.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_LaunchDriver{LaunchDriver: &clusterpb.LaunchDriver{
		DriverId: d.ID, RunId: d.RunID, Attempt: int32(d.Attempt), DriverDescription: d.Description, Build: d.Build, Resources: res,
	}}})
}

func (l *goLine) killDriver(runID string) {
	l.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_KillDriver{KillDriver: &clusterpb.KillDriver{RunId: runID}}})
}

func (l *goLine) applicationFinished(appID string) {
	l.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_ApplicationFinished{ApplicationFinished: &clusterpb.ApplicationFinished{AppId: appID}}})
}

func (l *goLine) close()                { l.once.Do(func() { close(l.end) }) }
func (l *goLine) done() <-chan struct{} { return l.end }

// notLeader says who leads, as far as this master knows.
func (m *Master) notLeader() *rpc.NotLeaderError {
	id := m.node.LeaderID()
	e := &rpc.NotLeaderError{LeaderID: id, Term: m.node.Term()}
	if id != "" && id != m.cfg.ID {
		e.LeaderRPC, _ = m.rpcAddress(id)
	}
	return e
}

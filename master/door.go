package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/raftnode"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// door is the endpoint named Master (org.apache.spark.deploy.master.Master): what drivers and JVM workers send. Each
// message becomes one command, on whichever master it arrives; answers that are messages of their own are sent by the
// leader's duties, when the command has taken effect.
type door struct {
	m   *Master
	log *slog.Logger
}

var (
	_ rpcenv.Endpoint = (*door)(nil)
	_ rpcenv.Watcher  = (*door)(nil)
)

// Receive takes the one-way messages of facts/spark-standalone.md, 12.1 and 12.2.
func (d *door) Receive(p *rpcenv.Peer, msg messages.Message) {
	d.m.peers.note(p)
	switch msg := msg.(type) { // those that need no context of the connection, of which one costs a goroutine
	case *messages.RegisterApplication:
		d.note(msg, p, d.registerApplication(p, msg))
		return
	case *messages.UnregisterApplication:
		d.note(msg, p, d.unregisterApplication(d.m.ctx, msg))
		return
	}
	ctx := contextOf(d.m.ctx, p)
	var err error
	switch msg := msg.(type) {
	case *messages.MasterChangeAcknowledged:
		d.log.Info("application re-attached", "app", msg.AppID)
	case *messages.RegisterWorker:
		err = d.registerWorker(ctx, p, msg)
	case *messages.WorkerLatestState:
		err = d.workerLatestState(p, msg)
	case *messages.WorkerSchedulerStateResponse:
		err = d.workerSchedulerState(p, msg)
	case *messages.Heartbeat:
		d.heartbeat(p, msg)
	case *messages.WorkerDecommissioning:
		err = d.workerDecommissioning(ctx, msg)
	case *messages.DecommissionWorkers:
		err = d.decommissionWorkers(ctx, p, msg)
	case *messages.DriverStateChanged:
		err = d.driverStateChanged(ctx, p, msg)
	default:
		d.log.Warn("a message that a master does not take", "class", msg.ClassName(), "peer", p.Address().String())
	}
	d.note(msg, p, err)
}

// note writes a failed message to the log, once, here where its sender is known.
func (d *door) note(msg messages.Message, p *rpcenv.Peer, err error) {
	switch {
	case err == nil:
	case fsm.RefusalCode(err) != fsm.CodeOK:
		d.log.Info("refused", "message", msg.ClassName(), "peer", p.Address().String(), "reason", err)
	case errors.Is(err, context.Canceled), errors.Is(err, raftnode.ErrClosed):
		d.log.Debug("a message whose sender or master is gone", "message", msg.ClassName(), "error", err)
	default:
		d.log.Warn("a message could not be carried out; its sender will ask again", "message", msg.ClassName(), "peer", p.Address().String(), "error", err)
	}
}

// ReceiveAndReply answers asks.
func (d *door) ReceiveAndReply(p *rpcenv.Peer, msg messages.Message) (messages.Message, error) {
	d.m.peers.note(p)
	ctx := contextOf(d.m.ctx, p)
	switch msg := msg.(type) {
	case *messages.RequestExecutors:
		return d.answer(msg, p, d.requestExecutors(ctx, msg))
	case *messages.KillExecutors:
		return d.answer(msg, p, d.killExecutors(ctx, msg))
	case *messages.ExecutorStateChanged:
		// A late report of an executor that nobody knows is answered true, as Spark's Master does.
		err := d.executorStateChanged(ctx, msg)
		if fsm.RefusalCode(err) != fsm.CodeOK {
			d.log.Debug("a report that changes nothing", "peer", p.Address().String(), "reason", err)
			err = nil
		}
		return d.answer(msg, p, err)
	case *messages.RequestSubmitDriver:
		return d.submitDriver(ctx, p, msg)
	case *messages.RequestKillDriver:
		return d.killDriver(ctx, p, msg)
	case *messages.RequestKillAllDrivers:
		return d.killAllDrivers(ctx, p, msg)
	case *messages.RequestDriverStatus:
		return d.driverStatus(ctx, p, msg)
	case *messages.RequestClearCompletedDriversAndApps:
		return d.answer(msg, p, submissions{d.m}.Clear(ctx))
	case *messages.RequestReadyz:
		return &messages.Boolean{Value: submissions{d.m}.Ready(ctx) == nil}, nil
	case *messages.DecommissionWorkersOnHosts:
		return d.decommissionHosts(ctx, msg)
	case *messages.BoundPortsRequest:
		return d.boundPorts(), nil
	}
	return nil, fmt.Errorf("a Firesteel master does not answer %s", msg.ClassName())
}

// answer is true for what was done, false for what was refused, a failure for what may be asked again.
func (d *door) answer(msg messages.Message, p *rpcenv.Peer, err error) (messages.Message, error) {
	d.note(msg, p, err)
	if err != nil && fsm.RefusalCode(err) == fsm.CodeOK {
		return nil, err
	}
	return &messages.Boolean{Value: err == nil}, nil
}

// Disconnected: where this master leads, the duties watch the connections that they use. Where it does not, the leader
// is told if it has spoken to that peer through this connection.
func (d *door) Disconnected(p *rpcenv.Peer, _ error) {
	if relayed := d.m.peers.forget(p); relayed && d.m.ctx.Err() == nil {
		d.m.peerGone(p.Address())
	}
}

// contextOf ends with the master or with the peer's connection: a driver that has gone must not be registered late. It
// is made with the first message of a connection and kept with it.
func contextOf(parent context.Context, p *rpcenv.Peer) context.Context {
	if ctx, ok := p.Note.(context.Context); ok {
		return ctx
	}
	ctx, cancel := context.WithCancel(parent)
	go func() {
		<-p.Done()
		cancel()
	}()
	p.Note = ctx
	return ctx
}

func (d *door) registerApplication(p *rpcenv.Peer, msg *messages.RegisterApplication) error {
	p.Adopt(rpcenv.Dialect{Ref: msg.Driver.Template})
	if d.m.leaderHas(p, msg) {
		return nil
	}
	d.m.arrivals.proposed.Add(1)
	cmd, err := d.m.registration(msg)
	if err != nil {
		return errors.Join(err, refuseDriver(p, err))
	}
	build, err := buildOf(msg)
	if err != nil {
		return errors.Join(err, refuseDriver(p, err))
	}
	ctx := contextOf(d.m.ctx, p)
	if cmd.App.Build, err = d.labelOfDriver(ctx, p, msg, build, cmd.App.DriverRef); err != nil {
		return err
	}
	done, err := propose[fsm.AppRegistered](ctx, d.m, cmd)
	if fsm.RefusalCode(err) != fsm.CodeOK {
		return errors.Join(err, refuseDriver(p, err))
	}
	if err == nil && !done.Duplicate {
		d.log.Info("application registered", "app", done.AppID, "name", msg.App.Name, "build", cmd.App.Build, "driver", msg.Driver.Address().String())
	}
	return err
}

// refuseDriver tells a driver at once what it would otherwise find out after a minute of asking: that no master will take
// its application. The unmodified AppClient stops with the reason.
func refuseDriver(p *rpcenv.Peer, reason error) error {
	return p.Send(appClient, &messages.ApplicationRemoved{Reason: reason.Error()})
}

// unregisterApplication is a driver's own word that it is done, which holds even when its connection has ended since.
func (d *door) unregisterApplication(ctx context.Context, msg *messages.UnregisterApplication) error {
	_, err := propose[none](ctx, d.m, &fsm.FinishApplication{
		AppID: msg.AppID, State: fsm.AppFinished, At: now(), Retained: d.m.cfg.Spark.RetainedApplications,
	})
	return err
}

func (d *door) requestExecutors(ctx context.Context, msg *messages.RequestExecutors) error {
	cmd := &fsm.RequestExecutors{AppID: msg.AppID}
	for _, t := range msg.Totals {
		prof := profile(t.Profile)
		prof.Target = max(t.Total, 0)
		cmd.Targets = append(cmd.Targets, prof)
	}
	_, err := propose[none](ctx, d.m, cmd)
	return err
}

func (d *door) killExecutors(ctx context.Context, msg *messages.KillExecutors) error {
	cmd := &fsm.KillExecutors{AppID: msg.AppID, At: now()}
	for _, text := range msg.ExecutorIDs {
		id, err := strconv.Atoi(text)
		if err != nil {
			d.log.Warn("not an executor id", "app", msg.AppID, "id", text) // Master.formatExecutorIds drops it too
			continue
		}
		cmd.IDs = append(cmd.IDs, id)
	}
	_, err := propose[none](ctx, d.m, cmd)
	return err
}

func (d *door) executorStateChanged(ctx context.Context, msg *messages.ExecutorStateChanged) error {
	if err := d.m.lateReport(msg.AppID, msg.ExecID); err != nil {
		return err
	}
	d.m.heardOfExecutor(msg.AppID, msg.ExecID)
	_, err := propose[none](ctx, d.m, &fsm.ExecutorStateChanged{
		AppID: msg.AppID, ID: msg.ExecID, State: fsm.ExecutorState(msg.State + 1), Message: msg.Message, ExitStatus: msg.ExitStatus, At: now(),
		MaxRetries: d.m.cfg.Spark.MaxExecutorRetries, Retained: d.m.cfg.Spark.RetainedApplications,
	})
	return err
}

// lateReport is the refusal of a report about an executor that is over: the last word of every executor of an application
// that ended comes after that end. Where this master leads, its state has every executor that was ever launched, so such
// a report need not go through the log to be refused.
func (m *Master) lateReport(appID string, execID int) error {
	if m.duties.Load() == nil {
		return nil
	}
	s := m.fsm.State()
	if a, ok := s.App(appID); ok {
		if e, ok := s.Executor(a, execID); ok && !e.State.Finished() {
			return nil
		}
	}
	return &fsm.Refusal{Code: fsm.CodeUnknownExecutor, Message: fmt.Sprintf("a report for executor %s/%d: no such live executor", appID, execID)}
}

// heardOfExecutor takes a JVM worker's report for a sign of its life: one that is busy need not be asked for another.
func (m *Master) heardOfExecutor(appID string, execID int) {
	d := m.duties.Load()
	if d == nil {
		return
	}
	s := m.fsm.State()
	if a, ok := s.App(appID); ok {
		if e, ok := s.Executor(a, execID); ok {
			d.live.heard(e.WorkerID)
		}
	}
}

func (d *door) driverStateChanged(ctx context.Context, p *rpcenv.Peer, msg *messages.DriverStateChanged) error {
	cmd := &fsm.DriverStateChanged{ID: msg.DriverID, State: fsm.DriverState(msg.State + 1), At: now(), Retained: d.m.cfg.Spark.RetainedDrivers}
	if w, ok := d.m.fsm.State().WorkerAt(p.Address().Host, p.Address().Port); ok {
		cmd.WorkerID = w.ID
	}
	if msg.Exception != nil {
		cmd.Exception = msg.Exception.String()
	}
	_, err := propose[none](ctx, d.m, cmd)
	return err
}

// peerGone tells the leader of a peer whose connection to this master has ended.
func (m *Master) peerGone(addr wire.Address) {
	if d := m.duties.Load(); d != nil {
		d.notify.peerGone(addr)
		return
	}
	leader, ok := m.rpcAddress(m.node.LeaderID())
	if !ok {
		return
	}
	m.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, relayTimeout)
		defer cancel()
		if err := m.pool.PeerGone(ctx, leader, sparkAddress(addr)); err != nil {
			m.log.Debug("the leader could not be told of a lost connection; it finds out by itself", "error", err)
		}
	})
}

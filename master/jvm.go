package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
)

// This file speaks with Spark's own Worker. It dials every master of its list and registers with each; the leader
// answers over the connection that it opened, or dials it. It then sends its own list, and only then is it used: a JVM
// worker must not be sent a launch that it may have already (trap 17).

// registerWorker is Master.receive(RegisterWorker).
func (d *door) registerWorker(ctx context.Context, p *rpcenv.Peer, msg *messages.RegisterWorker) error {
	p.Adopt(rpcenv.Dialect{Ref: msg.Worker.Template})
	labels, err := d.labelsOfWorker(ctx, p, msg)
	if errors.Is(err, releases.ErrUnknownBuild) {
		// It would ask for minutes, of every master, and end without a word.
		return errors.Join(err, p.Send(workerEndpoint, &messages.RegisterWorkerFailed{Reason: err.Error()}))
	}
	if err != nil {
		return err
	}
	cmd, err := workerRegistration(msg, labels)
	if err != nil {
		return err
	}
	cmd.Damping = d.m.watching.damping.death()
	done, err := propose[fsm.WorkerRegistered](ctx, d.m, cmd)
	duties := d.m.duties.Load()
	if duties == nil {
		return err // the leader answers: it sees the registration, and this worker calls on it too
	}
	if fsm.RefusalCode(err) == fsm.CodeAddressTaken {
		if duties.addressHolderLives(cmd.Worker) {
			return p.Send(workerEndpoint, &messages.RegisterWorkerFailed{Reason: err.Error()})
		}
		cmd.ReplaceAddress = true
		done, err = propose[fsm.WorkerRegistered](ctx, d.m, cmd)
	}
	switch {
	case fsm.RefusalCode(err) == fsm.CodeInvalid:
		return p.Send(workerEndpoint, &messages.RegisterWorkerFailed{Reason: err.Error()})
	case err != nil:
		return err
	case done.Duplicate:
		// Its first copy may have come by way of another master a moment ago: then this is its first answer all the same.
		_, used := duties.dispatch.attachedLine(msg.ID)
		return p.Send(workerEndpoint, duties.registered(used, msg.MasterAddress))
	}
	return nil // the event of the registration has it answered (greet)
}

func workerRegistration(msg *messages.RegisterWorker, labels []string) (*fsm.RegisterWorker, error) {
	ref, err := messages.EncodeTree(msg.Worker.Template)
	if err != nil {
		return nil, fmt.Errorf("keep the ref of worker %s: %w", msg.ID, err)
	}
	return &fsm.RegisterWorker{Worker: fsm.Worker{
		ID: msg.ID, Host: msg.Host, Port: msg.Port, Cores: msg.Cores, MemoryMB: msg.MemoryMB, WebUIURL: msg.WebUIURL, Kind: fsm.WorkerJVM,
		Builds: labels, Resources: msg.Resources, Incarnation: msg.ID, Ref: ref, Registered: now(),
	}}, nil
}

// workerEndpoint is the name of a worker's endpoint.
const workerEndpoint = "Worker"

func (d *duties) registered(duplicate bool, asked messages.Address) *messages.RegisteredWorker {
	ref := d.m.ref()
	if asked.Host == "" {
		asked = ref.Address()
	}
	return &messages.RegisteredWorker{Master: ref, WebUIURL: d.m.webURL(), MasterAddress: asked, Duplicate: duplicate}
}

// greet answers a JVM worker's registration, or tells one that a new leader is there.
func (d *duties) greet(w *fsm.Worker, takeover bool) {
	msg := messages.Message(d.registered(false, messages.Address{}))
	if takeover {
		msg = &messages.MasterChanged{Master: d.m.ref(), WebUIURL: d.m.webURL()}
	}
	d.spawn(func() {
		p, err := d.reachWorker(d.ctx, w)
		if err == nil {
			err = sendWithin(d.ctx, p, workerEndpoint, msg)
		}
		if err != nil && d.ctx.Err() == nil {
			d.log.Warn("a JVM worker cannot be answered; it will be judged", "worker", w.ID, "error", err)
			d.live.checkID(d.ctx, w.ID)
		}
	})
}

// reachWorker finds the connection that a JVM worker opened, or opens one.
func (d *duties) reachWorker(ctx context.Context, w *fsm.Worker) (*rpcenv.Peer, error) {
	addr := wireAddress(w.Host, w.Port)
	if p, ok := d.m.peers.find(addr); ok && !closed(p.Done()) {
		return p, nil
	}
	dialect, err := dialectOf(w.Builds[0], w.Ref)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	p, err := d.m.env.Dial(ctx, addr, dialect)
	if err != nil {
		return nil, err
	}
	lasts := d.spawn(func() { // the line lives as long as the term; what the worker sends comes in by the door
		select {
		case <-d.ctx.Done():
			p.Close()
		case <-p.Done():
		}
	})
	if !lasts {
		p.Close()
		return nil, context.Cause(d.ctx)
	}
	return p, nil
}

func (d *door) workerLatestState(p *rpcenv.Peer, msg *messages.WorkerLatestState) error {
	report := &fsm.WorkerReport{ID: msg.ID, Drivers: msg.DriverIDs, At: now()}
	for _, e := range msg.Executors {
		report.Executors = append(report.Executors, reportedBy(e))
	}
	return d.takeList(p, report)
}

func (d *door) workerSchedulerState(p *rpcenv.Peer, msg *messages.WorkerSchedulerStateResponse) error {
	report := &fsm.WorkerReport{ID: msg.ID, At: now()}
	for _, e := range msg.Executors {
		report.Executors = append(report.Executors, reportedBy(e.Executor))
	}
	for _, drv := range msg.Drivers {
		report.Drivers = append(report.Drivers, drv.DriverID)
	}
	return d.takeList(p, report)
}

func reportedBy(e messages.ExecutorDescription) fsm.ReportedExecutor {
	return fsm.ReportedExecutor{AppID: e.AppID, ID: e.ExecID, State: fsm.ExecutorState(e.State) + 1}
}

// takeList commits a JVM worker's list, where this master leads, and begins to use the worker. A list is true for the moment
// in which it was made: it is neither held for the next leader nor forwarded to it, which asks for one of its own. One that
// came late would end what the worker was given since (seen in a storm: chaos/storm, seed 4).
func (d *door) takeList(p *rpcenv.Peer, report *fsm.WorkerReport) error {
	duties := d.m.duties.Load()
	if duties == nil {
		return nil
	}
	if _, err := proposeHere[fsm.WorkerReconciled](duties.ctx, d.m, report); err != nil {
		return err
	}
	list := workerList{drivers: report.Drivers}
	apps := map[string]bool{}
	for _, e := range report.Executors {
		list.executors = append(list.executors, fsm.ExecutorKey{AppID: e.AppID, ID: e.ID})
		apps[e.AppID] = true
	}
	list.apps = slices.Collect(maps.Keys(apps))
	duties.useJVMWorker(report.ID, p, list)
	return nil
}

func (d *duties) useJVMWorker(workerID string, p *rpcenv.Peer, list workerList) {
	d.live.heard(workerID)
	// A worker that registers through several masters shows its list several times. On a connection that is in use the
	// line stays, since what was sent on it reaches the worker after such a list was made.
	if old, ok := d.dispatch.attachedLine(workerID); ok {
		if line, ok := old.(*jvmLine); ok && line.peer == p {
			d.giveUp(workerID, line, d.dispatch.attach(workerID, line, list))
			return
		}
	}
	line := newJVMLine(d.ctx, d.log.With("worker", workerID), p, d.m.URL())
	d.giveUp(workerID, line, d.dispatch.attach(workerID, line, list))
	d.schedule.trigger()
	d.spawn(func() {
		select {
		case <-p.Served():
			line.close()
			d.live.checkID(d.ctx, workerID)
		case <-line.done():
		case <-d.ctx.Done():
		}
	})
}

// giveUp ends executors and runs of drivers of which nobody knows whether the worker was told to start them: it may have
// done so, and they may have ended, without a word that reached a master. Others are placed under ids of their own.
func (d *duties) giveUp(workerID string, line workerLine, u unclear) {
	if len(u.executors) > 0 {
		d.spawn(func() { d.giveUpExecutors(workerID, u.executors) })
	}
	if len(u.drivers) > 0 {
		d.spawn(func() { d.giveUpRuns(workerID, line, u.drivers) })
	}
}

func (d *duties) giveUpExecutors(workerID string, unclear []fsm.ExecutorKey) {
	for _, key := range unclear {
		d.log.Info("it is not known whether an executor was started: giving it up", "worker", workerID, "app", key.AppID, "executor", key.ID)
		lost := &fsm.ExecutorStateChanged{
			AppID: key.AppID, ID: key.ID, State: fsm.ExecutorLost, WorkerID: workerID, At: now(),
			Message:    "the master changed while it was launched, and its worker does not run it",
			MaxRetries: -1, Retained: d.m.cfg.Spark.RetainedApplications, // no fault of the application's
		}
		d.insist(func() error {
			_, err := proposeHere[none](d.ctx, d.m, lost)
			return err
		})
	}
}

// insist repeats a proposal until it is carried out, refused, or the term is over.
func (d *duties) insist(propose func() error) {
	for d.ctx.Err() == nil {
		if err := propose(); err == nil || fsm.RefusalCode(err) != fsm.CodeOK {
			return
		}
		delay.For(d.ctx, lastDriverRetry)
	}
}

// heartbeat is Master.receive(Heartbeat): a worker that is listed and counts as dead is asked to register again.
func (d *door) heartbeat(p *rpcenv.Peer, msg *messages.Heartbeat) {
	duties := d.m.duties.Load()
	if duties == nil {
		return
	}
	w, ok := d.m.fsm.State().Worker(msg.WorkerID)
	switch {
	case !ok:
		d.log.Warn("a heartbeat of a worker that was never registered", "worker", msg.WorkerID, "peer", p.Address().String())
	case w.State == fsm.WorkerDead:
		d.log.Info("a heartbeat of a worker that counts as dead: asking it to register again", "worker", msg.WorkerID)
		d.note(msg, p, p.Send(workerEndpoint, &messages.ReconnectWorker{MasterURL: d.m.URL()}))
	default:
		duties.live.heard(msg.WorkerID)
		if _, used := duties.dispatch.attachedLine(msg.WorkerID); !used {
			d.log.Info("a heartbeat of a worker that has not shown its list: asking it to register again", "worker", msg.WorkerID)
			d.note(msg, p, p.Send(workerEndpoint, &messages.ReconnectWorker{MasterURL: d.m.URL()}))
		}
	}
}

// jvmLine is the workerLine of a JVM worker.
type jvmLine struct {
	url  string
	log  *slog.Logger
	peer *rpcenv.Peer
	box  *mailbox[messages.Message]
	end  chan struct{}
	stop func()
}

var _ workerLine = (*jvmLine)(nil)

func newJVMLine(ctx context.Context, log *slog.Logger, p *rpcenv.Peer, url string) *jvmLine {
	ctx, cancel := context.WithCancel(ctx)
	l := &jvmLine{url: url, log: log, peer: p, box: newMailbox[messages.Message](), stop: cancel, end: make(chan struct{})}
	go func() {
		defer close(l.end)
		defer cancel()
		for {
			msgs, ok := l.box.take(ctx, p.Done())
			if !ok {
				return
			}
			for _, msg := range msgs {
				if err := p.Send(workerEndpoint, msg); err != nil {
					log.Warn("a JVM worker could not be told", "message", msg.ClassName(), "error", err)
				}
			}
		}
	}()
	return l
}

func (l *jvmLine) launch(a *fsm.App, e *fsm.Executor) {
	d, err := messages.DecodeApplicationDescription(a.Description, javaser.DefaultLimits())
	if err != nil {
		l.log.Error("a stored description cannot be read", "app", a.ID, "error", err)
		return
	}
	l.box.put(&messages.LaunchExecutor{
		MasterURL: l.url, AppID: e.AppID, ExecID: e.ID, RPID: e.Profile, App: d, Cores: e.Cores, MemoryMB: e.MemoryMB, Resources: e.Resources,
	})
}

// forgets: WorkerLatestState and WorkerSchedulerStateResponse name what runs, and nothing else.
func (l *jvmLine) forgets() bool { return true }

func (l *jvmLine) kill(k fsm.ExecutorKey) {
	l.box.put(&messages.KillExecutor{MasterURL: l.url, AppID: k.AppID, ExecID: k.ID})
}

func (l *jvmLine) launchDriver(d *fsm.Driver) {
	desc, err := messages.DecodeDriverDescription(d.Description, javaser.DefaultLimits())
	if err != nil {
		l.log.Error("a stored description cannot be read", "driver", d.ID, "error", err)
		return
	}
	// Spark's Worker gives a driver no module options. They begin with one by which a JVM without modules passes over them.
	desc.Command.JavaOpts = slices.Concat(releases.ModuleOptions(d.Build), desc.Command.JavaOpts, []string{releases.DriverRunOption(d.RunID)})
	desc.Tree = nil // written from the fields
	l.box.put(&messages.LaunchDriver{DriverID: d.RunID, Driver: desc, Resources: d.Resources})
}

func (l *jvmLine) killDriver(runID string) { l.box.put(&messages.KillDriver{DriverID: runID}) }

func (l *jvmLine) applicationFinished(appID string) {
	l.box.put(&messages.ApplicationFinished{AppID: appID})
}
func (l *jvmLine) close()                { l.stop() }
func (l *jvmLine) done() <-chan struct{} { return l.end }

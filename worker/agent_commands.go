package worker

import (
	"errors"
	"fmt"
	"math"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
)

// agent is the Worker as its session sees it.
type agent Worker

var _ commands = (*agent)(nil)

func (a *agent) hello() *clusterpb.Hello {
	w := (*Worker)(a)
	drained, wished := w.drain.hello()
	w.mu.Lock()
	cluster := w.cluster
	w.mu.Unlock()
	h := &clusterpb.Hello{
		Id: w.id, Incarnation: w.incarnation, Host: w.cfg.Spark.Host, Port: int32(w.port), Cores: int32(w.cfg.Spark.Cores),
		MemoryMb: int32(min(w.cfg.Spark.MemoryMiB, math.MaxInt32)), WebUiUrl: w.executors.cfg.Identity.WebUIURL(),
		Resources: map[string]*clusterpb.Addresses{}, SeenTerm: w.fence.seen(), Decommissioned: drained, DecommissionAsked: wished, ClusterId: cluster,
		Applications: w.executors.Applications(), DriverLeaseMs: w.leasePromise().Milliseconds(),
	}
	for _, home := range w.homes.List() {
		for _, build := range home.Labels() {
			h.Homes = append(h.Homes, &clusterpb.SparkHome{Version: home.Version, Build: build})
		}
	}
	for name, addrs := range w.resources {
		h.Resources[name] = &clusterpb.Addresses{Addresses: addrs}
	}
	for _, r := range w.drivers.List() {
		h.Drivers = append(h.Drivers, driverReportMessage(r))
	}
	for _, r := range w.executors.List() {
		h.Executors = append(h.Executors, reportMessage(r))
	}
	return h
}

// report hands an executor's report to the session, if there is one; without one it is in the next Hello.
func (w *Worker) report(r Report) {
	w.outbox.put(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Executor{Executor: reportMessage(r)}})
}

var reportStates = map[ExecutorState]clusterpb.ExecutorState{
	Launching: clusterpb.ExecutorState_EXECUTOR_STATE_LAUNCHING,
	Running:   clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING,
	Exited:    clusterpb.ExecutorState_EXECUTOR_STATE_EXITED,
	Killed:    clusterpb.ExecutorState_EXECUTOR_STATE_KILLED,
	Failed:    clusterpb.ExecutorState_EXECUTOR_STATE_FAILED,
}

func reportMessage(r Report) *clusterpb.ExecutorReport {
	m := &clusterpb.ExecutorReport{AppId: r.AppID, ExecutorId: int32(r.ExecID), State: reportStates[r.State], Message: r.Message}
	if r.ExitCode != nil {
		code := int32(*r.ExitCode)
		m.ExitStatus = &code
	}
	return m
}

// launch starts an executor. What cannot be started is reported FAILED with the reason, as Spark's Worker does.
func (a *agent) launch(l *clusterpb.LaunchExecutor) {
	if a.refuses(l) {
		return
	}
	w := (*Worker)(a)
	spec, err := w.spec(l)
	if err != nil {
		w.log.Error("an executor cannot be launched", "app", l.GetAppId(), "executor", l.GetExecutorId(), "error", err)
		w.report(Report{AppID: l.GetAppId(), ExecID: int(l.GetExecutorId()), State: Failed, Message: err.Error()})
		return
	}
	w.executors.Start(spec)
}

func (w *Worker) spec(l *clusterpb.LaunchExecutor) (ExecutorSpec, error) {
	d, err := messages.DecodeApplicationDescription(l.GetApplicationDescription(), javaser.DefaultLimits())
	if err != nil {
		return ExecutorSpec{}, fmt.Errorf("read the application's description: %w", err)
	}
	app := releases.AppOf(l.GetBuild())
	app.JavaOpts, app.Wish = d.Command.JavaOpts, d.Command.Environment[releases.HomeWish]
	home, err := w.homes.Pick(app)
	if err != nil {
		return ExecutorSpec{}, err
	}
	spec := ExecutorSpec{
		AppID: l.GetAppId(), ExecID: int(l.GetExecutorId()), ProfileID: int(l.GetResourceProfileId()), Cores: int(l.GetCores()),
		MemoryMiB: int(l.GetMemoryMb()), SparkHome: home.Dir, Resources: map[string][]string{},
		Command: commandOf(d.Command),
		App:     AppDescription{Name: d.Name, User: d.User, UIURL: d.AppUIURL},
	}
	if d.MaxCores != nil {
		spec.App.MaxCores = *d.MaxCores
	}
	if mb, ok := d.DefaultProfile.Amount(messages.ResourceMemory); ok {
		spec.App.MemoryPerExecutorMiB = int(mb)
	}
	for name, addrs := range l.GetResources() {
		spec.Resources[name] = addrs.GetAddresses()
	}
	return spec, nil
}

func commandOf(c messages.Command) Command {
	return Command{
		MainClass: c.MainClass, Arguments: c.Arguments, Environment: c.Environment, ClassPath: c.ClassPath, LibraryPath: c.LibraryPath, JavaOpts: c.JavaOpts,
	}
}

func (a *agent) kill(k *clusterpb.KillExecutor) {
	w := (*Worker)(a)
	if !w.executors.Kill(k.GetAppId(), int(k.GetExecutorId()), "asked by the master") {
		w.log.Debug("asked to kill an executor that does not run", "app", k.GetAppId(), "executor", k.GetExecutorId())
	}
}

func (a *agent) applicationFinished(appID string) {
	w := (*Worker)(a)
	w.executors.ApplicationFinished(appID)
}

func (a *agent) acknowledged(m *clusterpb.ExecutorAck) {
	w := (*Worker)(a)
	if s := m.GetState(); s != clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING && s != clusterpb.ExecutorState_EXECUTOR_STATE_LAUNCHING {
		w.executors.Ack(m.GetAppId(), int(m.GetExecutorId()))
	}
}

// Receive: nobody sends the Worker endpoint of a Go worker anything; the masters use its session.
func (watched) Receive(p *rpcenv.Peer, m messages.Message) {}

var errNotSpoken = errors.New("this is a Firesteel worker: its masters speak to it over gRPC")

func (e watched) ReceiveAndReply(p *rpcenv.Peer, m messages.Message) (messages.Message, error) {
	e.log.Warn("an ask that a Go worker does not serve", "class", m.ClassName())
	return nil, errNotSpoken
}

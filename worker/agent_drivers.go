package worker

import (
	"fmt"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
)

// launchDriver starts a run. What cannot be started is reported ERROR with the reason, as Spark's Worker does.
func (a *agent) launchDriver(l *clusterpb.LaunchDriver) {
	w := (*Worker)(a)
	spec, err := w.driverSpec(l)
	if err != nil {
		w.log.Error("a driver cannot be launched", "driver", l.GetRunId(), "error", err)
		w.driverReport(DriverReport{RunID: l.GetRunId(), State: DriverError, Message: err.Error()})
		return
	}
	w.startDriver(spec)
}

// startDriver starts a run, unless it is supervised and the lease is over: a launch may have waited for this process to go on
// after it was stopped, or for its network, longer than the leader waits that sent it.
func (w *Worker) startDriver(spec DriverSpec) {
	if spec.Supervise && w.lease.Over() {
		w.log.Warn("the launch of a supervised driver comes too late: no master was heard of for the drivers' lease", "driver", spec.RunID)
		w.driverReport(DriverReport{RunID: spec.RunID, State: DriverRelaunching, Message: errLease.Error()})
		return
	}
	w.drivers.Start(spec)
	if w.lease.Over() { // since the first look
		w.endLease()
	}
}

func (w *Worker) driverSpec(l *clusterpb.LaunchDriver) (DriverSpec, error) {
	d, err := messages.DecodeDriverDescription(l.GetDriverDescription(), javaser.DefaultLimits())
	if err != nil {
		return DriverSpec{}, fmt.Errorf("read the driver's description: %w", err)
	}
	app := releases.AppOf(l.GetBuild())
	app.JavaOpts, app.Wish = d.Command.JavaOpts, d.Command.Environment[releases.HomeWish]
	home, err := w.homes.Pick(app)
	if err != nil {
		return DriverSpec{}, err
	}
	spec := DriverSpec{
		ID: l.GetDriverId(), RunID: l.GetRunId(), Attempt: int(l.GetAttempt()), Resource: d.JarURL, Cores: d.Cores, MemoryMiB: d.MemoryMB,
		Supervise: d.Supervise, Command: commandOf(d.Command), SparkHome: home.Dir, ModuleOptions: home.ModuleOptions, Resources: map[string][]string{},
	}
	for name, addrs := range l.GetResources() {
		spec.Resources[name] = addrs.GetAddresses()
	}
	return spec, nil
}

func (a *agent) killDriver(runID string) {
	w := (*Worker)(a)
	if !w.drivers.Kill(runID, "asked by the master") {
		w.log.Debug("asked to kill a driver that does not run", "driver", runID)
	}
}

func (a *agent) driverAcknowledged(runID string) { (*Worker)(a).drivers.Ack(runID) }

// driverReport hands a report to the session, if there is one; without one it is in the next Hello.
func (w *Worker) driverReport(r DriverReport) {
	if r.State.Final() { // that it runs is no news
		w.outbox.put(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Driver{Driver: driverReportMessage(r)}})
	}
}

var driverStates = map[DriverState]clusterpb.DriverState{
	DriverRunning:     clusterpb.DriverState_DRIVER_STATE_RUNNING,
	DriverFinished:    clusterpb.DriverState_DRIVER_STATE_FINISHED,
	DriverKilled:      clusterpb.DriverState_DRIVER_STATE_KILLED,
	DriverFailed:      clusterpb.DriverState_DRIVER_STATE_FAILED,
	DriverError:       clusterpb.DriverState_DRIVER_STATE_ERROR,
	DriverRelaunching: clusterpb.DriverState_DRIVER_STATE_RELAUNCHING,
}

func driverReportMessage(r DriverReport) *clusterpb.DriverReport {
	return &clusterpb.DriverReport{RunId: r.RunID, State: driverStates[r.State], Message: r.Message}
}

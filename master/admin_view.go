package master

import (
	"net"
	"strconv"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/web"
)

// What operators are shown of the records of the state.

func workerView(s *fsm.State, w *fsm.Worker) *clusterpb.WorkerView {
	v := &clusterpb.WorkerView{
		Id: w.ID, Host: w.Host, Port: int32(w.Port), WebUiUrl: w.WebUIURL, Kind: kindNames[w.Kind],
		State: w.State.String(), SinceMs: w.Since, Reason: w.Reason,
		Cores: int32(w.Cores), CoresUsed: int32(w.CoresUsed), MemoryMb: int32(w.MemoryMB), MemoryUsedMb: int32(w.MemoryUsedMB),
		Doubt: doubtOf(w, time.Now().UnixMilli()), Resources: addressesOf(w.Resources), ResourcesUsed: addressesOf(w.ResourcesUsed),
	}
	for _, label := range releases.MostExact(w.Builds) {
		v.Releases = append(v.Releases, releases.DescribeLabel(label))
	}
	for range s.ExecutorsOn(w.ID) {
		v.Executors++
	}
	for range s.DriversOn(w.ID) {
		v.Drivers++
	}
	return v
}

var kindNames = map[fsm.WorkerKind]string{fsm.WorkerGo: "go", fsm.WorkerJVM: "jvm"}

func addressesOf(r map[string][]string) map[string]*clusterpb.Addresses {
	out := map[string]*clusterpb.Addresses{}
	for name, addrs := range r {
		out[name] = &clusterpb.Addresses{Addresses: addrs}
	}
	return out
}

// doubtOf tells why a worker that is not dead is given nothing at a moment; nil: nothing keeps it from work.
func doubtOf(w *fsm.Worker, at int64) *clusterpb.WorkerDoubt {
	watch := w.Watched()
	if w.State == fsm.WorkerDead || watch.Suspected == 0 && watch.HeldUntil <= at {
		return nil
	}
	d := &clusterpb.WorkerDoubt{WorkerId: w.ID, SuspectedMs: watch.Suspected, Reason: watch.Reason}
	if watch.HeldUntil > at {
		d.HeldUntilMs = watch.HeldUntil
	}
	return d
}

func appView(a *fsm.App) *clusterpb.AppView {
	v := &clusterpb.AppView{
		Id: a.ID, Name: a.Name, User: a.User, State: a.State.String(), SubmittedMs: a.Submitted, EndedMs: a.Ended, Message: a.Message,
		Release: releases.DescribeLabel(a.Build), Cores: int32(a.Cores), RunningExecutors: int32(a.Running),
		Driver: net.JoinHostPort(a.DriverHost, strconv.Itoa(a.DriverPort)), UiUrl: a.UIURL, DriverId: a.DriverID,
	}
	if a.MaxCores < fsm.Unlimited {
		v.MaxCores = int32(a.MaxCores)
	}
	if def, ok := a.Profile(0); ok {
		v.MemoryMb = int32(def.MemoryMB)
	}
	return v
}

func executorView(e *fsm.Executor) *clusterpb.ExecutorView {
	v := &clusterpb.ExecutorView{
		Id: int32(e.ID), Profile: int32(e.Profile), WorkerId: e.WorkerID, Host: e.WorkerHost, Cores: int32(e.Cores), MemoryMb: int32(e.MemoryMB),
		State: e.State.String(), LaunchedMs: e.Launched, ChangedMs: e.Changed, Message: e.Message,
	}
	if e.ExitStatus != nil {
		status := int32(*e.ExitStatus)
		v.ExitStatus = &status
	}
	return v
}

func driverView(s *fsm.State, d *fsm.Driver, waits []*clusterpb.WaitingView) *clusterpb.DriverView {
	v := &clusterpb.DriverView{
		Id: d.ID, RunId: runOf(d), Runs: append([]string{d.ID}, d.Runs...), State: d.State.String(), Supervise: d.Supervise, MainClass: d.MainClass,
		Cores: int32(d.Cores), MemoryMb: int32(d.MemoryMB), SubmittedMs: d.Submitted, StartedMs: d.Started, EndedMs: d.Ended,
		WorkerId: d.WorkerID, Exception: d.Exception, KillAsked: d.KillAsked, Release: releases.DescribeLabel(d.Build),
	}
	if host, _, err := net.SplitHostPort(d.WorkerAddr); err == nil {
		v.WorkerHost = host
	}
	for _, w := range waits {
		if w.GetDriverId() == d.ID {
			v.WaitsFor = w.GetReason()
		}
	}
	for a := range s.AppsOfDriver(d) {
		v.Apps = append(v.Apps, a.ID)
	}
	return v
}

// runOf is the id of a driver's present or last run.
func runOf(d *fsm.Driver) string {
	if d.RunID == "" {
		return d.ID
	}
	return d.RunID
}

func waitingViews(s *fsm.State) []*clusterpb.WaitingView {
	var out []*clusterpb.WaitingView
	for _, w := range web.WaitingOf(s, nil).Waiting {
		out = append(out, &clusterpb.WaitingView{
			AppId: w.App, AppName: w.Name, Profile: int32(w.Profile), DriverId: w.Driver, Cause: w.Cause, Nowhere: w.Nowhere, Reason: w.Reason,
		})
	}
	return out
}

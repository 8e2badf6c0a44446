package main

import (
	"strconv"
	"strings"

	"github.com/firesteel/firesteel/rpc/clusterpb"
)

// What -o json prints. The keys are documented in docs/clusterctl.md and stay: new ones are added. Lists are never null, what
// is not known is "" or null, memory is in MiB.

type workerJSON struct {
	ID           string              `json:"id"`
	Host         string              `json:"host"`
	Port         int32               `json:"port"`
	WebUI        string              `json:"webUi"`
	Kind         string              `json:"kind"` // go, jvm
	State        string              `json:"state"`
	Since        moment              `json:"since"`
	Reason       string              `json:"reason"`
	Cores        int32               `json:"cores"`
	CoresUsed    int32               `json:"coresUsed"`
	MemoryMB     int32               `json:"memoryMb"`
	MemoryUsedMB int32               `json:"memoryUsedMb"`
	Releases     []string            `json:"releases"`
	Executors    int32               `json:"executors"`
	Drivers      int32               `json:"drivers"`
	Suspected    moment              `json:"suspectedSince"`
	HeldUntil    moment              `json:"heldUntil"`
	Doubt        string              `json:"doubt"`
	Resources    map[string][]string `json:"resources"`
	Used         map[string][]string `json:"resourcesUsed"`
}

func workerOf(w *clusterpb.WorkerView) workerJSON {
	return workerJSON{
		ID: w.GetId(), Host: w.GetHost(), Port: w.GetPort(), WebUI: w.GetWebUiUrl(), Kind: w.GetKind(), State: w.GetState(), Since: moment(w.GetSinceMs()), Reason: w.GetReason(),
		Cores: w.GetCores(), CoresUsed: w.GetCoresUsed(), MemoryMB: w.GetMemoryMb(), MemoryUsedMB: w.GetMemoryUsedMb(), Releases: list(w.GetReleases()),
		Executors: w.GetExecutors(), Drivers: w.GetDrivers(),
		Suspected: moment(w.GetDoubt().GetSuspectedMs()), HeldUntil: moment(w.GetDoubt().GetHeldUntilMs()), Doubt: w.GetDoubt().GetReason(),
		Resources: addresses(w.GetResources()), Used: addresses(w.GetResourcesUsed()),
	}
}

func list(in []string) []string { return append([]string{}, in...) }

func addresses(in map[string]*clusterpb.Addresses) map[string][]string {
	out := map[string][]string{}
	for name, a := range in {
		out[name] = list(a.GetAddresses())
	}
	return out
}

// condition is a worker's state with what the leader thinks of it.
func (w workerJSON) condition() string {
	switch {
	case w.Suspected != 0:
		return w.State + " (suspect)"
	case w.HeldUntil != 0:
		return w.State + " (held back)"
	}
	return w.State
}

type appJSON struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	User      string `json:"user"`
	State     string `json:"state"`
	Submitted moment `json:"submitted"`
	Ended     moment `json:"ended"`
	Message   string `json:"message"`
	Release   string `json:"release"`
	Cores     int32  `json:"cores"`
	MaxCores  *int32 `json:"maxCores"` // null: no limit
	MemoryMB  int32  `json:"memoryPerExecutorMb"`
	Executors int32  `json:"runningExecutors"`
	Driver    string `json:"driver"`
	UI        string `json:"ui"`
	DriverID  string `json:"driverId"`
}

func appOf(a *clusterpb.AppView) appJSON {
	out := appJSON{
		ID: a.GetId(), Name: a.GetName(), User: a.GetUser(), State: a.GetState(), Submitted: moment(a.GetSubmittedMs()), Ended: moment(a.GetEndedMs()), Message: a.GetMessage(),
		Release: a.GetRelease(), Cores: a.GetCores(), MemoryMB: a.GetMemoryMb(), Executors: a.GetRunningExecutors(), Driver: a.GetDriver(), UI: a.GetUiUrl(), DriverID: a.GetDriverId(),
	}
	if limit := a.GetMaxCores(); limit > 0 {
		out.MaxCores = &limit
	}
	return out
}

func (a appJSON) coresText() string {
	if a.MaxCores == nil {
		return strconv.Itoa(int(a.Cores))
	}
	return strconv.Itoa(int(a.Cores)) + "/" + strconv.Itoa(int(*a.MaxCores))
}

type executorJSON struct {
	ID         int32  `json:"id"`
	Profile    int32  `json:"profile"`
	Worker     string `json:"worker"`
	Host       string `json:"host"`
	Cores      int32  `json:"cores"`
	MemoryMB   int32  `json:"memoryMb"`
	State      string `json:"state"`
	Launched   moment `json:"launched"`
	Changed    moment `json:"changed"`
	Message    string `json:"message"`
	ExitStatus *int32 `json:"exitStatus"`
}

func executorOf(e *clusterpb.ExecutorView) executorJSON {
	return executorJSON{
		ID: e.GetId(), Profile: e.GetProfile(), Worker: e.GetWorkerId(), Host: e.GetHost(), Cores: e.GetCores(), MemoryMB: e.GetMemoryMb(),
		State: e.GetState(), Launched: moment(e.GetLaunchedMs()), Changed: moment(e.GetChangedMs()), Message: e.GetMessage(), ExitStatus: e.ExitStatus,
	}
}

type waitingJSON struct {
	App     string `json:"app"`
	AppName string `json:"appName"`
	Profile int32  `json:"profile"`
	Driver  string `json:"driver"`
	Cause   string `json:"cause"`
	Nowhere bool   `json:"nowhere"` // no worker could run it, not even an empty one
	Reason  string `json:"reason"`
}

func waitingOf(in []*clusterpb.WaitingView) []waitingJSON {
	out := []waitingJSON{}
	for _, w := range in {
		out = append(out, waitingJSON{w.GetAppId(), w.GetAppName(), w.GetProfile(), w.GetDriverId(), w.GetCause(), w.GetNowhere(), w.GetReason()})
	}
	return out
}

func (w waitingJSON) who() string {
	if w.Driver != "" {
		return w.Driver
	}
	return w.App
}

type driverJSON struct {
	ID        string   `json:"id"`
	Run       string   `json:"run"`
	Runs      []string `json:"runs"` // oldest first
	State     string   `json:"state"`
	Supervise bool     `json:"supervise"`
	MainClass string   `json:"mainClass"`
	Cores     int32    `json:"cores"`
	MemoryMB  int32    `json:"memoryMb"`
	Submitted moment   `json:"submitted"`
	Started   moment   `json:"started"`
	Ended     moment   `json:"ended"`
	Worker    string   `json:"worker"`
	Host      string   `json:"host"`
	Exception string   `json:"exception"`
	KillAsked bool     `json:"killAsked"`
	WaitsFor  string   `json:"waitsFor"`
	Apps      []string `json:"apps"`
	Release   string   `json:"release"`
}

func driverOf(d *clusterpb.DriverView) driverJSON {
	return driverJSON{
		ID: d.GetId(), Run: d.GetRunId(), Runs: list(d.GetRuns()), State: d.GetState(), Supervise: d.GetSupervise(), MainClass: d.GetMainClass(), Cores: d.GetCores(), MemoryMB: d.GetMemoryMb(),
		Submitted: moment(d.GetSubmittedMs()), Started: moment(d.GetStartedMs()), Ended: moment(d.GetEndedMs()), Worker: d.GetWorkerId(), Host: d.GetWorkerHost(),
		Exception: d.GetException(), KillAsked: d.GetKillAsked(), WaitsFor: d.GetWaitsFor(), Apps: list(d.GetApps()), Release: d.GetRelease(),
	}
}

// note is what there is to say about a driver beside its state.
func (d driverJSON) note() string {
	switch {
	case d.Exception != "":
		return firstLine(d.Exception)
	case d.WaitsFor != "":
		return d.WaitsFor
	case d.KillAsked && d.Ended == 0:
		return "is being killed"
	}
	return ""
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }

package messages

import (
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// WorkerLatestState is what a worker runs, said right after RegisteredWorker, one-way. A master answers with KillExecutor
// and KillDriver for what it does not know.
type WorkerLatestState struct {
	ID        string
	Executors []ExecutorDescription
	DriverIDs []string
}

// WorkerSchedulerStateResponse is what a worker runs, with the resources, as its answer to MasterChanged, one-way.
type WorkerSchedulerStateResponse struct {
	ID        string
	Executors []WorkerExecutorState
	Drivers   []WorkerDriverState
}

// ExecutorDescription is org.apache.spark.deploy.ExecutorDescription.
type ExecutorDescription struct {
	AppID    string
	ExecID   int
	RPID     int // resource profile
	Cores    int
	MemoryMB int
	State    ExecutorState
}

// WorkerExecutorState is DeployMessages.WorkerExecutorStateResponse.
type WorkerExecutorState struct {
	Executor  ExecutorDescription
	Resources Resources
}

// WorkerDriverState is DeployMessages.WorkerDriverStateResponse.
type WorkerDriverState struct {
	DriverID  string
	Resources Resources
}

// ClassName is the Java class of the message.
func (*WorkerLatestState) ClassName() string { return deployed + "WorkerLatestState" }

// ClassName is the Java class of the message.
func (*WorkerSchedulerStateResponse) ClassName() string {
	return deployed + "WorkerSchedulerStateResponse"
}

func parseWorkerLatestState(r *reader) Message {
	return &WorkerLatestState{
		ID:        r.str("id"),
		Executors: list(r, "executors", readExecutorDescription),
		DriverIDs: r.strs("driverIds"),
	}
}

func parseWorkerSchedulerStateResponse(r *reader) Message {
	return &WorkerSchedulerStateResponse{
		ID:        r.str("id"),
		Executors: list(r, "execResponses", readWorkerExecutorState),
		Drivers:   list(r, "driverResponses", readWorkerDriverState),
	}
}

func readExecutorDescription(p *parser, v javaser.Value) (ExecutorDescription, error) {
	r, err := fields(p, v, classExecutorDescription)
	if err != nil {
		return ExecutorDescription{}, err
	}
	d := ExecutorDescription{
		AppID:    r.str("appId"),
		ExecID:   r.int("execId"),
		RPID:     r.int("rpId"),
		Cores:    r.int("cores"),
		MemoryMB: r.int("memoryMb"),
		State:    take(r, "state", readExecutorState),
	}
	return d, r.err
}

func readWorkerExecutorState(p *parser, v javaser.Value) (WorkerExecutorState, error) {
	r, err := fields(p, v, classExecutorResponse)
	if err != nil {
		return WorkerExecutorState{}, err
	}
	s := WorkerExecutorState{Executor: take(r, "desc", readExecutorDescription), Resources: r.resources("resources")}
	return s, r.err
}

func readWorkerDriverState(p *parser, v javaser.Value) (WorkerDriverState, error) {
	r, err := fields(p, v, classDriverResponse)
	if err != nil {
		return WorkerDriverState{}, err
	}
	s := WorkerDriverState{DriverID: r.str("driverId"), Resources: r.resources("resources")}
	return s, r.err
}

func (m *WorkerLatestState) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "id", Value: m.ID},
		scala.F{Name: "executors", Value: listOf(b, m.Executors, b.executorDescription)},
		scala.F{Name: "driverIds", Value: b.Strings(m.DriverIDs)})
}

func (m *WorkerSchedulerStateResponse) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "id", Value: m.ID},
		scala.F{Name: "execResponses", Value: listOf(b, m.Executors, b.workerExecutorState)},
		scala.F{Name: "driverResponses", Value: listOf(b, m.Drivers, b.workerDriverState)})
}

func (b *builder) executorDescription(d ExecutorDescription) javaser.Value {
	return b.Object(classExecutorDescription,
		scala.F{Name: "appId", Value: d.AppID},
		scala.F{Name: "execId", Value: b.i32(d.ExecID)},
		scala.F{Name: "rpId", Value: b.i32(d.RPID)},
		scala.F{Name: "cores", Value: b.i32(d.Cores)},
		scala.F{Name: "memoryMb", Value: b.i32(d.MemoryMB)},
		scala.F{Name: "state", Value: b.executorState(d.State)})
}

func (b *builder) workerExecutorState(s WorkerExecutorState) javaser.Value {
	return b.Object(classExecutorResponse,
		scala.F{Name: "desc", Value: b.executorDescription(s.Executor)},
		scala.F{Name: "resources", Value: b.resources(s.Resources)})
}

func (b *builder) workerDriverState(s WorkerDriverState) javaser.Value {
	return b.Object(classDriverResponse,
		scala.F{Name: "driverId", Value: s.DriverID},
		scala.F{Name: "resources", Value: b.resources(s.Resources)})
}

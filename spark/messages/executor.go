package messages

import (
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// LaunchExecutor makes a worker start an executor, one-way.
type LaunchExecutor struct {
	MasterURL string // "spark://host:port" of the ref in RegisteredWorker or MasterChanged; the worker drops it otherwise
	AppID     string
	ExecID    int
	RPID      int // resource profile
	App       *ApplicationDescription
	Cores     int
	MemoryMB  int
	Resources Resources // the addresses given to this executor
}

// KillExecutor makes a worker end an executor, one-way. MasterURL is checked as in LaunchExecutor.
type KillExecutor struct {
	MasterURL string
	AppID     string
	ExecID    int
}

// ExecutorStateChanged is a worker's report: RUNNING after the launch, then exactly one final state. It is an ask,
// answered with a Boolean.
type ExecutorStateChanged struct {
	AppID      string
	ExecID     int
	State      ExecutorState
	Message    string // "" for none
	ExitStatus *int   // nil where the process has none
}

// ApplicationFinished makes a worker clean up after an application, one-way.
type ApplicationFinished struct {
	AppID string
}

// ClassName is the Java class of the message.
func (*LaunchExecutor) ClassName() string { return deployed + "LaunchExecutor" }

// ClassName is the Java class of the message.
func (*KillExecutor) ClassName() string { return deployed + "KillExecutor" }

// ClassName is the Java class of the message.
func (*ExecutorStateChanged) ClassName() string { return deployed + "ExecutorStateChanged" }

// ClassName is the Java class of the message.
func (*ApplicationFinished) ClassName() string { return deployed + "ApplicationFinished" }

func parseLaunchExecutor(r *reader) Message {
	return &LaunchExecutor{
		MasterURL: r.str("masterUrl"),
		AppID:     r.str("appId"),
		ExecID:    r.int("execId"),
		RPID:      r.int("rpId"),
		App:       take(r, "appDesc", readApplicationDescription),
		Cores:     r.int("cores"),
		MemoryMB:  r.int("memory"),
		Resources: r.resources("resources"),
	}
}

func parseKillExecutor(r *reader) Message {
	return &KillExecutor{MasterURL: r.str("masterUrl"), AppID: r.str("appId"), ExecID: r.int("execId")}
}

func parseExecutorStateChanged(r *reader) Message {
	return &ExecutorStateChanged{
		AppID:      r.str("appId"),
		ExecID:     r.int("execId"),
		State:      take(r, "state", readExecutorState),
		Message:    r.optionText("message"),
		ExitStatus: option(r, "exitStatus", readInt),
	}
}

func parseApplicationFinished(r *reader) Message { return &ApplicationFinished{AppID: r.str("id")} }

func (m *LaunchExecutor) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "masterUrl", Value: m.MasterURL},
		scala.F{Name: "appId", Value: m.AppID},
		scala.F{Name: "execId", Value: b.i32(m.ExecID)},
		scala.F{Name: "rpId", Value: b.i32(m.RPID)},
		scala.F{Name: "appDesc", Value: b.applicationDescription(m.App)},
		scala.F{Name: "cores", Value: b.i32(m.Cores)},
		scala.F{Name: "memory", Value: b.i32(m.MemoryMB)},
		scala.F{Name: "resources", Value: b.resources(m.Resources)})
}

func (m *KillExecutor) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "masterUrl", Value: m.MasterURL},
		scala.F{Name: "appId", Value: m.AppID},
		scala.F{Name: "execId", Value: b.i32(m.ExecID)})
}

func (m *ExecutorStateChanged) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "appId", Value: m.AppID},
		scala.F{Name: "execId", Value: b.i32(m.ExecID)},
		scala.F{Name: "state", Value: b.executorState(m.State)},
		scala.F{Name: "message", Value: b.optionText(m.Message)},
		scala.F{Name: "exitStatus", Value: b.optionInt(m.ExitStatus)})
}

func (m *ApplicationFinished) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "id", Value: m.AppID})
}

package messages

import (
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// RegisterWorker is a worker's first message to a master, one-way. The answer is RegisteredWorker, RegisterWorkerFailed
// or MasterInStandby.
type RegisterWorker struct {
	ID            string
	Host          string
	Port          int // of the worker's RPC server
	Worker        Ref
	Cores         int
	MemoryMB      int
	WebUIURL      string
	MasterAddress Address // the address that the worker dialled
	Resources     Resources
}

// RegisteredWorker tells a worker that it is one of the cluster, one-way.
type RegisteredWorker struct {
	Master        Ref // its URL becomes the worker's active master; see LaunchExecutor.MasterURL
	WebUIURL      string
	MasterAddress Address // RegisterWorker.MasterAddress again
	Duplicate     bool    // the worker was registered already
}

// RegisterWorkerFailed refuses a worker, one-way: unless it is registered already, it exits.
type RegisterWorkerFailed struct {
	Reason string
}

// MasterInStandby tells a worker to go on trying its other masters, one-way.
type MasterInStandby struct{}

// ReconnectWorker asks the sender of an unknown worker's Heartbeat to register again, one-way.
type ReconnectWorker struct {
	MasterURL string
}

// Heartbeat comes every quarter of spark.worker.timeout (15 s by default), one-way.
type Heartbeat struct {
	WorkerID string
	Worker   Ref
}

// DecommissionWorker asks a worker to take no new executors and go, one-way. It needs spark.decommission.enabled there.
type DecommissionWorker struct{}

// WorkerDecommissioning tells a master that a worker is going, one-way.
type WorkerDecommissioning struct {
	ID     string
	Worker Ref
}

// MasterChanged tells workers and drivers of their new master, one-way, on a connection that the master opens.
type MasterChanged struct {
	Master   Ref
	WebUIURL string
}

// ClassName is the Java class of the message.
func (*RegisterWorker) ClassName() string { return deployed + "RegisterWorker" }

// ClassName is the Java class of the message.
func (*RegisteredWorker) ClassName() string { return deployed + "RegisteredWorker" }

// ClassName is the Java class of the message.
func (*RegisterWorkerFailed) ClassName() string { return deployed + "RegisterWorkerFailed" }

// ClassName is the Java class of the message.
func (*MasterInStandby) ClassName() string { return deployed + "MasterInStandby$" }

// ClassName is the Java class of the message.
func (*ReconnectWorker) ClassName() string { return deployed + "ReconnectWorker" }

// ClassName is the Java class of the message.
func (*Heartbeat) ClassName() string { return deployed + "Heartbeat" }

// ClassName is the Java class of the message.
func (*DecommissionWorker) ClassName() string { return deployed + "DecommissionWorker$" }

// ClassName is the Java class of the message.
func (*WorkerDecommissioning) ClassName() string { return deployed + "WorkerDecommissioning" }

// ClassName is the Java class of the message.
func (*MasterChanged) ClassName() string { return deployed + "MasterChanged" }

func parseRegisterWorker(r *reader) Message {
	return &RegisterWorker{
		ID:            r.str("id"),
		Host:          r.str("host"),
		Port:          r.int("port"),
		Worker:        r.ref("worker"),
		Cores:         r.int("cores"),
		MemoryMB:      r.int("memory"),
		WebUIURL:      r.text("workerWebUiUrl"),
		MasterAddress: r.address("masterAddress"),
		Resources:     r.resources("resources"),
	}
}

func parseRegisteredWorker(r *reader) Message {
	return &RegisteredWorker{
		Master:        r.ref("master"),
		WebUIURL:      r.text("masterWebUiUrl"),
		MasterAddress: r.address("masterAddress"),
		Duplicate:     r.bool("duplicate"),
	}
}

func parseRegisterWorkerFailed(r *reader) Message {
	return &RegisterWorkerFailed{Reason: r.text("message")}
}
func parseMasterInStandby(*reader) Message    { return &MasterInStandby{} }
func parseDecommissionWorker(*reader) Message { return &DecommissionWorker{} }
func parseReconnectWorker(r *reader) Message  { return &ReconnectWorker{MasterURL: r.str("masterUrl")} }
func parseHeartbeat(r *reader) Message {
	return &Heartbeat{WorkerID: r.str("workerId"), Worker: r.ref("worker")}
}

func parseWorkerDecommissioning(r *reader) Message {
	return &WorkerDecommissioning{ID: r.str("id"), Worker: r.ref("workerRef")}
}

func parseMasterChanged(r *reader) Message {
	return &MasterChanged{Master: r.ref("master"), WebUIURL: r.text("masterWebUiUrl")}
}

func (m *RegisterWorker) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "id", Value: m.ID},
		scala.F{Name: "host", Value: m.Host},
		scala.F{Name: "port", Value: b.i32(m.Port)},
		scala.F{Name: "worker", Value: b.ref(m.Worker)},
		scala.F{Name: "cores", Value: b.i32(m.Cores)},
		scala.F{Name: "memory", Value: b.i32(m.MemoryMB)},
		scala.F{Name: "workerWebUiUrl", Value: m.WebUIURL},
		scala.F{Name: "masterAddress", Value: b.address(m.MasterAddress)},
		scala.F{Name: "resources", Value: b.resources(m.Resources)})
}

func (m *RegisteredWorker) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "master", Value: b.ref(m.Master)},
		scala.F{Name: "masterWebUiUrl", Value: m.WebUIURL},
		scala.F{Name: "masterAddress", Value: b.address(m.MasterAddress)},
		scala.F{Name: "duplicate", Value: m.Duplicate})
}

func (m *RegisterWorkerFailed) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "message", Value: m.Reason})
}

func (m *MasterInStandby) encode(b *builder) javaser.Value { return b.Singleton(m.ClassName()) }

func (m *DecommissionWorker) encode(b *builder) javaser.Value { return b.Singleton(m.ClassName()) }

func (m *ReconnectWorker) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "masterUrl", Value: m.MasterURL})
}

func (m *Heartbeat) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "workerId", Value: m.WorkerID}, scala.F{Name: "worker", Value: b.ref(m.Worker)})
}

func (m *WorkerDecommissioning) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "id", Value: m.ID}, scala.F{Name: "workerRef", Value: b.ref(m.Worker)})
}

func (m *MasterChanged) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "master", Value: b.ref(m.Master)},
		scala.F{Name: "masterWebUiUrl", Value: m.WebUIURL})
}

package messages

import (
	"errors"
	"fmt"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// RegisterApplication is a driver's first message, one-way, repeated every 20 s to every master until it is answered
// with RegisteredApplication.
type RegisterApplication struct {
	App    *ApplicationDescription
	Driver Ref
}

// RegisteredApplication gives a driver its application id, one-way.
type RegisteredApplication struct {
	AppID  string
	Master Ref
}

// ExecutorAdded tells a driver of an executor right after its LaunchExecutor, one-way.
type ExecutorAdded struct {
	ID       int
	WorkerID string
	HostPort string // of the worker; the driver insists on a ':' in it
	Cores    int
	MemoryMB int
}

// ExecutorUpdated tells a driver of an executor's new state, one-way.
type ExecutorUpdated struct {
	ID         int
	State      ExecutorState
	Message    string // "" for none
	ExitStatus *int
	WorkerHost string // set only where the executor was lost with its whole worker
}

// WorkerRemoved tells a driver that a worker is lost, one-way.
type WorkerRemoved struct {
	ID     string
	Host   string
	Reason string
}

// ApplicationRemoved makes a driver abort with "Master removed our application: REASON", one-way.
type ApplicationRemoved struct {
	Reason string
}

// UnregisterApplication is the regular end of an application, one-way; it also comes after ApplicationRemoved.
type UnregisterApplication struct {
	AppID string
}

// MasterChangeAcknowledged is a driver's answer to MasterChanged, one-way. AppID is "" from a driver that never saw its
// RegisteredApplication.
type MasterChangeAcknowledged struct {
	AppID string
}

// RequestExecutors sets how many executors an application wants, an ask answered with a Boolean.
type RequestExecutors struct {
	AppID  string
	Totals []ProfileTotal
}

// ProfileTotal is the number of executors wanted with a resource profile: absolute, not a difference.
type ProfileTotal struct {
	Profile ResourceProfile
	Total   int
}

// KillExecutors ends executors of an application at its own wish, an ask answered with a Boolean.
type KillExecutors struct {
	AppID       string
	ExecutorIDs []string // decimal numbers, if the driver is sane
}

// ClassName is the Java class of the message.
func (*RegisterApplication) ClassName() string { return deployed + "RegisterApplication" }

// ClassName is the Java class of the message.
func (*RegisteredApplication) ClassName() string { return deployed + "RegisteredApplication" }

// ClassName is the Java class of the message.
func (*ExecutorAdded) ClassName() string { return deployed + "ExecutorAdded" }

// ClassName is the Java class of the message.
func (*ExecutorUpdated) ClassName() string { return deployed + "ExecutorUpdated" }

// ClassName is the Java class of the message.
func (*WorkerRemoved) ClassName() string { return deployed + "WorkerRemoved" }

// ClassName is the Java class of the message.
func (*ApplicationRemoved) ClassName() string { return deployed + "ApplicationRemoved" }

// ClassName is the Java class of the message.
func (*UnregisterApplication) ClassName() string { return deployed + "UnregisterApplication" }

// ClassName is the Java class of the message.
func (*MasterChangeAcknowledged) ClassName() string { return deployed + "MasterChangeAcknowledged" }

// ClassName is the Java class of the message.
func (*RequestExecutors) ClassName() string { return deployed + "RequestExecutors" }

// ClassName is the Java class of the message.
func (*KillExecutors) ClassName() string { return deployed + "KillExecutors" }

func parseRegisterApplication(r *reader) Message {
	return &RegisterApplication{App: take(r, "appDescription", readApplicationDescription), Driver: r.ref("driver")}
}

func parseRegisteredApplication(r *reader) Message {
	return &RegisteredApplication{AppID: r.str("appId"), Master: r.ref("master")}
}

func parseExecutorAdded(r *reader) Message {
	return &ExecutorAdded{
		ID:       r.int("id"),
		WorkerID: r.str("workerId"),
		HostPort: r.str("hostPort"),
		Cores:    r.int("cores"),
		MemoryMB: r.int("memory"),
	}
}

func parseExecutorUpdated(r *reader) Message {
	return &ExecutorUpdated{
		ID:         r.int("id"),
		State:      take(r, "state", readExecutorState),
		Message:    r.optionText("message"),
		ExitStatus: option(r, "exitStatus", readInt),
		WorkerHost: r.optionText("workerHost"),
	}
}

func parseWorkerRemoved(r *reader) Message {
	return &WorkerRemoved{ID: r.str("id"), Host: r.str("host"), Reason: r.text("message")}
}

func parseApplicationRemoved(r *reader) Message {
	return &ApplicationRemoved{Reason: r.text("message")}
}

func parseUnregisterApplication(r *reader) Message {
	return &UnregisterApplication{AppID: r.text("appId")} // null before the driver is registered
}

func parseMasterChangeAcknowledged(r *reader) Message {
	return &MasterChangeAcknowledged{AppID: r.text("appId")}
}

func parseRequestExecutors(r *reader) Message {
	return &RequestExecutors{AppID: r.text("appId"), Totals: take(r, "resourceProfileToTotalExecs", readTotals)}
}

func parseKillExecutors(r *reader) Message {
	return &KillExecutors{AppID: r.text("appId"), ExecutorIDs: r.strs("executorIds")}
}

func readTotals(p *parser, v javaser.Value) ([]ProfileTotal, error) {
	pairs, err := scala.Map(v)
	if err != nil || len(pairs) == 0 {
		return nil, err
	}
	if err := p.spend(len(pairs)); err != nil {
		return nil, err
	}
	out := make([]ProfileTotal, len(pairs))
	for i, pair := range pairs {
		profile, err := readResourceProfile(p, pair.Key)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		total, err := readInt(p, pair.Value)
		if err != nil {
			return nil, fmt.Errorf("total of profile %d: %w", profile.ID, err)
		}
		out[i] = ProfileTotal{profile, total}
	}
	return out, nil
}

func (m *RegisterApplication) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "appDescription", Value: b.applicationDescription(m.App)},
		scala.F{Name: "driver", Value: b.ref(m.Driver)})
}

func (m *RegisteredApplication) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "appId", Value: m.AppID}, scala.F{Name: "master", Value: b.ref(m.Master)})
}

func (m *ExecutorAdded) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "id", Value: b.i32(m.ID)},
		scala.F{Name: "workerId", Value: m.WorkerID},
		scala.F{Name: "hostPort", Value: m.HostPort},
		scala.F{Name: "cores", Value: b.i32(m.Cores)},
		scala.F{Name: "memory", Value: b.i32(m.MemoryMB)})
}

func (m *ExecutorUpdated) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "id", Value: b.i32(m.ID)},
		scala.F{Name: "state", Value: b.executorState(m.State)},
		scala.F{Name: "message", Value: b.optionText(m.Message)},
		scala.F{Name: "exitStatus", Value: b.optionInt(m.ExitStatus)},
		scala.F{Name: "workerHost", Value: b.optionText(m.WorkerHost)})
}

func (m *WorkerRemoved) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "id", Value: m.ID}, scala.F{Name: "host", Value: m.Host},
		scala.F{Name: "message", Value: m.Reason})
}

func (m *ApplicationRemoved) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "message", Value: m.Reason})
}

func (m *UnregisterApplication) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "appId", Value: m.AppID})
}

func (m *MasterChangeAcknowledged) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "appId", Value: m.AppID})
}

var errSameProfile = errors.New("two totals for one resource profile")

func (m *RequestExecutors) encode(b *builder) javaser.Value {
	pairs := make([]scala.Pair, len(m.Totals))
	seen := make(map[int]struct{}, len(m.Totals))
	for i, t := range m.Totals {
		if _, again := seen[t.Profile.ID]; again {
			b.note(fmt.Errorf("%w: %w: %d", ErrMalformed, errSameProfile, t.Profile.ID))
		}
		seen[t.Profile.ID] = struct{}{}
		pairs[i] = scala.Pair{Key: b.resourceProfile(t.Profile), Value: b.Int(b.i32(t.Total))}
	}
	return b.Object(m.ClassName(), scala.F{Name: "appId", Value: m.AppID},
		scala.F{Name: "resourceProfileToTotalExecs", Value: b.Map(pairs)})
}

func (m *KillExecutors) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "appId", Value: m.AppID},
		scala.F{Name: "executorIds", Value: b.Strings(m.ExecutorIDs)})
}

package messages

import (
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// RequestSubmitDriver submits a driver in cluster mode, an ask answered with SubmitDriverResponse.
type RequestSubmitDriver struct {
	Driver *DriverDescription
}

// SubmitDriverResponse answers RequestSubmitDriver. It carries a ref to a client that has shown none: Env must be of the
// client's very build.
type SubmitDriverResponse struct {
	Master   Ref
	Success  bool
	DriverID string // "" for none
	Message  string
}

// RequestDriverStatus is an ask answered with DriverStatusResponse.
type RequestDriverStatus struct {
	DriverID string
}

// DriverStatusResponse answers RequestDriverStatus.
type DriverStatusResponse struct {
	Found          bool
	State          *DriverState // nil for a driver that was not found
	WorkerID       string       // "" for a driver that is on no worker
	WorkerHostPort string
	Exception      *Throwable
}

// RequestKillDriver is an ask answered with KillDriverResponse.
type RequestKillDriver struct {
	DriverID string
}

// KillDriverResponse answers RequestKillDriver. See SubmitDriverResponse for its ref.
type KillDriverResponse struct {
	Master   Ref
	DriverID string
	Success  bool
	Message  string
}

// ClassName is the Java class of the message.
func (*RequestSubmitDriver) ClassName() string { return deployed + "RequestSubmitDriver" }

// ClassName is the Java class of the message.
func (*SubmitDriverResponse) ClassName() string { return deployed + "SubmitDriverResponse" }

// ClassName is the Java class of the message.
func (*RequestDriverStatus) ClassName() string { return deployed + "RequestDriverStatus" }

// ClassName is the Java class of the message.
func (*DriverStatusResponse) ClassName() string { return deployed + "DriverStatusResponse" }

// ClassName is the Java class of the message.
func (*RequestKillDriver) ClassName() string { return deployed + "RequestKillDriver" }

// ClassName is the Java class of the message.
func (*KillDriverResponse) ClassName() string { return deployed + "KillDriverResponse" }

func parseRequestSubmitDriver(r *reader) Message {
	return &RequestSubmitDriver{Driver: take(r, "driverDescription", readDriverDescription)}
}

func parseSubmitDriverResponse(r *reader) Message {
	return &SubmitDriverResponse{
		Master:   r.ref("master"),
		Success:  r.bool("success"),
		DriverID: r.optionText("driverId"),
		Message:  r.text("message"),
	}
}

func parseRequestDriverStatus(r *reader) Message {
	return &RequestDriverStatus{DriverID: r.str("driverId")}
}

func parseDriverStatusResponse(r *reader) Message {
	return &DriverStatusResponse{
		Found:          r.bool("found"),
		State:          option(r, "state", readDriverState),
		WorkerID:       r.optionText("workerId"),
		WorkerHostPort: r.optionText("workerHostPort"),
		Exception:      option(r, "exception", readThrowable),
	}
}

func parseRequestKillDriver(r *reader) Message {
	return &RequestKillDriver{DriverID: r.str("driverId")}
}

func parseKillDriverResponse(r *reader) Message {
	return &KillDriverResponse{
		Master:   r.ref("master"),
		DriverID: r.str("driverId"),
		Success:  r.bool("success"),
		Message:  r.text("message"),
	}
}

func (m *RequestSubmitDriver) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "driverDescription", Value: b.driverDescription(m.Driver)})
}

func (m *SubmitDriverResponse) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "master", Value: b.ref(m.Master)},
		scala.F{Name: "success", Value: m.Success},
		scala.F{Name: "driverId", Value: b.optionText(m.DriverID)},
		scala.F{Name: "message", Value: m.Message})
}

func (m *RequestDriverStatus) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "driverId", Value: m.DriverID})
}

func (m *DriverStatusResponse) encode(b *builder) javaser.Value {
	state := b.None()
	if m.State != nil {
		state = b.Some(b.driverState(*m.State))
	}
	return b.Object(m.ClassName(),
		scala.F{Name: "found", Value: m.Found},
		scala.F{Name: "state", Value: state},
		scala.F{Name: "workerId", Value: b.optionText(m.WorkerID)},
		scala.F{Name: "workerHostPort", Value: b.optionText(m.WorkerHostPort)},
		scala.F{Name: "exception", Value: b.optionThrowable(m.Exception)})
}

func (m *RequestKillDriver) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "driverId", Value: m.DriverID})
}

func (m *KillDriverResponse) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "master", Value: b.ref(m.Master)},
		scala.F{Name: "driverId", Value: m.DriverID},
		scala.F{Name: "success", Value: m.Success},
		scala.F{Name: "message", Value: m.Message})
}

package messages

import (
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// LaunchDriver makes a worker start a cluster-mode driver, one-way.
type LaunchDriver struct {
	DriverID  string
	Driver    *DriverDescription
	Resources Resources
}

// KillDriver makes a worker end a driver, one-way.
type KillDriver struct {
	DriverID string
}

// DriverStateChanged is a worker's report of a driver's end: FINISHED, FAILED, KILLED or ERROR. It is one-way; Spark's
// master refuses it as an ask.
type DriverStateChanged struct {
	DriverID  string
	State     DriverState
	Exception *Throwable // nil for none
}

// ClassName is the Java class of the message.
func (*LaunchDriver) ClassName() string { return deployed + "LaunchDriver" }

// ClassName is the Java class of the message.
func (*KillDriver) ClassName() string { return deployed + "KillDriver" }

// ClassName is the Java class of the message.
func (*DriverStateChanged) ClassName() string { return deployed + "DriverStateChanged" }

func parseLaunchDriver(r *reader) Message {
	return &LaunchDriver{
		DriverID:  r.str("driverId"),
		Driver:    take(r, "driverDesc", readDriverDescription),
		Resources: r.resources("resources"),
	}
}

func parseKillDriver(r *reader) Message { return &KillDriver{DriverID: r.str("driverId")} }

func parseDriverStateChanged(r *reader) Message {
	return &DriverStateChanged{
		DriverID:  r.str("driverId"),
		State:     take(r, "state", readDriverState),
		Exception: option(r, "exception", readThrowable),
	}
}

func (m *LaunchDriver) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "driverId", Value: m.DriverID},
		scala.F{Name: "driverDesc", Value: b.driverDescription(m.Driver)},
		scala.F{Name: "resources", Value: b.resources(m.Resources)})
}

func (m *KillDriver) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(), scala.F{Name: "driverId", Value: m.DriverID})
}

func (m *DriverStateChanged) encode(b *builder) javaser.Value {
	return b.Object(m.ClassName(),
		scala.F{Name: "driverId", Value: m.DriverID},
		scala.F{Name: "state", Value: b.driverState(m.State)},
		scala.F{Name: "exception", Value: b.optionThrowable(m.Exception)})
}

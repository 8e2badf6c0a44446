package messages

import (
	"fmt"
	"slices"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// ExecutorState is org.apache.spark.deploy.ExecutorState; the numbers are its ids on the wire.
type ExecutorState int32

const (
	ExecutorLaunching ExecutorState = iota
	ExecutorRunning
	ExecutorKilled
	ExecutorFailed
	ExecutorLost
	ExecutorExited
	ExecutorDecommissioned
)

var executorStates = [...]string{"LAUNCHING", "RUNNING", "KILLED", "FAILED", "LOST", "EXITED", "DECOMMISSIONED"}

func (s ExecutorState) String() string {
	return stateName("ExecutorState", executorStates[:], int32(s))
}

// Finished is ExecutorState.isFinished: DECOMMISSIONED is not a finished state.
func (s ExecutorState) Finished() bool { return s >= ExecutorKilled && s <= ExecutorExited }

// DriverState is org.apache.spark.deploy.master.DriverState; the numbers are its ids on the wire.
type DriverState int32

const (
	DriverSubmitted DriverState = iota
	DriverRunning
	DriverFinished
	DriverRelaunching
	DriverUnknown
	DriverKilled
	DriverFailed
	DriverError
)

var driverStates = [...]string{"SUBMITTED", "RUNNING", "FINISHED", "RELAUNCHING", "UNKNOWN", "KILLED", "FAILED", "ERROR"}

func (s DriverState) String() string { return stateName("DriverState", driverStates[:], int32(s)) }

// ParseDriverState finds a state by its name.
func ParseDriverState(name string) (s DriverState, ok bool) {
	i := slices.Index(driverStates[:], name)
	return DriverState(i), i >= 0
}

func stateName(enum string, names []string, id int32) string {
	if id < 0 || int(id) >= len(names) {
		return fmt.Sprintf("%s(%d)", enum, id)
	}
	return names[id]
}

func readExecutorState(_ *parser, v javaser.Value) (ExecutorState, error) {
	id, err := readState(v, executorStates[:])
	return ExecutorState(id), err
}

func readDriverState(_ *parser, v javaser.Value) (DriverState, error) {
	id, err := readState(v, driverStates[:])
	return DriverState(id), err
}

func readState(v javaser.Value, names []string) (int32, error) {
	id, err := scala.EnumID(v)
	if err == nil && (id < 0 || int(id) >= len(names)) {
		return 0, fmt.Errorf("no state has the id %d", id)
	}
	return id, err
}

func (b *builder) executorState(s ExecutorState) javaser.Value {
	return b.state(classExecutorState, executorStates[:], int32(s))
}

func (b *builder) driverState(s DriverState) javaser.Value {
	return b.state(classDriverState, driverStates[:], int32(s))
}

func (b *builder) state(class string, names []string, id int32) javaser.Value {
	if id < 0 || int(id) >= len(names) { // the receiver would fail in the middle of the stream
		b.note(fmt.Errorf("%w: no state of %s has the id %d", ErrMalformed, class, id))
	}
	return b.EnumValue(class, id)
}

package worker

import "time"

// ExecutorState is a state a worker may report, named as in Spark's
// org.apache.spark.deploy.ExecutorState.
type ExecutorState string

// The states of an executor on its worker. LAUNCHING is only seen in
// Executors.List; reports begin with RUNNING, or FAILED when nothing started.
const (
	Launching ExecutorState = "LAUNCHING"
	Running   ExecutorState = "RUNNING"
	Exited    ExecutorState = "EXITED" // ended by itself, with any code
	Killed    ExecutorState = "KILLED" // ended because it was asked to
	Failed    ExecutorState = "FAILED" // never ran
)

// Final tells whether the state ends an executor.
func (s ExecutorState) Final() bool { return s == Exited || s == Killed || s == Failed }

// Report is Spark's ExecutorStateChanged.
type Report struct {
	AppID   string
	ExecID  int
	State   ExecutorState
	Message string // "" if none
	// ExitCode is nil where there was no process. A process ended by signal n
	// reports 128+n, as java.lang.Process does.
	ExitCode *int
	At       time.Time // of the change
}

// Key names the executor reported on.
func (r Report) Key() ExecutorKey { return ExecutorKey{AppID: r.AppID, ExecID: r.ExecID} }

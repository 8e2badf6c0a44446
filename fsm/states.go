package fsm

// WorkerState is Spark's org.apache.spark.deploy.master.WorkerState.
type WorkerState uint8

const (
	WorkerAlive WorkerState = iota + 1
	WorkerDead
	WorkerDecommissioned
	WorkerUnknown
)

var workerStates = [...]string{"", "ALIVE", "DEAD", "DECOMMISSIONED", "UNKNOWN"}

func (s WorkerState) String() string { return name(workerStates[:], int(s)) }

// AppState is Spark's org.apache.spark.deploy.master.ApplicationState.
type AppState uint8

const (
	AppWaiting AppState = iota + 1
	AppRunning
	AppFinished
	AppFailed
	AppKilled
	AppUnknown
)

var appStates = [...]string{"", "WAITING", "RUNNING", "FINISHED", "FAILED", "KILLED", "UNKNOWN"}

func (s AppState) String() string { return name(appStates[:], int(s)) }

// Ended tells whether an application in this state is over.
func (s AppState) Ended() bool { return s != AppWaiting && s != AppRunning }

// ExecutorState is Spark's org.apache.spark.deploy.ExecutorState.
type ExecutorState uint8

const (
	ExecutorLaunching ExecutorState = iota + 1
	ExecutorRunning
	ExecutorKilled
	ExecutorFailed
	ExecutorLost
	ExecutorExited
	ExecutorDecommissioned
)

var executorStates = [...]string{"", "LAUNCHING", "RUNNING", "KILLED", "FAILED", "LOST", "EXITED", "DECOMMISSIONED"}

func (s ExecutorState) String() string { return name(executorStates[:], int(s)) }

// Finished is ExecutorState.isFinished: DECOMMISSIONED is not a finished state.
func (s ExecutorState) Finished() bool {
	return s == ExecutorKilled || s == ExecutorFailed || s == ExecutorLost || s == ExecutorExited
}

// DriverState is Spark's org.apache.spark.deploy.master.DriverState.
type DriverState uint8

const (
	DriverSubmitted DriverState = iota + 1
	DriverRunning
	DriverFinished
	DriverRelaunching
	DriverUnknown
	DriverKilled
	DriverFailed
	DriverError
)

var driverStates = [...]string{"", "SUBMITTED", "RUNNING", "FINISHED", "RELAUNCHING", "UNKNOWN", "KILLED", "FAILED", "ERROR"}

func (s DriverState) String() string { return name(driverStates[:], int(s)) }

// Ends tells whether a worker may report this state as the end of a driver (Master.receive, DriverStateChanged).
func (s DriverState) Ends() bool {
	return s == DriverFinished || s == DriverFailed || s == DriverKilled || s == DriverError
}

// WorkerKind tells how a worker is spoken to.
type WorkerKind uint8

const (
	// WorkerGo is a clusterd worker: it holds a gRPC session with the leader and runs every build whose Spark home it has.
	WorkerGo WorkerKind = iota + 1
	// WorkerJVM is Spark's own Worker: it is spoken to over spark:// and runs executors of its own build only.
	WorkerJVM
)

func name(names []string, i int) string {
	if i <= 0 || i >= len(names) {
		return "INVALID"
	}
	return names[i]
}

package fsm

// EventKind says what an Event is about.
type EventKind uint8

const (
	// WorkerChanged: registered, in a new life, decommissioned or recommissioned.
	WorkerChanged EventKind = iota + 1
	// WorkerGone: a worker is DEAD. Message is the reason.
	WorkerGone
	// AppChanged: registered, or with other targets.
	AppChanged
	// AppRegisteredAgain: the driver of a live application has asked once more, so it may lack the first answer.
	AppRegisteredAgain
	// AppEnded: App is the final record with the driver's ref, Executors are all that it had and are still known.
	AppEnded
	// ExecutorPlaced: should be started on its worker (state LAUNCHING).
	ExecutorPlaced
	// ExecutorChanged: any later state; a finished one is no longer to run on its worker.
	ExecutorChanged
	// ExecutorDismissed: the application asked for its end: to be killed on its worker; the application is not told.
	ExecutorDismissed
	// DriverPlaced, DriverChanged, DriverDismissed: the same for drivers.
	DriverPlaced
	DriverChanged
	DriverDismissed
	// StateReplaced: a snapshot was restored by an operator, so the other events do not tell all that has changed.
	StateReplaced
)

// Event is one consequence of a command, for the duties of the leader. The records in it are those of the new state.
type Event struct {
	Index     uint64
	Kind      EventKind
	Worker    *Worker
	App       *App
	Executor  *Executor
	Executors []*Executor
	Driver    *Driver
	Message   string
	// Registered, of WorkerChanged: it is a registration, of a new life or of one that counted as dead.
	Registered bool
}

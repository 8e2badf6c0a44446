package fsm

// EventKind says what an Event is about.
type EventKind uint8

const (
	// WorkerChanged: registered, in a new life, or decommissioned.
	WorkerChanged EventKind = iota + 1
	// WorkerGone: a worker is DEAD. Message is the reason.
	WorkerGone
	// AppChanged: registered, or with other targets.
	AppChanged
	// AppEnded: App is the final record.
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
)

// Event is one consequence of a command, for the duties of the leader. The records in it are those of the new state.
type Event struct {
	Index    uint64
	Kind     EventKind
	Worker   *Worker
	App      *App
	Executor *Executor
	Driver   *Driver
	Message  string
}

package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Type is the number of a command in the log. Numbers are forever: a new command is appended, a retired one stays.
type Type uint16

const (
	TypeRegisterWorker       Type = 1
	TypeWorkerLost           Type = 2
	TypeWorkerReport         Type = 3
	TypeDecommissionWorker   Type = 4
	TypePruneWorkers         Type = 5
	TypeSuspectWorker        Type = 6
	TypeSetBrake             Type = 7
	TypeRecommissionWorker   Type = 8
	TypeDecommissionHosts    Type = 9
	TypeRegisterApplication  Type = 10
	TypeFinishApplication    Type = 11
	TypeRequestExecutors     Type = 12
	TypeKillExecutors        Type = 13
	TypeExecutorStateChanged Type = 14
	TypeApplyPlan            Type = 20
	TypeSubmitDriver         Type = 30
	TypeKillDriver           Type = 31
	TypeDriverStateChanged   Type = 32
	TypeClearCompleted       Type = 33
	TypeLoseDriver           Type = 34
	TypeReleaseDriver        Type = 35
	TypeSetCluster           Type = 40
	TypeSetAutopilot         Type = 41
	TypeRemoveMaster         Type = 42
	TypeAdmitMaster          Type = 43
	TypeStageRestore         Type = 44
	TypeRestoreState         Type = 45
)

// flagIgnorable marks a command that a binary which does not know its type may skip.
const flagIgnorable = 0x80

// Command is one change of the state.
type Command interface{ Type() Type }

// RegisterWorker adds a worker, or finds that it is there already (Master.receive, RegisterWorker).
type RegisterWorker struct {
	Worker Worker `cbor:"1,keyasint"` // identity, capacity and Registered; everything else is ignored
	// ReplaceAddress removes another worker that holds the same host and port: the leader has seen that it is gone.
	ReplaceAddress bool `cbor:"2,keyasint,omitempty"`
	// Damping counts a flap where it is a new life of a worker whose old one has not ended in order.
	Damping *Damping `cbor:"3,keyasint,omitempty"`
	Drain   Drain    `cbor:"4,keyasint,omitempty"`
	// PastSilent: nobody has seen that the process of an earlier life of the worker is gone, and what that ran may be alive.
	PastSilent bool `cbor:"5,keyasint,omitempty"`
}

// WorkerLost removes a worker for good: its executors are LOST, its drivers relaunched or in ERROR (Master.removeWorker).
type WorkerLost struct {
	ID          string `cbor:"1,keyasint"`
	Incarnation string `cbor:"2,keyasint,omitempty"` // only this life of it; empty = whichever
	At          int64  `cbor:"3,keyasint"`
	Reason      string `cbor:"4,keyasint"`
	Retained    int    `cbor:"5,keyasint"` // completed drivers kept
	// Damping counts this as a flap; nil: it does not count, as where the worker has said goodbye.
	Damping *Damping `cbor:"6,keyasint,omitempty"`
	// Silent: nobody has seen that its process is gone. Its supervised drivers are held for Worker.DriverLeaseMS then.
	Silent bool `cbor:"7,keyasint,omitempty"`
}

// ReportedExecutor is one line of a worker's own list.
type ReportedExecutor struct {
	AppID string        `cbor:"1,keyasint"`
	ID    int           `cbor:"2,keyasint"`
	State ExecutorState `cbor:"3,keyasint"`
}

// WorkerReport compares what a worker runs with what it should run (WorkerLatestState, WorkerSchedulerStateResponse, and
// the list a Go worker opens its session with). Executors that the state has as RUNNING there and the worker does not
// list are LOST; listed ones that are LAUNCHING in the state become RUNNING.
type WorkerReport struct {
	ID          string             `cbor:"1,keyasint"`
	Incarnation string             `cbor:"2,keyasint,omitempty"`
	Executors   []ReportedExecutor `cbor:"3,keyasint,omitempty"`
	Drivers     []string           `cbor:"4,keyasint,omitempty"` // run ids of those that are not over
	At          int64              `cbor:"5,keyasint"`
}

// PruneWorkers drops DEAD workers that died before a moment (Master.timeOutDeadWorkers).
type PruneWorkers struct {
	Before int64 `cbor:"1,keyasint"`
}

// IDParts are an id pattern around its number, the time already filled in: prefix, number padded to Width, suffix.
type IDParts struct {
	Prefix string `cbor:"1,keyasint"`
	Width  int    `cbor:"2,keyasint,omitempty"`
	Suffix string `cbor:"3,keyasint,omitempty"`
	Modulo uint64 `cbor:"4,keyasint,omitempty"` // spark.deploy.appNumberModulo; 0 = none
	Exact  string `cbor:"5,keyasint,omitempty"` // spark.master.useAppNameAsAppId.enabled: the whole id
}

// RegisterApplication adds an application. The driver's address is its identity while it lives: a driver registers with
// every master at once and again every 20 s, and one application must come of it.
type RegisterApplication struct {
	App App     `cbor:"1,keyasint"` // description, driver, Submitted, MaxCores, the default profile with its Target
	ID  IDParts `cbor:"2,keyasint"`
	// Retained is spark.deploy.retainedApplications, for an earlier application at this address that ends by this.
	Retained int `cbor:"3,keyasint,omitempty"`
}

// FinishApplication ends an application (Master.removeApplication).
type FinishApplication struct {
	AppID    string   `cbor:"1,keyasint"`
	State    AppState `cbor:"2,keyasint"`
	Message  string   `cbor:"3,keyasint,omitempty"`
	At       int64    `cbor:"4,keyasint"`
	Retained int      `cbor:"5,keyasint"` // spark.deploy.retainedApplications
	// DriverHost and DriverPort, where set, must be the application's: a report that a driver is gone must not end
	// another one.
	DriverHost string `cbor:"6,keyasint,omitempty"`
	DriverPort int    `cbor:"7,keyasint,omitempty"`
	Vanished   bool   `cbor:"8,keyasint,omitempty"` // see App
}

// RequestExecutors sets absolute targets (Master.handleRequestExecutors). Profiles not known yet are added.
type RequestExecutors struct {
	AppID   string    `cbor:"1,keyasint"`
	Targets []Profile `cbor:"2,keyasint"` // profiles as asked, each with its Target
}

// KillExecutors removes executors at the application's wish (Master.handleKillExecutors).
type KillExecutors struct {
	AppID string `cbor:"1,keyasint"`
	IDs   []int  `cbor:"2,keyasint"`
	At    int64  `cbor:"3,keyasint"`
}

// ExecutorStateChanged is a worker's report (Master.receiveAndReply, ExecutorStateChanged).
type ExecutorStateChanged struct {
	AppID      string        `cbor:"1,keyasint"`
	ID         int           `cbor:"2,keyasint"`
	State      ExecutorState `cbor:"3,keyasint"`
	Message    string        `cbor:"4,keyasint,omitempty"`
	ExitStatus *int          `cbor:"5,keyasint,omitempty"`
	At         int64         `cbor:"6,keyasint"`
	MaxRetries int           `cbor:"7,keyasint"` // spark.deploy.maxExecutorRetries; negative = no limit
	Retained   int           `cbor:"8,keyasint"` // spark.deploy.retainedApplications
	WorkerID   string        `cbor:"9,keyasint,omitempty"`
}

// Placement is one executor to be started.
type Placement struct {
	AppSeq   uint64 `cbor:"1,keyasint"`
	Profile  int    `cbor:"2,keyasint,omitempty"`
	WorkerID string `cbor:"3,keyasint"`
	Cores    int    `cbor:"4,keyasint"`
}

// DriverPlacement is one driver to be started.
type DriverPlacement struct {
	DriverID string `cbor:"1,keyasint"`
	WorkerID string `cbor:"2,keyasint"`
}

// ApplyPlan carries out what the scheduler planned on an earlier state. Every line is checked again; a line that no
// longer fits is left out, since the next pass sees why.
type ApplyPlan struct {
	Executors []Placement       `cbor:"1,keyasint,omitempty"`
	Drivers   []DriverPlacement `cbor:"2,keyasint,omitempty"`
	At        int64             `cbor:"3,keyasint"`
}

// SubmitDriver queues a driver (Master.receiveAndReply, RequestSubmitDriver).
type SubmitDriver struct {
	Driver Driver  `cbor:"1,keyasint"`
	ID     IDParts `cbor:"2,keyasint"`
	// Key, where it is not empty, names the submission: for KeepMS milliseconds after the first one with this key, no
	// further driver comes of it, and the first one's id is the answer.
	Key    string `cbor:"3,keyasint,omitempty"`
	KeepMS int64  `cbor:"4,keyasint,omitempty"`
}

// KillDriver asks for the end of a driver: a waiting one ends at once, a running one when its worker says so.
type KillDriver struct {
	ID       string `cbor:"1,keyasint"`
	At       int64  `cbor:"2,keyasint"`
	Retained int    `cbor:"3,keyasint"`
}

// DriverStateChanged is a worker's report of a driver's end.
type DriverStateChanged struct {
	ID        string      `cbor:"1,keyasint"` // of the run
	State     DriverState `cbor:"2,keyasint"`
	Exception string      `cbor:"3,keyasint,omitempty"`
	At        int64       `cbor:"4,keyasint"`
	Retained  int         `cbor:"5,keyasint"`
	WorkerID  string      `cbor:"6,keyasint,omitempty"` // whose report it is; empty: not known
}

// LoseDriver says that a run is over, or was never begun, through no doing of the driver's: a supervised one waits for a
// worker again, any other ends in ERROR.
type LoseDriver struct {
	ID       string `cbor:"1,keyasint"` // of the run
	WorkerID string `cbor:"2,keyasint,omitempty"`
	Reason   string `cbor:"3,keyasint"`
	At       int64  `cbor:"4,keyasint"`
	Retained int    `cbor:"5,keyasint"`
}

// ReleaseDriver ends a hold of a driver (Driver.HoldMS): a leader has waited it out.
type ReleaseDriver struct {
	ID   string `cbor:"1,keyasint"` // of the run
	At   int64  `cbor:"2,keyasint"`
	Hold int    `cbor:"3,keyasint"` // which one, as Driver.Holds counts them
}

// ClearCompleted empties both completed rings (RequestClearCompletedDriversAndApps).
type ClearCompleted struct{}

// SetCluster names the cluster, once, and says how many of its masters vote.
type SetCluster struct {
	ID     string `cbor:"1,keyasint"`
	Voters int    `cbor:"2,keyasint,omitempty"` // see Autopilot; 0: nothing is said
}

func (*RegisterWorker) Type() Type       { return TypeRegisterWorker }
func (*WorkerLost) Type() Type           { return TypeWorkerLost }
func (*WorkerReport) Type() Type         { return TypeWorkerReport }
func (*PruneWorkers) Type() Type         { return TypePruneWorkers }
func (*RegisterApplication) Type() Type  { return TypeRegisterApplication }
func (*FinishApplication) Type() Type    { return TypeFinishApplication }
func (*RequestExecutors) Type() Type     { return TypeRequestExecutors }
func (*KillExecutors) Type() Type        { return TypeKillExecutors }
func (*ExecutorStateChanged) Type() Type { return TypeExecutorStateChanged }
func (*ApplyPlan) Type() Type            { return TypeApplyPlan }
func (*SubmitDriver) Type() Type         { return TypeSubmitDriver }
func (*KillDriver) Type() Type           { return TypeKillDriver }
func (*DriverStateChanged) Type() Type   { return TypeDriverStateChanged }
func (*ClearCompleted) Type() Type       { return TypeClearCompleted }
func (*LoseDriver) Type() Type           { return TypeLoseDriver }
func (*ReleaseDriver) Type() Type        { return TypeReleaseDriver }
func (*SetCluster) Type() Type           { return TypeSetCluster }

// commandOf makes an empty command of a type; nil for a type that this binary does not know.
func commandOf(t Type) Command {
	switch t {
	case TypeRegisterWorker:
		return new(RegisterWorker)
	case TypeWorkerLost:
		return new(WorkerLost)
	case TypeWorkerReport:
		return new(WorkerReport)
	case TypeDecommissionWorker:
		return new(DecommissionWorker)
	case TypePruneWorkers:
		return new(PruneWorkers)
	case TypeSuspectWorker:
		return new(SuspectWorker)
	case TypeSetBrake:
		return new(SetBrake)
	case TypeRecommissionWorker:
		return new(RecommissionWorker)
	case TypeDecommissionHosts:
		return new(DecommissionHosts)
	case TypeRegisterApplication:
		return new(RegisterApplication)
	case TypeFinishApplication:
		return new(FinishApplication)
	case TypeRequestExecutors:
		return new(RequestExecutors)
	case TypeKillExecutors:
		return new(KillExecutors)
	case TypeExecutorStateChanged:
		return new(ExecutorStateChanged)
	case TypeApplyPlan:
		return new(ApplyPlan)
	case TypeSubmitDriver:
		return new(SubmitDriver)
	case TypeKillDriver:
		return new(KillDriver)
	case TypeDriverStateChanged:
		return new(DriverStateChanged)
	case TypeClearCompleted:
		return new(ClearCompleted)
	case TypeLoseDriver:
		return new(LoseDriver)
	case TypeReleaseDriver:
		return new(ReleaseDriver)
	case TypeSetCluster:
		return new(SetCluster)
	case TypeSetAutopilot:
		return new(SetAutopilot)
	case TypeRemoveMaster:
		return new(RemoveMaster)
	case TypeAdmitMaster:
		return new(AdmitMaster)
	case TypeStageRestore:
		return new(StageRestore)
	case TypeRestoreState:
		return new(RestoreState)
	}
	return nil
}

var (
	// ErrMalformed is the cause of a command, result or snapshot that cannot be decoded.
	ErrMalformed = errors.New("fsm: malformed bytes")
	// ErrUnknownCommand is the cause of a stop: the log holds a command of a newer release.
	ErrUnknownCommand = errors.New("fsm: unknown command type; this master is older than the leader that wrote the log: upgrade it")
)

const headerSize = 4 // type (2 bytes, big-endian), flags, length of the request id

// MaxCommand is the longest command in bytes. A longer one is refused (CodeInvalid), so that every record fits a snapshot.
const MaxCommand = 32 << 20

// MaxRequestID is the longest request id, in bytes.
const MaxRequestID = 255

// Encode makes the log form of a command. requestID (at most MaxRequestID bytes) names the request that it carries out;
// a second command with the same id changes nothing and is given the first one's result. Empty: not remembered.
func Encode(c Command, requestID string) []byte {
	if len(requestID) > MaxRequestID {
		requestID = requestID[:MaxRequestID]
	}
	body := marshal(c)
	out := make([]byte, 0, headerSize+len(requestID)+len(body))
	out = binary.BigEndian.AppendUint16(out, uint16(c.Type()))
	out = append(out, 0, byte(len(requestID)))
	out = append(out, requestID...)
	return append(out, body...)
}

// decoded is a command as it stands in the log. cmd is nil for an unknown but ignorable one.
type decoded struct {
	requestID string
	cmd       Command
}

func decode(b []byte) (decoded, error) {
	if len(b) < headerSize || len(b) < headerSize+int(b[3]) {
		return decoded{}, fmt.Errorf("%w: a command of %d bytes", ErrMalformed, len(b))
	}
	t, flags := Type(binary.BigEndian.Uint16(b)), b[2]
	d := decoded{requestID: string(b[headerSize : headerSize+int(b[3])])}
	d.cmd = commandOf(t)
	if d.cmd == nil {
		if flags&flagIgnorable != 0 {
			return d, nil
		}
		return decoded{}, fmt.Errorf("%w (type %d)", ErrUnknownCommand, t)
	}
	if err := unmarshal(b[headerSize+int(b[3]):], d.cmd); err != nil {
		return decoded{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return d, nil
}

// Check tells whether bytes are a command that Apply would take. A door that takes commands from another master calls it
// before they go to the log, since a command that cannot be decoded stops every master.
func Check(b []byte) error {
	if len(b) > MaxCommand {
		return fmt.Errorf("%w: a command of %d bytes, of which at most %d are taken", ErrMalformed, len(b), MaxCommand)
	}
	d, err := decode(b)
	if err == nil && d.cmd == nil {
		err = ErrUnknownCommand
	}
	return err
}

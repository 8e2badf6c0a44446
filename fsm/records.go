package fsm

import "math"

// Unlimited is the value of a limit that is not set (scala.Int.MaxValue).
const Unlimited = math.MaxInt32

// Worker is a registered worker. Cores are counts, memory is in MiB, times are milliseconds since the Unix epoch as the
// command brought them.
type Worker struct {
	ID          string              `cbor:"1,keyasint"`
	Host        string              `cbor:"2,keyasint"`
	Port        int                 `cbor:"3,keyasint"` // of its Spark RPC endpoint "Worker"
	Cores       int                 `cbor:"4,keyasint"`
	MemoryMB    int                 `cbor:"5,keyasint"`
	WebUIURL    string              `cbor:"6,keyasint"`
	Kind        WorkerKind          `cbor:"7,keyasint"`
	Builds      []string            `cbor:"8,keyasint,omitempty"` // Spark builds it can run; sorted
	Resources   map[string][]string `cbor:"9,keyasint,omitempty"` // custom resources: name -> addresses
	Incarnation string              `cbor:"10,keyasint"`          // one life of the worker's process
	Ref         []byte              `cbor:"11,keyasint,omitempty"`
	Registered  int64               `cbor:"12,keyasint"`
	State       WorkerState         `cbor:"13,keyasint"`
	Since       int64               `cbor:"14,keyasint"` // when State was entered
	Reason      string              `cbor:"15,keyasint,omitempty"`
	Drained     bool                `cbor:"21,keyasint,omitempty"` // of a DEAD one: it was DECOMMISSIONED
	Undrained   bool                `cbor:"22,keyasint,omitempty"` // it was recommissioned, in this life and last: it may not have heard

	CoresUsed     int                 `cbor:"16,keyasint,omitempty"`
	MemoryUsedMB  int                 `cbor:"17,keyasint,omitempty"`
	ResourcesUsed map[string][]string `cbor:"18,keyasint,omitempty"`

	// Watch is what leaders found out about its health; nil: nothing. States share it, so it is replaced, not changed.
	Watch *Watch `cbor:"19,keyasint,omitempty"`

	// DriverLeaseMS is how long after its last word to a leader a supervised driver may be alive on it; 0: it promises nothing.
	DriverLeaseMS int64 `cbor:"20,keyasint,omitempty"`
}

// CoresFree is the number of cores that nothing uses.
func (w *Worker) CoresFree() int { return w.Cores - w.CoresUsed }

// MemoryFreeMB is the memory in MiB that nothing uses.
func (w *Worker) MemoryFreeMB() int { return w.MemoryMB - w.MemoryUsedMB }

// ResourcesFree is how many addresses of a custom resource nothing uses.
func (w *Worker) ResourcesFree(name string) int {
	return len(w.Resources[name]) - len(w.ResourcesUsed[name])
}

// Runs tells whether the worker has what an application of this build needs.
func (w *Worker) Runs(build string) bool {
	for _, b := range w.Builds {
		if b == build {
			return true
		}
	}
	return false
}

// ResourceAmount is a need for whole addresses of a custom resource (org.apache.spark.resource.ResourceRequirement).
type ResourceAmount struct {
	Name   string `cbor:"1,keyasint"`
	Amount int    `cbor:"2,keyasint"`
}

// Profile is a resource profile of an application (org.apache.spark.resource.ResourceProfile) as the master needs it.
type Profile struct {
	ID        int              `cbor:"1,keyasint"`
	Cores     int              `cbor:"2,keyasint,omitempty"` // per executor; 0 = not given: one executor takes all it may
	MemoryMB  int              `cbor:"3,keyasint,omitempty"` // per executor
	Resources []ResourceAmount `cbor:"4,keyasint,omitempty"` // sorted by name
	Target    int              `cbor:"5,keyasint"`           // executors wanted in all; Unlimited where nobody asked
	Live      int              `cbor:"6,keyasint,omitempty"` // executors that count against Target
}

// App is an application.
type App struct {
	Seq         uint64    `cbor:"1,keyasint"` // order of registration
	ID          string    `cbor:"2,keyasint"`
	Name        string    `cbor:"3,keyasint"`
	User        string    `cbor:"4,keyasint"`
	UIURL       string    `cbor:"5,keyasint,omitempty"`
	MaxCores    int       `cbor:"6,keyasint"` // the application's spark.cores.max, else spark.deploy.defaultCores
	Build       string    `cbor:"7,keyasint"`
	DriverHost  string    `cbor:"8,keyasint"`
	DriverPort  int       `cbor:"9,keyasint"`
	DriverRef   []byte    `cbor:"10,keyasint,omitempty"` // the driver's endpoint ref, as an object stream
	Description []byte    `cbor:"11,keyasint,omitempty"` // its ApplicationDescription, as an object stream
	Profiles    []Profile `cbor:"12,keyasint"`           // sorted by id; the first is the default profile, 0
	Submitted   int64     `cbor:"13,keyasint"`
	State       AppState  `cbor:"14,keyasint"`
	Ended       int64     `cbor:"15,keyasint,omitempty"`
	Message     string    `cbor:"16,keyasint,omitempty"` // why it ended, where that is known
	Failures    int       `cbor:"17,keyasint,omitempty"` // executor failures in a row without a RUNNING one
	NextExecID  int       `cbor:"18,keyasint,omitempty"`
	Cores       int       `cbor:"19,keyasint,omitempty"` // granted now
	DriverID    string    `cbor:"20,keyasint,omitempty"` // the cluster-mode driver that started it
	Removed     []int     `cbor:"21,keyasint,omitempty"` // ids of its last finished executors, oldest first
	Running     int       `cbor:"22,keyasint,omitempty"` // executors in state RUNNING

	DescriptionSum uint32 `cbor:"23,keyasint,omitempty"` // of an ended one, whose Description is not kept: lateCopy
	// Vanished is set where it ended because its driver was gone: there is nobody to be told.
	Vanished bool `cbor:"24,keyasint,omitempty"`
}

// CoresLeft is how many cores the application may still be given (ApplicationInfo.coresLeft).
func (a *App) CoresLeft() int { return a.MaxCores - a.Cores }

// Profile finds a profile by id.
func (a *App) Profile(id int) (*Profile, bool) {
	for i := range a.Profiles {
		if a.Profiles[i].ID == id {
			return &a.Profiles[i], true
		}
	}
	return nil, false
}

// Wants tells whether the application would take another executor if there were room.
func (a *App) Wants() bool {
	if a.State.Ended() {
		return false
	}
	for i := range a.Profiles {
		if a.wants(&a.Profiles[i]) {
			return true
		}
		// Without a core count the one executor of a worker may still be given more only through a further
		// executor, so a full target is final in this mode as well.
	}
	return false
}

// Executor is one executor of an application.
type Executor struct {
	AppSeq     uint64              `cbor:"1,keyasint"`
	AppID      string              `cbor:"2,keyasint"`
	ID         int                 `cbor:"3,keyasint"`
	Profile    int                 `cbor:"4,keyasint,omitempty"`
	WorkerID   string              `cbor:"5,keyasint"`
	WorkerHost string              `cbor:"6,keyasint"`
	WorkerPort int                 `cbor:"7,keyasint"`
	Cores      int                 `cbor:"8,keyasint"`
	MemoryMB   int                 `cbor:"9,keyasint"`
	Resources  map[string][]string `cbor:"10,keyasint,omitempty"`
	State      ExecutorState       `cbor:"11,keyasint"`
	Launched   int64               `cbor:"12,keyasint"`
	Changed    int64               `cbor:"13,keyasint"`
	Message    string              `cbor:"14,keyasint,omitempty"`
	ExitStatus *int                `cbor:"15,keyasint,omitempty"`
	// HostLost is set where the whole worker is gone: the driver then drops the shuffle output of that host.
	HostLost bool `cbor:"16,keyasint,omitempty"`
}

// CompletedApp is an application that is over, with what is known of its last executors.
type CompletedApp struct {
	App       *App        `cbor:"1,keyasint"`
	Executors []*Executor `cbor:"2,keyasint,omitempty"`
	EndSeq    uint64      `cbor:"3,keyasint"` // order of completion
}

// Driver is a driver in cluster mode.
type Driver struct {
	Seq         uint64              `cbor:"1,keyasint"`
	ID          string              `cbor:"2,keyasint"`
	Cores       int                 `cbor:"3,keyasint"`
	MemoryMB    int                 `cbor:"4,keyasint"`
	Supervise   bool                `cbor:"5,keyasint,omitempty"`
	Needs       []ResourceAmount    `cbor:"6,keyasint,omitempty"`
	MainClass   string              `cbor:"7,keyasint,omitempty"`
	Description []byte              `cbor:"8,keyasint,omitempty"`
	Build       string              `cbor:"9,keyasint,omitempty"`
	Submitted   int64               `cbor:"10,keyasint"`
	State       DriverState         `cbor:"11,keyasint"`
	WorkerID    string              `cbor:"12,keyasint,omitempty"`
	Resources   map[string][]string `cbor:"13,keyasint,omitempty"`
	Started     int64               `cbor:"14,keyasint,omitempty"`
	Ended       int64               `cbor:"15,keyasint,omitempty"`
	Exception   string              `cbor:"16,keyasint,omitempty"`
	Attempt     int                 `cbor:"17,keyasint,omitempty"`
	EndSeq      uint64              `cbor:"18,keyasint,omitempty"`
	// KillAsked is set from the wish to end a running driver until its worker says that it is over: a leader that comes
	// in between repeats the kill, and a supervised driver whose worker is lost meanwhile is not started again.
	KillAsked bool `cbor:"19,keyasint,omitempty"`
	// RunID names its present or last run. Each placement after a loss has an id of its own, by which its worker and
	// those who look for it know it; the first run's is the driver's.
	RunID string `cbor:"20,keyasint,omitempty"`
	// Runs are the ids of its runs after the first, oldest first, at most keptRuns of them.
	Runs []string `cbor:"21,keyasint,omitempty"`
	// HoldMS, where it is not 0: the worker of its last run was given up while that run may be alive. It is placed again
	// when the leader has waited for so many milliseconds (ReleaseDriver), or when that worker says that it is over.
	HoldMS int64 `cbor:"22,keyasint,omitempty"`
	// WorkerAddr is host:port of the worker of its present or last run.
	WorkerAddr string `cbor:"23,keyasint,omitempty"`
	// Holds counts how often it was held. A worker that comes and goes has the same run held again, for the whole time.
	Holds int `cbor:"24,keyasint,omitempty"`
	// HeldLife is the incarnation of the worker that may run it while it is held: another life's list says nothing of it.
	HeldLife string `cbor:"25,keyasint,omitempty"`
}

// Waits tells whether the driver is queued for a worker, rather than being at one.
func (d *Driver) Waits() bool { return d.State == DriverSubmitted || d.State == DriverRelaunching }

// request remembers the answer to a request, so that a retry is given the first one.
type request struct {
	ID     string `cbor:"1,keyasint"`
	Seq    uint64 `cbor:"2,keyasint"`
	Result []byte `cbor:"3,keyasint"`
}

// counters are the cluster's sequence numbers. They never go back, so no id is given twice, whoever leads.
type counters struct {
	ClusterID  string `cbor:"1,keyasint,omitempty"`
	AppSeq     uint64 `cbor:"2,keyasint,omitempty"`
	AppNumber  uint64 `cbor:"3,keyasint,omitempty"`
	DriverSeq  uint64 `cbor:"4,keyasint,omitempty"`
	DriverNum  uint64 `cbor:"5,keyasint,omitempty"`
	EndSeq     uint64 `cbor:"6,keyasint,omitempty"`
	RequestSeq uint64 `cbor:"7,keyasint,omitempty"`
	Index      uint64 `cbor:"8,keyasint,omitempty"` // of the last log entry applied
	Term       uint64 `cbor:"9,keyasint,omitempty"`
	// Quorum is shared by States, so it is copied before it is changed.
	Quorum *Quorum `cbor:"10,keyasint,omitempty"`
	// Brake likewise: it is replaced.
	Brake *Brake `cbor:"11,keyasint,omitempty"`
}

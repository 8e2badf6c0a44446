package scheduler

import "github.com/firesteel/firesteel/fsm"

// Settings are the master's settings that placement depends on.
type Settings struct {
	SpreadOutApps    bool // spark.deploy.spreadOutApps: over as many workers as possible, else on as few
	SpreadOutDrivers bool // spark.deploy.spreadOutDrivers: round robin over shuffled workers, else first fit by worker id
	// MaxDrivers is how many drivers may run at once (spark.deploy.maxDrivers); 0 or less: no cap.
	MaxDrivers int
	// WorkerSelectionPolicy is spark.deploy.workerSelectionPolicy. It orders workers for executors, not for drivers.
	WorkerSelectionPolicy Policy
}

// DefaultSettings are Spark's defaults.
func DefaultSettings() Settings {
	return Settings{SpreadOutApps: true, SpreadOutDrivers: true, MaxDrivers: fsm.Unlimited, WorkerSelectionPolicy: CoresFreeDesc}
}

// Input is what one pass depends on besides the state and the settings.
type Input struct {
	// At is the time of the pass in milliseconds since the Unix epoch; it becomes ApplyPlan.At.
	At int64
	// Seed draws the order of the workers in which drivers are spread. The same seed gives the same plan.
	Seed uint64
	// Exclude tells of workers that get nothing new for now: suspects, and those whose own list of what they run has
	// not been seen in this term. nil excludes none. It is called at most once per worker that could take something.
	Exclude func(workerID string) bool
	// Warn asks for Outcome.Unplaced, which takes a look at every worker for each entry.
	Warn bool
}

// Outcome is what a pass decided.
type Outcome struct {
	// Plan is the command to propose; it may be empty (see Empty).
	Plan fsm.ApplyPlan
	// Unplaced names what could not be placed where Spark's Master would warn of it: a driver that does not even fit
	// on an idle worker, and the only application of a cluster that has no executor and can be given none. At most
	// maxUnplaced entries, and only one of the drivers that wait for the same; Explain gives all.
	Unplaced []Unplaced
}

// Empty tells whether there is nothing to propose.
func (o *Outcome) Empty() bool { return len(o.Plan.Executors) == 0 && len(o.Plan.Drivers) == 0 }

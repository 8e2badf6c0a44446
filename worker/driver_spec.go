package worker

import (
	"errors"
	"fmt"
	"time"
)

// DriverSpec says all there is to launch one run of a driver (Spark: DriverDescription).
type DriverSpec struct {
	ID        string // of the driver
	RunID     string // of this run; names its directory
	Attempt   int    // 1 for the first; a driver that its worker lost is given a higher one
	Resource  string // URL of the jar or program, "" for none; fetched into the driver's directory
	Cores     int
	MemoryMiB int
	Supervise bool // start it again, here, when it ends with another exit code than 0
	Command   Command
	Resources map[string][]string // resource name -> addresses given to this driver
	SparkHome string
	// ModuleOptions are what the release in SparkHome needs of a JVM with modules (releases.Home).
	ModuleOptions []string
}

// mainClass is the user's: DriverWrapper's third argument, behind the worker's URL and the jar.
func (s DriverSpec) mainClass() string {
	if len(s.Command.Arguments) > 2 {
		return s.Command.Arguments[2]
	}
	return s.Command.MainClass
}

// validate refuses specs that would reach outside the work directory or start a JVM that cannot run.
func (s DriverSpec) validate() error {
	switch {
	case !isPathElement(s.RunID):
		return fmt.Errorf("driver id %q cannot name a directory", s.RunID)
	case s.MemoryMiB < 1:
		return fmt.Errorf("driver %s asks for %d MiB, at least 1 is needed", s.RunID, s.MemoryMiB)
	case s.Command.MainClass == "":
		return fmt.Errorf("driver %s has no main class to run", s.RunID)
	case s.SparkHome == "":
		return fmt.Errorf("driver %s has no Spark home chosen", s.RunID)
	}
	return nil
}

// DriverState is a driver's state as its worker sees it (org.apache.spark.deploy.master.DriverState).
type DriverState int

// The states of a driver on its worker.
const (
	DriverRunning  DriverState = iota // from the launch on: while it is fetched, run, or waits to be run again
	DriverFinished                    // exit code 0, even if a kill was asked for
	DriverKilled
	DriverFailed // any other exit code
	DriverError  // it could not be run
	// DriverRelaunching: supervised, and ended here because no master was heard for the worker's lease.
	DriverRelaunching
)

// String gives Spark's name.
func (s DriverState) String() string {
	return [...]string{"RUNNING", "FINISHED", "KILLED", "FAILED", "ERROR", "RELAUNCHING"}[s]
}

// Final tells whether a driver in this state is over.
func (s DriverState) Final() bool { return s != DriverRunning }

// DriverReport is what a worker says of one run of a driver.
type DriverReport struct {
	RunID   string
	State   DriverState
	Message string // why, where that is known; of ERROR always
	At      time.Time
}

// Why a run is ended without its master's word.
var (
	errSuperseded = errors.New("a later run of this driver was launched")
	errLease      = errors.New("no master was heard of for the worker's lease, and it may be launched elsewhere now")
	errShutdown   = errors.New("Worker shutting down")
)

package worker

import (
	"fmt"
	"strings"
)

// Command is Spark's org.apache.spark.deploy.Command: what an application wants
// run for each of its executors.
type Command struct {
	MainClass   string
	Arguments   []string
	Environment map[string]string
	ClassPath   []string // classPathEntries
	LibraryPath []string // libraryPathEntries
	JavaOpts    []string
}

// ResourceAmount is a demand for whole addresses of a custom resource.
type ResourceAmount struct {
	Name   string
	Amount int
}

// AppDescription is what the worker's pages show of an application.
type AppDescription struct {
	Name                 string
	User                 string
	UIURL                string // of the application's driver, "" if it has none
	MaxCores             int    // 0: unlimited
	MemoryPerExecutorMiB int    // of the default resource profile
	ResourcesPerExecutor []ResourceAmount
}

// ExecutorSpec says all there is to launch one executor.
type ExecutorSpec struct {
	AppID     string
	ExecID    int
	ProfileID int // resource profile, 0 is the default one
	Cores     int
	MemoryMiB int // JVM heap
	Command   Command
	App       AppDescription
	Resources map[string][]string // resource name -> addresses given to this executor
	SparkHome string              // home whose release is the application's; see Homes
}

// ExecutorKey names an executor in the whole cluster.
type ExecutorKey struct {
	AppID  string
	ExecID int
}

// String gives Spark's full id, "app-20260102030405-0000/1".
func (k ExecutorKey) String() string { return fmt.Sprintf("%s/%d", k.AppID, k.ExecID) }

// Key names the executor.
func (s ExecutorSpec) Key() ExecutorKey { return ExecutorKey{AppID: s.AppID, ExecID: s.ExecID} }

// validate refuses specs that would reach outside the work directory or start
// a JVM that cannot run. The ids come over the network.
func (s ExecutorSpec) validate() error {
	switch {
	case !isPathElement(s.AppID):
		return fmt.Errorf("application id %q cannot name a directory", s.AppID)
	case s.ExecID < 0:
		return fmt.Errorf("executor id %d is negative", s.ExecID)
	case s.Cores < 1:
		return fmt.Errorf("executor %s asks for %d cores, at least 1 is needed", s.Key(), s.Cores)
	case s.MemoryMiB < 1:
		return fmt.Errorf("executor %s asks for %d MiB, at least 1 is needed", s.Key(), s.MemoryMiB)
	case s.Command.MainClass == "":
		return fmt.Errorf("executor %s has no main class to run", s.Key())
	case s.SparkHome == "":
		return fmt.Errorf("executor %s has no Spark home chosen", s.Key())
	}
	return nil
}

func isPathElement(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\x00")
}

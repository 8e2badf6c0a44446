package cluster

import (
	"strings"

	"github.com/firesteel/firesteel/chaos/proc"
)

// executorClass is the main class of executors, a word of their command line.
const executorClass = "org.apache.spark.executor.CoarseGrainedExecutorBackend"

// IsExecutor tells whether a process is an executor.
func IsExecutor(i proc.Info) bool { return strings.Contains(i.Command, executorClass) }

// ExecutorOf gives a test for executors of one application.
func ExecutorOf(app string) func(proc.Info) bool {
	return func(i proc.Info) bool { return IsExecutor(i) && strings.Contains(i.Command, "--app-id "+app) }
}

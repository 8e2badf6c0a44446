package spark

import (
	"fmt"
	"strconv"
)

// Dynamic is a job that goes from 0 executors to most and back, twice, by dynamic allocation.
func Dynamic(most int) JobConfig {
	return JobConfig{Program: "dynamic", Args: []string{strconv.Itoa(most)}, Conf: map[string]string{
		"spark.executor.cores":                                     "1",
		"spark.dynamicAllocation.enabled":                          "true",
		"spark.dynamicAllocation.shuffleTracking.enabled":          "true",
		"spark.dynamicAllocation.minExecutors":                     "0",
		"spark.dynamicAllocation.initialExecutors":                 "0",
		"spark.dynamicAllocation.maxExecutors":                     strconv.Itoa(most),
		"spark.dynamicAllocation.executorIdleTimeout":              "2s",
		"spark.dynamicAllocation.schedulerBacklogTimeout":          "1s",
		"spark.dynamicAllocation.sustainedSchedulerBacklogTimeout": "1s",
	}}
}

// Profile is a job with a stage that wants executors of its own, with cores and memory (MiB) of theirs. In standalone
// mode that needs dynamic allocation.
func Profile(cores, memory int) JobConfig {
	return JobConfig{Program: "stagelevel", Args: []string{strconv.Itoa(cores), fmt.Sprintf("%dm", memory)}, Conf: map[string]string{
		"spark.executor.cores":                            "1",
		"spark.dynamicAllocation.enabled":                 "true",
		"spark.dynamicAllocation.shuffleTracking.enabled": "true",
		"spark.dynamicAllocation.initialExecutors":        "1",
		"spark.dynamicAllocation.maxExecutors":            "1", // of each profile
	}}
}

// Doomed is a job whose executors all fail to start: the Java they are told to use is not there. An executor that
// starts and exits at once is another thing: the original takes each for RUNNING, which resets its count of failures, and
// goes on for ever (seen: 4,529 of them in two minutes).
func Doomed() JobConfig {
	return JobConfig{Program: "doomed", Conf: map[string]string{
		"spark.executorEnv.JAVA_HOME": "/there/is/no/java",
		"spark.executor.cores":        "1",
		"spark.cores.max":             "1",
	}}
}

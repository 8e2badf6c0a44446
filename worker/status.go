package worker

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/firesteel/firesteel/web/sparkjson"
)

// Status is what the worker's pages show.
type Status struct {
	ID             string
	MasterURL      string // spark://host:port, "" while there is none
	MasterWebUIURL string
	Cores          int
	MemoryMiB      int
	Resources      map[string][]string // all addresses this worker has
	Running        []ExecutorInfo
	Finished       []ExecutorInfo
	// Drivers take of the worker as executors do, and are on its page alone: Spark's JSON does not list them.
	Drivers         []DriverInfo
	FinishedDrivers []DriverInfo
}

func (s Status) coresUsed() (sum int) {
	for _, e := range s.Running {
		sum += e.Spec.Cores
	}
	for _, d := range s.Drivers {
		sum += d.Spec.Cores
	}
	return sum
}

func (s Status) memoryUsed() (sum int) {
	for _, e := range s.Running {
		sum += e.Spec.MemoryMiB
	}
	for _, d := range s.Drivers {
		sum += d.Spec.MemoryMiB
	}
	return sum
}

// resourcesUsed names every resource of the worker, also unused ones.
func (s Status) resourcesUsed() map[string][]string {
	used := make(map[string][]string, len(s.Resources))
	for name := range s.Resources {
		used[name] = nil
	}
	add := func(resources map[string][]string) {
		for name, addresses := range resources {
			used[name] = append(used[name], addresses...)
		}
	}
	for _, e := range s.Running {
		add(e.Spec.Resources)
	}
	for _, d := range s.Drivers {
		add(d.Spec.Resources)
	}
	return used
}

// document is Spark's JsonProtocol.writeWorkerState.
func (s Status) document(secret *regexp.Regexp) sparkjson.Object {
	return sparkjson.Object{
		{Key: "id", Value: s.ID},
		{Key: "masterurl", Value: s.MasterURL},
		{Key: "masterwebuiurl", Value: s.MasterWebUIURL},
		{Key: "cores", Value: s.Cores},
		{Key: "coresused", Value: s.coresUsed()},
		{Key: "memory", Value: s.MemoryMiB},
		{Key: "memoryused", Value: s.memoryUsed()},
		{Key: "resources", Value: resourcesObject(s.Resources)},
		{Key: "resourcesused", Value: resourcesObject(s.resourcesUsed())},
		{Key: "executors", Value: executorList(s.Running, secret)},
		{Key: "finishedexecutors", Value: executorList(s.Finished, secret)},
	}
}

func resourcesObject(resources map[string][]string) sparkjson.Object {
	o := sparkjson.Object{}
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		o = append(o, sparkjson.Member{Key: name, Value: sparkjson.Object{
			{Key: "name", Value: name}, {Key: "addresses", Value: resources[name]},
		}})
	}
	return o
}

func executorList(list []ExecutorInfo, secret *regexp.Regexp) []sparkjson.Object {
	var out []sparkjson.Object
	for _, e := range list {
		out = append(out, sparkjson.Object{
			{Key: "id", Value: e.Spec.ExecID},
			{Key: "memory", Value: e.Spec.MemoryMiB},
			{Key: "resources", Value: resourcesObject(e.Spec.Resources)},
			{Key: "appid", Value: e.Spec.AppID},
			{Key: "appdesc", Value: appDescription(e.Spec, secret)},
		})
	}
	return out
}

func appDescription(spec ExecutorSpec, secret *regexp.Regexp) sparkjson.Object {
	var demands []sparkjson.Object
	for _, r := range spec.App.ResourcesPerExecutor {
		demands = append(demands, sparkjson.Object{{Key: "name", Value: r.Name}, {Key: "amount", Value: r.Amount}})
	}
	return sparkjson.Object{
		{Key: "name", Value: spec.App.Name},
		{Key: "cores", Value: spec.App.MaxCores},
		{Key: "memoryperexecutor", Value: spec.App.MemoryPerExecutorMiB},
		{Key: "resourcesperexecutor", Value: demands},
		{Key: "memoryperslave", Value: spec.App.MemoryPerExecutorMiB},
		{Key: "resourcesperslave", Value: demands},
		{Key: "user", Value: spec.App.User},
		{Key: "command", Value: commandText(spec.Command, secret)},
	}
}

// commandText is the Scala toString of Spark's Command. Java options and
// environment values that look secret are redacted: 4.1 does so for the
// options, older releases show everything to everybody.
func commandText(c Command, secret *regexp.Regexp) string {
	var env []string
	for _, key := range slices.Sorted(maps.Keys(c.Environment)) {
		env = append(env, key+" -> "+redactValue(secret, key, c.Environment[key]))
	}
	join := func(list []string) string { return strings.Join(list, ", ") }
	return "Command(" + c.MainClass + ",List(" + join(c.Arguments) + "),Map(" + join(env) + "),ArraySeq(" +
		join(c.ClassPath) + "),ArraySeq(" + join(c.LibraryPath) + "),ArraySeq(" + join(redactArgs(secret, c.JavaOpts)) + "))"
}

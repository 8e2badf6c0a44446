package worker

import (
	"maps"
	"regexp"
	"slices"
	"strings"
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
}

func (s Status) coresUsed() (sum int) {
	for _, e := range s.Running {
		sum += e.Spec.Cores
	}
	return sum
}

func (s Status) memoryUsed() (sum int) {
	for _, e := range s.Running {
		sum += e.Spec.MemoryMiB
	}
	return sum
}

// resourcesUsed names every resource of the worker, also unused ones.
func (s Status) resourcesUsed() map[string][]string {
	used := make(map[string][]string, len(s.Resources))
	for name := range s.Resources {
		used[name] = nil
	}
	for _, e := range s.Running {
		for name, addresses := range e.Spec.Resources {
			used[name] = append(used[name], addresses...)
		}
	}
	return used
}

// document is Spark's JsonProtocol.writeWorkerState.
func (s Status) document(secret *regexp.Regexp) jsonObject {
	return jsonObject{
		{"id", s.ID},
		{"masterurl", s.MasterURL},
		{"masterwebuiurl", s.MasterWebUIURL},
		{"cores", s.Cores},
		{"coresused", s.coresUsed()},
		{"memory", s.MemoryMiB},
		{"memoryused", s.memoryUsed()},
		{"resources", resourcesObject(s.Resources)},
		{"resourcesused", resourcesObject(s.resourcesUsed())},
		{"executors", executorList(s.Running, secret)},
		{"finishedexecutors", executorList(s.Finished, secret)},
	}
}

func resourcesObject(resources map[string][]string) jsonObject {
	o := jsonObject{}
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		o = append(o, jsonField{name, jsonObject{{"name", name}, {"addresses", anyList(resources[name])}}})
	}
	return o
}

func anyList[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

func executorList(list []ExecutorInfo, secret *regexp.Regexp) []any {
	var out []any
	for _, e := range list {
		out = append(out, jsonObject{
			{"id", e.Spec.ExecID},
			{"memory", e.Spec.MemoryMiB},
			{"resources", resourcesObject(e.Spec.Resources)},
			{"appid", e.Spec.AppID},
			{"appdesc", appDescription(e.Spec, secret)},
		})
	}
	return out
}

func appDescription(spec ExecutorSpec, secret *regexp.Regexp) jsonObject {
	var demands []any
	for _, r := range spec.App.ResourcesPerExecutor {
		demands = append(demands, jsonObject{{"name", r.Name}, {"amount", r.Amount}})
	}
	return jsonObject{
		{"name", spec.App.Name},
		{"cores", spec.App.MaxCores},
		{"memoryperexecutor", spec.App.MemoryPerExecutorMiB},
		{"resourcesperexecutor", demands},
		{"memoryperslave", spec.App.MemoryPerExecutorMiB},
		{"resourcesperslave", demands},
		{"user", spec.App.User},
		{"command", commandText(spec.Command, secret)},
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

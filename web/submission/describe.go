package submission

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/spark/messages"
)

// Context is what a description depends on besides the request.
type Context struct {
	// Masters is the URL of all masters, spark://host:port[,host:port...]: the driver's spark.master, whatever the request
	// names, so that its application survives the loss of any of them.
	Masters string
	// Environment finds a variable of this process, for values that are {{NAME}}.
	Environment func(name string) (string, bool)
}

// Main classes that a driver's process may start with.
const (
	driverWrapper = "org.apache.spark.deploy.worker.DriverWrapper"
	sparkSubmit   = "org.apache.spark.deploy.SparkSubmit"
)

// Placeholders that the worker replaces.
const (
	workerURL = "{{WORKER_URL}}"
	userJar   = "{{USER_JAR}}"
)

// Defaults of a driver (spark.driver.cores, spark.driver.memory).
const (
	defaultCores    = 1
	defaultMemoryMB = 1024
)

// Describe makes the driver's description out of a request (StandaloneSubmitRequestServlet.buildDriverDescription).
func (r *Request) Describe(c Context) (*messages.DriverDescription, error) {
	properties := r.fill(r.Properties, c)
	properties["spark.master"] = c.Masters
	delete(properties, IdempotencyProperty) // it names this submission, and none that the driver makes
	d := &messages.DriverDescription{JarURL: r.AppResource, MemoryMB: defaultMemoryMB, Cores: defaultCores, Supervise: strings.EqualFold(properties["spark.driver.supervise"], "true")}
	var err error
	if d.Cores, err = cores(properties); err != nil {
		return nil, err
	}
	if v, ok := properties["spark.driver.memory"]; ok {
		if d.MemoryMB, err = config.ParseMemoryMiB(v); err != nil {
			return nil, &rejection{status: 500, class: numberFormat, text: err.Error()}
		}
	}
	if d.ResourceReqs, err = resources(properties); err != nil {
		return nil, err
	}
	d.Command = messages.Command{
		MainClass: driverWrapper, Arguments: append([]string{workerURL, userJar}, r.program(properties)...), Environment: r.environment(c),
		ClassPath: paths(properties["spark.driver.extraClassPath"]), LibraryPath: paths(properties["spark.driver.extraLibraryPath"]), JavaOpts: javaOptions(properties),
	}
	return d, nil
}

// program is the main class with its arguments. A Python or R program is run by the worker's own spark-submit, in client
// mode against this cluster: the original leaves spark.master out there, and the program runs in local[*], unseen.
func (r *Request) program(properties map[string]string) []string {
	script := IsScript(r.AppResource)
	if !script && r.MainClass != sparkSubmit {
		return append([]string{r.MainClass}, r.Args...)
	}
	out := []string{sparkSubmit}
	for _, k := range slices.Sorted(maps.Keys(properties)) {
		// What belongs to this driver's process and its submission is not the inner one's.
		if k != "spark.submit.deployMode" && !strings.HasPrefix(k, "spark.driver.resource.") {
			out = append(out, "--conf", k+"="+properties[k])
		}
	}
	// Who names spark-submit itself may have named its program as its argument, as Spark's own documentation does.
	if named := r.MainClass == sparkSubmit && len(r.Args) > 0 && (IsScript(r.Args[0]) || strings.HasPrefix(r.Args[0], "-")); script && !named {
		out = append(out, userJar)
	}
	return append(out, r.Args...)
}

// IsScript tells whether a resource is a Python or R program (SparkSubmit.isPython, isR).
func IsScript(resource string) bool {
	path, _, _ := strings.Cut(resource, "#")
	return strings.HasSuffix(path, ".py") || strings.HasSuffix(path, ".R") || strings.HasSuffix(path, ".r")
}

// local are the variables that concern the client's host, not the driver's.
var local = regexp.MustCompile(`SPARK_LOCAL_(IP|HOSTNAME)`)

func (r *Request) environment(c Context) map[string]string {
	out := r.fill(r.Environment, c)
	maps.DeleteFunc(out, func(k, _ string) bool { return local.MatchString(k) })
	return out
}

var placeholder = regexp.MustCompile(`^\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}$`)

// fill replaces values that are wholly {{NAME}} by this process's variable of that name, if there is one.
func (*Request) fill(in map[string]string, c Context) map[string]string {
	out := make(map[string]string, len(in)+1)
	for k, v := range in {
		if m := placeholder.FindStringSubmatch(v); m != nil && c.Environment != nil {
			if found, ok := c.Environment(m[1]); ok {
				v = found
			}
		}
		out[k] = v
	}
	return out
}

func cores(properties map[string]string) (int, error) {
	v, ok := properties["spark.driver.cores"]
	if !ok {
		return defaultCores, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, &rejection{status: 500, class: numberFormat, text: `For input string: "` + v + `"`}
	}
	if n < 0 {
		return 0, invalid(createAction, "its property spark.driver.cores is "+v+": it must not be negative")
	}
	return int(n), nil
}

const resourcePrefix = "spark.driver.resource."

// resources are the driver's needs (ResourceUtils.parseResourceRequirements): every name that has a property has an amount.
func resources(properties map[string]string) ([]messages.ResourceRequirement, error) {
	var out []messages.ResourceRequirement
	names := map[string]bool{}
	for _, k := range slices.Sorted(maps.Keys(properties)) {
		rest, ok := strings.CutPrefix(k, resourcePrefix)
		if !ok {
			continue
		}
		i := strings.IndexByte(rest, '.')
		if i <= 0 || names[rest[:i]] {
			continue
		}
		name := rest[:i]
		names[name] = true
		v, ok := properties[resourcePrefix+name+".amount"]
		if !ok {
			return nil, &rejection{status: 500, class: sparkException, text: "You must specify an amount for " + name}
		}
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || n <= 0 || n != math.Trunc(n) || n > math.MaxInt32 {
			return nil, &rejection{status: 500, class: numberFormat, text: `For input string: "` + v + `"`, reason: "the amount of " + name + " must be a whole number above 0"}
		}
		out = append(out, messages.ResourceRequirement{Name: name, Amount: int(n), NumParts: 1})
	}
	return out, nil
}

// javaOptions hand all properties to the driver, then its own options.
func javaOptions(properties map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(properties)) {
		out = append(out, "-D"+k+"="+properties[k])
	}
	out = append(out, SplitCommand(properties["spark.driver.defaultJavaOptions"])...)
	return append(out, SplitCommand(properties["spark.driver.extraJavaOptions"])...)
}

func paths(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ":"), func(s string) bool { return s == "" })
}

// SplitCommand splits a line of options as Spark does (Utils.splitCommandString): at blanks outside of quotes. Inside
// double quotes a backslash takes the next character as it is.
func SplitCommand(line string) []string {
	var out []string
	var word strings.Builder
	var quote rune
	started, escaped := false, false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case quote == '"' && c == '\\':
			escaped = true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, started = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if started {
				out = append(out, word.String())
				word.Reset()
				started = false
			}
		default:
			word.WriteRune(c)
			started = true
		}
	}
	if started {
		out = append(out, word.String())
	}
	return out
}

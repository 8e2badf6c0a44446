package submit

import (
	"maps"
	"slices"

	"github.com/firesteel/firesteel/spark/messages"
)

// Driver is what is submitted.
type Driver struct {
	Version   string // of Spark, such as 4.3.0
	Resource  string // URL of a jar or program; "" is none
	MainClass string
	Args      []string
	// Environment is that of its process. Properties are Spark's: spark.driver.memory, spark.driver.supervise, ...
	Environment, Properties map[string]string
}

// Supervised gives the same driver, to be run again when it fails.
func (d Driver) Supervised() Driver { return d.With("spark.driver.supervise", "true") }

// With gives the same driver with one more property.
func (d Driver) With(property, value string) Driver {
	d.Properties = maps.Clone(d.Properties)
	if d.Properties == nil {
		d.Properties = map[string]string{}
	}
	d.Properties[property] = value
	return d
}

// request is the JSON of a CreateSubmissionRequest.
func (d Driver) request() map[string]any {
	args := d.Args
	if args == nil {
		args = []string{}
	}
	environment := d.Environment
	if environment == nil {
		environment = map[string]string{}
	}
	properties := maps.Clone(d.Properties)
	if properties == nil {
		properties = map[string]string{}
	}
	if properties["spark.app.name"] == "" {
		properties["spark.app.name"] = d.MainClass
	}
	return map[string]any{
		"action": "CreateSubmissionRequest", "clientSparkVersion": d.Version, "appResource": d.Resource, "mainClass": d.MainClass,
		"appArgs": args, "environmentVariables": environment, "sparkProperties": properties,
	}
}

// description is what Spark's RPC client makes of it (ClientEndpoint.onStart).
func (d Driver) description() *messages.DriverDescription {
	var options []string
	for _, k := range slices.Sorted(maps.Keys(d.Properties)) {
		options = append(options, "-D"+k+"="+d.Properties[k])
	}
	return &messages.DriverDescription{
		JarURL: d.Resource, MemoryMB: 128, Cores: 1, Supervise: d.Properties["spark.driver.supervise"] == "true",
		Command: messages.Command{
			MainClass:   "org.apache.spark.deploy.worker.DriverWrapper",
			Arguments:   append([]string{"{{WORKER_URL}}", "{{USER_JAR}}", d.MainClass}, d.Args...),
			Environment: d.Environment, JavaOpts: options,
		},
	}
}

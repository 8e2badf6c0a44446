package messages

import (
	"fmt"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// Resources are custom resources (GPUs and the like) by name, each with its addresses: Spark's
// Map[String, ResourceInformation].
type Resources map[string][]string

// Names of the built-in resources of an executor. All but cores are in MiB.
const (
	ResourceCores          = "cores"
	ResourceMemory         = "memory"
	ResourceOffHeap        = "offHeap"
	ResourceMemoryOverhead = "memoryOverhead"
	ResourcePySparkMemory  = "pyspark.memory"
)

// ResourceProfile is org.apache.spark.resource.ResourceProfile: what the executors and tasks of a stage need. Profile 0
// is an application's default.
type ResourceProfile struct {
	ID       int
	Executor map[string]ExecutorResourceRequest // by name: the constants above, or custom
	Task     map[string]float64                 // by name: "cpus", or custom; amounts may be fractions

	// Tree is the profile as it came. It is written as it is, to peers of the build it came from.
	Tree *javaser.Object
}

// ExecutorResourceRequest is org.apache.spark.resource.ExecutorResourceRequest.
type ExecutorResourceRequest struct {
	Amount          int64
	DiscoveryScript string
	Vendor          string
}

// Amount is what an executor with the profile needs of a resource; false where the profile does not say.
func (p ResourceProfile) Amount(name string) (int64, bool) {
	r, ok := p.Executor[name]
	return r.Amount, ok
}

// ResourceRequirement is org.apache.spark.resource.ResourceRequirement: what a cluster-mode driver needs.
type ResourceRequirement struct {
	Name     string
	Amount   int
	NumParts int // an address may be shared by as many; 1 for whole ones
}

func (r *reader) resources(name string) Resources {
	return stringMap(r, name, readResourceInformation)
}

func readResourceInformation(p *parser, v javaser.Value) ([]string, error) {
	r, err := fields(p, v, classResourceInformation)
	if err != nil {
		return nil, err
	}
	addresses := take(r, "addresses", readStrings)
	return addresses, r.err
}

// readStrings reads a String[].
func readStrings(p *parser, v javaser.Value) ([]string, error) {
	a, ok := v.(*javaser.Array)
	if !ok || a.Class.Name != classStrings {
		return nil, fmt.Errorf("%w: want %s, got %T", ErrMalformed, classStrings, v)
	}
	if err := p.spend(len(a.Values)); err != nil {
		return nil, err
	}
	out := make([]string, len(a.Values))
	for i := range a.Values {
		var err error
		if out[i], err = scala.String(a.Values[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func readResourceProfile(p *parser, v javaser.Value) (ResourceProfile, error) {
	r, err := fields(p, v, classResourceProfile)
	if err != nil {
		return ResourceProfile{}, err
	}
	profile := ResourceProfile{
		ID:       r.int("_id"),
		Executor: stringMap(r, "executorResources", readExecutorResourceRequest),
		Task:     stringMap(r, "taskResources", readTaskResourceRequest),
		Tree:     r.o,
	}
	return profile, r.err
}

func readExecutorResourceRequest(p *parser, v javaser.Value) (ExecutorResourceRequest, error) {
	r, err := fields(p, v, classExecutorRequest)
	if err != nil {
		return ExecutorResourceRequest{}, err
	}
	out := ExecutorResourceRequest{
		Amount:          take(r, "amount", readLong),
		DiscoveryScript: r.text("discoveryScript"),
		Vendor:          r.text("vendor"),
	}
	return out, r.err
}

func readTaskResourceRequest(p *parser, v javaser.Value) (float64, error) {
	r, err := fields(p, v, classTaskRequest)
	if err != nil {
		return 0, err
	}
	amount := take(r, "amount", readDouble)
	return amount, r.err
}

func readResourceRequirement(p *parser, v javaser.Value) (ResourceRequirement, error) {
	r, err := fields(p, v, classResourceRequirement)
	if err != nil {
		return ResourceRequirement{}, err
	}
	out := ResourceRequirement{Name: r.str("resourceName"), Amount: r.int("amount"), NumParts: r.int("numParts")}
	return out, r.err
}

func (b *builder) resources(res Resources) javaser.Value {
	return mapOf(b, res, func(name string, addresses []string) javaser.Value {
		values := make([]javaser.Value, len(addresses))
		for i := range addresses {
			values[i] = addresses[i]
		}
		return b.Object(classResourceInformation, scala.F{Name: "name", Value: name},
			scala.F{Name: "addresses", Value: b.Array(classStrings, values...)})
	})
}

// resourceProfile writes a profile without what a driver works out for its own use (how many tasks fit an executor):
// masters and workers do not look at it.
func (b *builder) resourceProfile(p ResourceProfile) javaser.Value {
	if p.Tree != nil {
		return p.Tree
	}
	executor := mapOf(b, p.Executor, func(name string, r ExecutorResourceRequest) javaser.Value {
		return b.Object(classExecutorRequest,
			scala.F{Name: "resourceName", Value: name},
			scala.F{Name: "amount", Value: r.Amount},
			scala.F{Name: "discoveryScript", Value: r.DiscoveryScript},
			scala.F{Name: "vendor", Value: r.Vendor})
	})
	task := mapOf(b, p.Task, func(name string, amount float64) javaser.Value {
		return b.Object(classTaskRequest, scala.F{Name: "resourceName", Value: name}, scala.F{Name: "amount", Value: amount})
	})
	return b.Object(classResourceProfile,
		scala.F{Name: "_id", Value: b.i32(p.ID)},
		scala.F{Name: "executorResources", Value: executor},
		scala.F{Name: "taskResources", Value: task},
		scala.F{Name: "_executorResourceSlotsPerAddr", Value: b.None()},
		scala.F{Name: "_limitingResource", Value: b.None()},
		scala.F{Name: "_maxTasksPerExecutor", Value: b.None()})
}

func (b *builder) resourceRequirement(r ResourceRequirement) javaser.Value {
	return b.Object(classResourceRequirement,
		scala.F{Name: "resourceName", Value: r.Name},
		scala.F{Name: "amount", Value: b.i32(r.Amount)},
		scala.F{Name: "numParts", Value: b.i32(r.NumParts)})
}

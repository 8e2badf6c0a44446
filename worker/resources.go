package worker

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// Component names of Spark's resource files.
const (
	workerComponent   = "spark.worker"
	executorComponent = "spark.executor"
)

// allocation is Spark's ResourceAllocation as written in resource files.
type allocation struct {
	ID struct {
		ComponentName string `json:"componentName"`
		ResourceName  string `json:"resourceName"`
	} `json:"id"`
	Addresses []string `json:"addresses"`
}

// writeResourcesFile makes the file that --resourcesFile names, in dir, and
// gives its path; "" if there are no resources.
func writeResourcesFile(dir, component string, resources map[string][]string) (string, error) {
	if len(resources) == 0 {
		return "", nil
	}
	var list []allocation
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		a := allocation{Addresses: slices.Clone(resources[name])}
		if a.Addresses == nil {
			a.Addresses = []string{}
		}
		a.ID.ComponentName, a.ID.ResourceName = component, name
		list = append(list, a)
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("resources file: %w", err)
	}
	f, err := os.CreateTemp(dir, "resource-executor-*.json")
	if err != nil {
		return "", fmt.Errorf("resources file: %w", err)
	}
	_, err = f.Write(raw)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", fmt.Errorf("resources file %s: %w", f.Name(), err)
	}
	return f.Name(), nil
}

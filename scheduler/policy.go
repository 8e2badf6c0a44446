package scheduler

import (
	"fmt"
	"strings"
)

// Policy is the order in which workers that could take an executor are used (spark.deploy.workerSelectionPolicy).
type Policy uint8

const (
	// CoresFreeDesc, Spark's default, takes the worker with the most free cores first. Workers that are equal are taken
	// by descending id: Spark sorts ascending and reverses the whole order.
	CoresFreeDesc Policy = iota
	// CoresFreeAsc takes the worker with the fewest free cores first, equal ones by ascending id.
	CoresFreeAsc
	// MemoryFreeDesc and MemoryFreeAsc are the same by free memory.
	MemoryFreeDesc
	MemoryFreeAsc
	// WorkerID takes workers by ascending id.
	WorkerID
)

var policyNames = [...]string{
	CoresFreeDesc: "CORES_FREE_DESC", CoresFreeAsc: "CORES_FREE_ASC",
	MemoryFreeDesc: "MEMORY_FREE_DESC", MemoryFreeAsc: "MEMORY_FREE_ASC", WorkerID: "WORKER_ID",
}

// String is Spark's name of the policy.
func (p Policy) String() string {
	if int(p) >= len(policyNames) {
		return fmt.Sprintf("Policy(%d)", uint8(p))
	}
	return policyNames[p]
}

// ParsePolicy reads a policy by Spark's name, in upper or lower case.
func ParsePolicy(s string) (Policy, error) {
	for i, name := range policyNames {
		if strings.EqualFold(strings.TrimSpace(s), name) {
			return Policy(i), nil
		}
	}
	return 0, fmt.Errorf("spark.deploy.workerSelectionPolicy: %q is not one of %s", s, strings.Join(policyNames[:], ", "))
}

// byCores tells whether free cores and ids alone make the order.
func (p Policy) byCores() bool { return p == CoresFreeDesc || p == CoresFreeAsc }

// byID orders workers that are equal otherwise.
func (p Policy) byID(a, b string) int {
	if p.descending() {
		return strings.Compare(b, a)
	}
	return strings.Compare(a, b)
}

func (p Policy) descending() bool { return p == CoresFreeDesc || p == MemoryFreeDesc }

// key orders workers ascending; ties go by id, in the direction of the policy.
func (p Policy) key(freeCores, freeMemoryMB int) int {
	switch p {
	case CoresFreeDesc:
		return -freeCores
	case CoresFreeAsc:
		return freeCores
	case MemoryFreeDesc:
		return -freeMemoryMB
	case MemoryFreeAsc:
		return freeMemoryMB
	}
	return 0
}

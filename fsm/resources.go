package fsm

import (
	"fmt"
	"maps"
	"slices"
)

// pick takes the first free addresses of a worker for each need, as WorkerInfo.acquireResources does. ok is false where
// there are too few; nothing is reserved either way.
func pick(w *Worker, needs []ResourceAmount) (map[string][]string, bool) {
	if len(needs) == 0 {
		return nil, true
	}
	out := make(map[string][]string, len(needs))
	for _, n := range needs {
		used := w.ResourcesUsed[n.Name]
		for _, addr := range w.Resources[n.Name] {
			if len(out[n.Name]) == n.Amount {
				break
			}
			if !slices.Contains(used, addr) {
				out[n.Name] = append(out[n.Name], addr)
			}
		}
		if len(out[n.Name]) < n.Amount {
			return nil, false
		}
	}
	return out, true
}

// distinct drops addresses that a worker lists twice: each can be given away once.
func distinct(res map[string][]string) map[string][]string {
	if len(res) == 0 {
		return nil
	}
	out := make(map[string][]string, len(res))
	for name, addrs := range res {
		for _, a := range addrs {
			if !slices.Contains(out[name], a) {
				out[name] = append(out[name], a)
			}
		}
	}
	return out
}

// checkNeeds tells what is wrong with a list of needs, which the wire does not: a negative amount would take every
// address there is, and a name that comes twice would be met once.
func checkNeeds(needs []ResourceAmount) error {
	for i, n := range needs {
		if n.Name == "" || n.Amount < 0 {
			return fmt.Errorf("asks for %d of resource %q", n.Amount, n.Name)
		}
		if slices.ContainsFunc(needs[:i], func(o ResourceAmount) bool { return o.Name == n.Name }) {
			return fmt.Errorf("asks for resource %q twice", n.Name)
		}
	}
	return nil
}

func addResources(used, res map[string][]string) map[string][]string {
	if len(res) == 0 {
		return used
	}
	out := maps.Clone(used)
	if out == nil {
		out = map[string][]string{}
	}
	for name, addrs := range res {
		out[name] = append(slices.Clone(out[name]), addrs...)
	}
	return out
}

func subtractResources(used, res map[string][]string) map[string][]string {
	if len(res) == 0 {
		return used
	}
	out := map[string][]string{}
	for name, addrs := range used {
		left := slices.DeleteFunc(slices.Clone(addrs), func(a string) bool { return slices.Contains(res[name], a) })
		if len(left) > 0 {
			out[name] = left
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

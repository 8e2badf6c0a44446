package history

import "fmt"

// read is one linearizable read of all that has a name: applications, or drivers.
type read[S any] struct {
	call, ret Time
	byName    map[string][]S
}

// newRead is a read that a master was asked for at call and answered at ret.
func newRead[S any](call, ret Time, seen []S, name func(S) string) read[S] {
	r := read[S]{call: call, ret: ret, byName: map[string][]S{}}
	for _, s := range seen {
		r.byName[name(s)] = append(r.byName[name(s)], s)
	}
	return r
}

// repeats is how many reads in a row that show the same of one name are kept: more add nothing but time.
const repeats = 3

// readsOf gives the reads that could have shown a name that nobody had heard of before born, as the operations in.
func readsOf[S any](name string, reads []read[S], born Time, in func([]S) any) (ops []op) {
	same, last := 0, ""
	for _, r := range reads {
		seen := r.byName[name]
		if r.ret < born && len(seen) == 0 {
			continue
		}
		if key := fmt.Sprint(seen); key != last {
			same, last = 0, key
		}
		if same++; same <= repeats {
			ops = append(ops, op{r.call, r.ret, in(seen)})
		}
	}
	return ops
}

// bornAt is the call of the operation at index i, the beginning of time where there is none.
func bornAt(ops []op, i int) Time {
	if i < 0 {
		return 0
	}
	return ops[i].call
}

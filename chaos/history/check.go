package history

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Verdict is what the check found.
type Verdict struct {
	Histories  int // that were checked, of all four kinds
	Operations int
	// Violations are the histories that no cluster without faults could have shown, each with its operations.
	Violations []string
	// Undecided are histories whose check took too long: neither right nor wrong.
	Undecided []string
	Took      time.Duration
}

// OK tells whether all histories were checked and right.
func (v Verdict) OK() bool { return len(v.Violations) == 0 && len(v.Undecided) == 0 }

func (v Verdict) String() string {
	return fmt.Sprintf("%d histories of %d operations checked in %d ms: %d wrong, %d undecided",
		v.Histories, v.Operations, v.Took.Milliseconds(), len(v.Violations), len(v.Undecided))
}

// job is one history to check.
type job struct {
	what  string
	model porcupine.Model
	ops   []op
}

// Check judges all that was recorded; each history is given at most limit.
func (r *Recorder) Check(ctx context.Context, limit time.Duration) Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	began := time.Now()
	v := Verdict{Violations: r.twins()}
	var mu sync.Mutex
	var wg sync.WaitGroup
	jobs := make(chan job)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for j := range jobs {
				result := j.check(limit)
				mu.Lock()
				v.Histories++
				v.Operations += len(j.ops)
				switch result {
				case porcupine.Illegal:
					v.Violations = append(v.Violations, j.String())
				case porcupine.Unknown:
					v.Undecided = append(v.Undecided, j.String())
				}
				mu.Unlock()
			}
		})
	}
	for j := range r.jobs {
		if ctx.Err() != nil {
			v.Undecided = append(v.Undecided, "the check was given up: "+ctx.Err().Error())
			break
		}
		jobs <- j
	}
	close(jobs)
	wg.Wait()
	slices.Sort(v.Violations)
	slices.Sort(v.Undecided)
	v.Took = time.Since(began)
	return v
}

// jobs visits all histories.
func (r *Recorder) jobs(yield func(job) bool) {
	for _, name := range slices.Sorted(maps.Keys(r.apps)) {
		if !yield(job{"application " + name, appModel, r.apps[name].withReads(r.appReads)}) {
			return
		}
	}
	for k, e := range r.execs {
		app := r.apps[r.appOf[k.app]]
		if !yield(job{"executor " + k.String(), executorModel, e.withReads(app, r.execReads, r.faults)}) {
			return
		}
	}
	for name, d := range r.drivers {
		if !yield(job{"driver " + name, driverModel, d.withReads(r.driverReads, r.faults)}) {
			return
		}
	}
	for id, w := range r.workers {
		if !yield(job{fmt.Sprintf("the %d cores of worker %s", w.cores, id), coresModel(w.cores), w.ops}) {
			return
		}
	}
}

// twins are ids that two applications were given.
func (r *Recorder) twins() []string {
	var found []string
	holder := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(r.apps)) {
		for _, o := range r.apps[name].ops {
			id := ""
			switch in := o.in.(type) {
			case register:
				id = in.id
			case answer:
				id = in.id
			}
			if other, ok := holder[id]; ok && other != name {
				found = append(found, fmt.Sprintf("two applications, %s and %s, were given the id %s", other, name, id))
			}
			if id != "" {
				holder[id] = name
			}
		}
	}
	return found
}

func (j job) check(limit time.Duration) porcupine.CheckResult {
	ops := make([]porcupine.Operation, len(j.ops))
	for i, o := range j.ops {
		ops[i] = o.porcupine(i)
	}
	return porcupine.CheckOperationsTimeout(j.model, ops, limit)
}

// String shows the history, one line an operation, by the time of its call.
func (j job) String() string {
	var b strings.Builder
	b.WriteString(j.what)
	ops := slices.Clone(j.ops)
	slices.SortStableFunc(ops, func(a, b op) int { return int(a.call - b.call) })
	const most = 200
	for i, o := range ops {
		if i == most {
			fmt.Fprintf(&b, "\n    ... and %d more", len(ops)-most)
			break
		}
		end := "never"
		if o.ret != never {
			end = fmt.Sprintf("%9.3fs", time.Duration(o.ret).Seconds())
		}
		kind := strings.TrimPrefix(fmt.Sprintf("%T", o.in), "history.")
		fmt.Fprintf(&b, "\n    %9.3fs .. %s  %s %+v", time.Duration(o.call).Seconds(), end, kind, o.in)
	}
	return b.String()
}

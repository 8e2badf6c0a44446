package history

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// executorKey is an executor's name: an application's id and a number.
type executorKey struct {
	app string
	id  int
}

func (k executorKey) String() string { return k.app + "/" + strconv.Itoa(k.id) }

type executorHistory struct {
	key executorKey
	ops []op
}

// What happens to an executor.
type (
	// launch is its start, seen on the worker.
	launch struct{ worker string }
	// told is what its driver was told of where it is, or what a read showed.
	told struct{ worker string }
	// running is what its driver was told.
	running struct{}
	// over is what its driver was told: the executor has ended.
	over struct{ state string }
	// killed is the order to end it, seen on the worker.
	killed struct{ worker string }
	// reason is why it may end: its own wish, its application's end, its worker's loss.
	reason struct{ why string }
	// seen and missing are what a linearizable read showed of it.
	seen    struct{ workers []string } // more than one is never right
	missing struct{}
)

func (r *Recorder) exec(app string, id int) *executorHistory {
	k := executorKey{app, id}
	e := r.execs[k]
	if e == nil {
		e = &executorHistory{key: k}
		r.execs[k] = e
	}
	return e
}

func (r *Recorder) addExec(app string, id int, o op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.exec(app, id)
	e.ops = append(e.ops, o)
}

// Slack is how much before we read it something may have happened that we know from a log.
type Slack struct{ From, To Time }

// Exact is now.
func (r *Recorder) Exact() Slack { now := r.Now(); return Slack{now, now} }

// Launched says that a worker starts an executor.
func (r *Recorder) Launched(app string, id int, worker string, at Slack) {
	r.addExec(app, id, op{at.From, at.To, launch{worker}})
}

// Told says that a driver was told where an executor is.
func (r *Recorder) Told(app string, id int, worker string, at Slack) {
	r.addExec(app, id, op{at.From, at.To, told{worker}})
}

// Running says that a driver was told that an executor runs.
func (r *Recorder) Running(app string, id int, at Slack) {
	r.addExec(app, id, op{at.From, at.To, running{}})
}

// Over says that a driver was told that an executor has ended.
func (r *Recorder) Over(app string, id int, state string, at Slack) {
	r.addExec(app, id, op{at.From, at.To, over{state}})
}

// Killed says that a worker was told to end an executor.
func (r *Recorder) Killed(app string, id int, worker string, at Slack) {
	r.addExec(app, id, op{at.From, at.To, killed{worker}})
}

// MayEnd says that there is a reason from now on why an executor may end.
func (r *Recorder) MayEnd(app string, id int, why string) {
	r.addExec(app, id, op{r.Now(), never, reason{why}})
}

// Faulty says that something is about to happen to a worker which may end its executors.
func (r *Recorder) Faulty(worker string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[worker] = append(r.faults[worker], r.Now())
}

// aftermath is how long a worker's fault may still end executors, also such as were placed on it meanwhile.
const aftermath = Time(time.Minute)

// blame gives the reason that a fault of its worker is for the executor's end, if there is one.
func (e *executorHistory) blame(faults map[string][]Time) (op, bool) {
	worker, first := "", never
	for _, o := range e.ops {
		switch in := o.in.(type) {
		case launch:
			worker = in.worker
		case told:
			worker = in.worker
		default:
			continue
		}
		first = min(first, o.call)
	}
	for _, at := range faults[worker] {
		if at >= first-aftermath {
			return op{at, never, reason{"a fault of " + worker}}, true
		}
	}
	return op{}, false
}

// execRead is one linearizable read of all executors.
type execRead struct {
	call, ret Time
	on        map[executorKey][]string // -> workers
}

// Placed is an executor in the books of a master.
type Placed struct {
	App    string
	ID     int
	Worker string
}

// ReadExecutors adds a read that a master was asked for at call and answered now.
func (r *Recorder) ReadExecutors(call Time, all []Placed) {
	read := execRead{call: call, ret: r.Now(), on: map[executorKey][]string{}}
	for _, p := range all {
		k := executorKey{p.App, p.ID}
		read.on[k] = append(read.on[k], p.Worker)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.execReads = append(r.execReads, read)
	for k := range read.on {
		r.exec(k.app, k.id)
	}
}

// withReads gives the executor's operations, its application's end, and the reads that could have shown it.
func (e *executorHistory) withReads(app *appHistory, reads []execRead, faults map[string][]Time) []op {
	ops := slices.Clone(e.ops)
	if fault, ok := e.blame(faults); ok {
		ops = append(ops, fault)
	}
	if app != nil {
		for _, o := range app.ending() {
			ops = append(ops, op{o.call, o.ret, reason{fmt.Sprintf("its application: %T", o.in)}})
		}
	}
	first := never
	for _, o := range ops {
		if _, ok := o.in.(reason); !ok {
			first = min(first, o.call)
		}
	}
	same, last, placed := 0, "", false
	for _, read := range reads {
		on := read.on[e.key]
		placed = placed || len(on) > 0
		if !placed && read.ret < first {
			continue // nobody knew of it yet
		}
		if key := fmt.Sprint(on); key != last {
			same, last = 0, key
		}
		if same++; same > repeats {
			continue
		}
		in := any(missing{})
		if len(on) > 0 {
			in = seen{on}
		}
		ops = append(ops, op{read.call, read.ret, in})
	}
	return ops
}

// workerHistory is what a worker's executors hold of it, in the order in which the worker saw it.
type workerHistory struct {
	id    string
	cores int
	ops   []op
}

// What happens to a worker's cores.
type (
	take struct {
		app       string
		id, cores int
	}
	free struct {
		app       string
		id, cores int
	}
)

// HasCores says how many cores a worker has.
func (r *Recorder) HasCores(worker string, cores int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workers[worker] = &workerHistory{id: worker, cores: cores}
}

// Takes says that an executor takes cores of a worker, by the worker's own account. The worker must have called HasCores.
func (r *Recorder) Takes(worker, app string, id, cores int) {
	r.core(worker, take{app, id, cores})
}

// Frees says that an executor gives them back: it has ended, or was told to.
func (r *Recorder) Frees(worker, app string, id, cores int) {
	r.core(worker, free{app, id, cores})
}

func (r *Recorder) core(worker string, in any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.workers[worker]
	w.ops = append(w.ops, moment(Time(len(w.ops)), in)) // the worker's own order
}

package history

import (
	"slices"
)

// driverHistory is what was seen of one submission, which has a key: however often it is sent, one driver comes of it.
type driverHistory struct {
	name      string
	submitted int // index of its submit op
	ops       []op
}

// What happens to a driver of cluster mode.
type (
	// submit is one submission, from its first request to the answer that its submitter took. id is "" without one.
	submit struct{ id string }
	// toldID is the answer of another master to the same submission.
	toldID struct{ id string }
	// mayEnd is a reason for which the driver may end so, from its call on: its process was told to, somebody asked for its
	// kill, a worker was struck.
	mayEnd struct{ state string }
	// shown is what a linearizable read showed of it.
	shown struct{ drivers []DriverSighting } // more than one is never right
)

// DriverSighting is a driver in the books of a master.
type DriverSighting struct {
	Name, ID string
	Ended    bool
	State    string
}

func (r *Recorder) driver(name string) *driverHistory {
	d := r.drivers[name]
	if d == nil {
		d = &driverHistory{name: name, submitted: -1}
		r.drivers[name] = d
	}
	return d
}

func (r *Recorder) addDriver(name string, o op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.driver(name)
	d.ops = append(d.ops, o)
}

// Submit says that a submission of that name begins to be sent. Names must not be used twice.
func (r *Recorder) Submit(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.driver(name)
	d.submitted = len(d.ops)
	d.ops = append(d.ops, op{r.Now(), never, submit{}})
}

// Submitted says that a submission was answered. Whoever is told another id is told of another driver.
func (r *Recorder) Submitted(name, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.driver(name)
	if s := &d.ops[d.submitted]; s.ret == never {
		s.ret, s.in = r.Now(), submit{id}
		return
	}
	d.ops = append(d.ops, moment(r.Now(), toldID{id}))
}

// MayBe says that from now on there is a reason for the driver to be found ended in this state.
func (r *Recorder) MayBe(name, state string) { r.addDriver(name, op{r.Now(), never, mayEnd{state}}) }

// ReadDrivers adds a read that a master was asked for at call and answered now.
func (r *Recorder) ReadDrivers(call Time, drivers []DriverSighting) {
	read := newRead(call, r.Now(), drivers, func(d DriverSighting) string { return d.Name })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.driverReads = append(r.driverReads, read)
}

func (d *driverHistory) answered() bool {
	return d.submitted >= 0 && d.ops[d.submitted].ret != never
}

// withReads gives the driver's operations, the reads that could have shown it, and that a worker was struck: any of them may
// have had it.
func (d *driverHistory) withReads(reads []read[DriverSighting], faults map[string][]Time) []op {
	ops := slices.Clone(d.ops)
	first := never
	for _, all := range faults {
		for _, at := range all {
			first = min(first, at)
		}
	}
	if first != never {
		ops = append(ops, op{first, never, mayEnd{"ERROR"}})
	}
	return append(ops, readsOf(d.name, reads, bornAt(d.ops, d.submitted), func(seen []DriverSighting) any { return shown{seen} })...)
}

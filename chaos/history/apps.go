package history

import (
	"slices"
)

// appHistory is what was seen of one application.
type appHistory struct {
	name       string
	registered int // index of its register op
	ops        []op
}

// What happens to an application.
type (
	// register is asked once, however often the driver repeats it. id is "" while it is not answered.
	register struct{ id string }
	// answer is a RegisteredApplication that the driver got, the first one or a repeated one.
	answer struct{ id string }
	// unregister is the driver's UnregisterApplication, which nobody acknowledges.
	unregister struct{}
	// leave is the end of the driver's process or its port, which masters find out.
	leave struct{}
	// removed is an ApplicationRemoved that the driver got.
	removed struct{ reason string }
	// sight is what a linearizable read showed of it.
	sight struct{ apps []Sighting } // more than one is never right
)

// Sighting is an application in the books of a master.
type Sighting struct {
	Name, ID string
	Active   bool
	State    string // of one that is not active: FINISHED, FAILED, KILLED
}

func (r *Recorder) app(name string) *appHistory {
	a := r.apps[name]
	if a == nil {
		a = &appHistory{name: name, registered: -1}
		r.apps[name] = a
	}
	return a
}

// Register says that a driver begins to ask for an application of that name. Names must not be used twice.
func (r *Recorder) Register(name string) { r.RegisterAt(name, r.Now()) }

// RegisterAt is Register at a moment that was before this call.
func (r *Recorder) RegisterAt(name string, at Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.app(name)
	a.registered = len(a.ops)
	a.ops = append(a.ops, op{at, never, register{}})
}

// Answered says that the driver got a RegisteredApplication.
func (r *Recorder) Answered(name, id string) { r.AnsweredAt(name, id, r.Now()) }

// AnsweredAt is Answered at a moment that was before this call.
func (r *Recorder) AnsweredAt(name, id string, at Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.app(name)
	if _, ok := r.appOf[id]; !ok {
		r.appOf[id] = name
	}
	if reg := &a.ops[a.registered]; reg.ret == never {
		reg.ret, reg.in = at, register{id}
		return
	}
	a.ops = append(a.ops, moment(at, answer{id}))
}

// Unregister says that the driver is about to send UnregisterApplication.
func (r *Recorder) Unregister(name string) { r.add(name, op{r.Now(), never, unregister{}}) }

// Leave says that the driver is about to close its port or to die.
func (r *Recorder) Leave(name string) { r.add(name, op{r.Now(), never, leave{}}) }

// Removed says that the driver was told that its application is over.
func (r *Recorder) Removed(name, reason string) { r.add(name, moment(r.Now(), removed{reason})) }

func (r *Recorder) add(name string, o op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.app(name)
	a.ops = append(a.ops, o)
}

func (a *appHistory) answered() bool { return a.registered >= 0 && a.ops[a.registered].ret != never }

func (a *appHistory) count(is func(any) bool) int {
	n := 0
	for _, o := range a.ops {
		if is(o.in) {
			n++
		}
	}
	return n
}

// ending gives the operations by which the driver ended its application, or may have.
func (a *appHistory) ending() []op {
	var all []op
	for _, o := range a.ops {
		switch o.in.(type) {
		case unregister, leave:
			all = append(all, o)
		}
	}
	return all
}

// ReadApps adds a read that a master was asked for at call and answered now.
func (r *Recorder) ReadApps(call Time, apps []Sighting) {
	read := newRead(call, r.Now(), apps, func(a Sighting) string { return a.Name })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.appReads = append(r.appReads, read)
	for _, a := range apps { // of a driver that never got its answer, too
		if _, ok := r.appOf[a.ID]; !ok {
			r.appOf[a.ID] = a.Name
		}
	}
}

// withReads gives the application's operations and the reads that could have shown it.
func (a *appHistory) withReads(reads []read[Sighting]) []op {
	return slices.Concat(a.ops, readsOf(a.name, reads, bornAt(a.ops, a.registered), func(seen []Sighting) any { return sight{seen} }))
}

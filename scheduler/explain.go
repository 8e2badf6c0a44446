package scheduler

import (
	"fmt"
	"strings"

	"github.com/firesteel/firesteel/fsm"
)

// maxUnplaced bounds what one pass says about what it could not place.
const maxUnplaced = 8

// Unplaced is something that waits, and why.
type Unplaced struct {
	AppID    string // of an application, with the profile that got no executor
	Profile  int
	DriverID string // or of a driver
	// Never is set where no worker that the cluster has now could take it even if it were empty.
	Never  bool
	Cause  Cause
	Build  string // what it needs of a worker
	Needs  string // and how much of it, for a person to read
	Reason string // for a person to read
}

// Cause is what stands between a need and the workers.
type Cause uint8

const (
	// WaitsForRoom: there are workers that could take it, and they are taken.
	WaitsForRoom Cause = iota
	// NoWorkers: none is ALIVE.
	NoWorkers
	// NoRelease: no ALIVE worker runs its release of Spark.
	NoRelease
	// TooLarge: those that do have less in all than one executor asks for.
	TooLarge
	// InDoubt: those that could take it are suspects, or have not shown yet what they run.
	InDoubt
	// TooManyDrivers: spark.deploy.maxDrivers run.
	TooManyDrivers
)

var causes = [...]string{
	WaitsForRoom: "WAITS_FOR_ROOM", NoWorkers: "NO_WORKERS", NoRelease: "NO_RELEASE", TooLarge: "TOO_LARGE", InDoubt: "IN_DOUBT", TooManyDrivers: "TOO_MANY_DRIVERS",
}

// String is the cause's name.
func (c Cause) String() string {
	if int(c) >= len(causes) {
		return fmt.Sprintf("Cause(%d)", uint8(c))
	}
	return causes[c]
}

// Nowhere tells whether nothing but a change of the cluster's workers can help.
func (c Cause) Nowhere() bool { return c == NoWorkers || c == NoRelease || c == TooLarge }

// driverUnplaced notes a driver where Master.schedule warns: always in first-fit mode; where drivers are spread, only if
// there is an idle worker and the driver does not fit even there.
func (p *pass) driverUnplaced(d *fsm.Driver, n *need) {
	if !p.in.Warn || len(p.out.Unplaced) >= maxUnplaced || p.set.SpreadOutDrivers && !p.capacityByID().anyIdle() {
		return
	}
	u := Unplaced{DriverID: d.ID}
	u.explain(p.state, p.in.Exclude, n)
	p.out.Unplaced = append(p.out.Unplaced, u)
}

func (v *view) anyIdle() bool {
	for i := range v.slots {
		if v.slots[i].idle && v.usable(&v.slots[i]) {
			return true
		}
	}
	return false
}

// onlyAppUnplaced notes the application of a cluster that has just one, which has no executor and gets none.
func (p *pass) onlyAppUnplaced() {
	if p.state.AppCount() != 1 || len(p.out.Plan.Executors) > 0 {
		return
	}
	for a := range p.state.WantingApps() {
		for i := range a.Profiles {
			if a.Profiles[i].Live > 0 {
				return
			}
		}
		p.out.Unplaced = appUnplaced(p.out.Unplaced, p.state, p.in.Exclude, a, nil)
	}
}

// appUnplaced adds the profiles that want an executor and are not placed.
func appUnplaced(out []Unplaced, s *fsm.State, exclude func(string) bool, a *fsm.App, placed map[int]bool) []Unplaced {
	for i := range a.Profiles {
		d := demandOf(a, &a.Profiles[i], a.CoresLeft())
		if d.slots <= 0 || d.coresLeft < d.cores || placed[a.Profiles[i].ID] {
			continue
		}
		u := Unplaced{AppID: a.ID, Profile: a.Profiles[i].ID}
		u.explain(s, exclude, &d.need)
		out = append(out, u)
	}
	return out
}

// Explain tells for every waiting driver and for every profile of an application that wants executors and would be
// given none by a pass now, why not. It looks at every worker for each of them: it is for a person's question, not for
// every pass. appID, where set, asks about one application only.
func Explain(s *fsm.State, set Settings, in Input, appID string) []Unplaced {
	plan := Plan(s, set, in).Plan
	var out []Unplaced
	if appID == "" {
		out = explainDrivers(s, set, in, plan)
	}
	placed := map[uint64]map[int]bool{}
	for _, e := range plan.Executors {
		if placed[e.AppSeq] == nil {
			placed[e.AppSeq] = map[int]bool{}
		}
		placed[e.AppSeq][e.Profile] = true
	}
	for a := range s.WantingApps() {
		if appID == "" || a.ID == appID {
			out = appUnplaced(out, s, in.Exclude, a, placed[a.Seq])
		}
	}
	return out
}

func explainDrivers(s *fsm.State, set Settings, in Input, plan fsm.ApplyPlan) (out []Unplaced) {
	placed := map[string]bool{}
	for _, d := range plan.Drivers {
		placed[d.DriverID] = true
	}
	running := s.DriverCount() - s.WaitingDriverCount() + len(plan.Drivers)
	for d := range s.WaitingDrivers() {
		if placed[d.ID] {
			continue
		}
		u := Unplaced{DriverID: d.ID}
		n := driverNeed(d)
		u.explain(s, in.Exclude, &n)
		if !u.Never && set.MaxDrivers > 0 && running >= set.MaxDrivers {
			u.tooMany(running)
		}
		u.held(d)
		out = append(out, u)
	}
	return out
}

// ExplainDriver tells what stands between one waiting driver and the workers, as Stuck does.
func ExplainDriver(s *fsm.State, set Settings, d *fsm.Driver) Unplaced {
	u := Unplaced{DriverID: d.ID}
	n := driverNeed(d)
	u.explain(s, nil, &n)
	if running := s.DriverCount() - s.WaitingDriverCount(); !u.Never && set.MaxDrivers > 0 && running >= set.MaxDrivers {
		u.tooMany(running)
	}
	u.held(d)
	return u
}

// held is about a driver that waits for its last run to be over, and for nothing else before that.
func (u *Unplaced) held(d *fsm.Driver) {
	if d.HoldMS > 0 {
		u.Cause, u.Never = InDoubt, false
		u.Reason = fmt.Sprintf("its run %s may be alive on worker %s, which does not answer and has promised to end it within %d s: that is waited out and some more, so that it never runs twice", d.RunID, d.WorkerID, (d.HoldMS+999)/1000)
	}
}

func (u *Unplaced) tooMany(running int) {
	u.Cause, u.Reason = TooManyDrivers, fmt.Sprintf("%d drivers run, and spark.deploy.maxDrivers allows no more", running)
}

// Stuck tells of every application's profile that wants executors and has none, and of every waiting driver, what stands
// between it and the workers. It looks at the workers once for each kind of need, so it is fit to be asked every second
// where many wait for the same; unlike Explain it makes no plan, and so tells of a need that the next pass would meet
// that it waits for room.
func Stuck(s *fsm.State, exclude func(workerID string) bool) []Unplaced {
	st := stuck{state: s, exclude: exclude, known: map[string]Unplaced{}}
	for d := range s.WaitingDrivers() {
		st.driver(d)
	}
	st.apps()
	return st.out
}

// StuckKinds is Stuck with only the first of the drivers that wait for the same, and without those that are held. Where they wait
// for very many things, all are given.
func StuckKinds(s *fsm.State, exclude func(workerID string) bool) []Unplaced {
	queues, ok := s.Queues(fewShapes)
	if !ok {
		return Stuck(s, exclude)
	}
	st := stuck{state: s, exclude: exclude, known: map[string]Unplaced{}}
	for _, q := range queues {
		st.driver(q.First)
	}
	st.apps()
	return st.out
}

func (st *stuck) driver(d *fsm.Driver) {
	n := driverNeed(d)
	st.add(Unplaced{DriverID: d.ID}, &n)
}

func (st *stuck) apps() {
	for a := range st.state.WantingApps() {
		for i := range a.Profiles {
			prof := &a.Profiles[i]
			if d := demandOf(a, prof, a.CoresLeft()); prof.Live == 0 && d.slots > 0 && d.coresLeft >= d.cores {
				st.add(Unplaced{AppID: a.ID, Profile: prof.ID}, &d.need)
			}
		}
	}
}

// stuck remembers what was found out for one kind of need.
type stuck struct {
	state   *fsm.State
	exclude func(string) bool
	known   map[string]Unplaced
	scratch view
	out     []Unplaced
}

func (st *stuck) add(u Unplaced, n *need) {
	key := st.scratch.signature(n)
	found, ok := st.known[string(key)]
	if !ok {
		found.explain(st.state, st.exclude, n)
		st.known[string(key)] = found
	}
	u.Never, u.Cause, u.Build, u.Needs, u.Reason = found.Never, found.Cause, found.Build, found.Needs, found.Reason
	st.out = append(st.out, u)
}

// explain says what stands between a need and the workers.
func (u *Unplaced) explain(s *fsm.State, exclude func(string) bool, n *need) {
	u.Build, u.Needs = n.build, n.String()
	alive, run, large, doubted, drained := 0, 0, 0, 0, 0
	maxCores, maxMemory := 0, 0
	for w := range s.Workers() {
		if w.State == fsm.WorkerDecommissioned && w.Runs(n.build) {
			drained++
		}
		if w.State != fsm.WorkerAlive {
			continue
		}
		alive++
		if !w.Runs(n.build) {
			continue
		}
		run++
		maxCores, maxMemory = max(maxCores, w.Cores), max(maxMemory, w.MemoryMB)
		if w.Cores < n.cores || w.MemoryMB < n.memory || !ownsResources(w, n.resources) {
			continue
		}
		large++
		if exclude != nil && exclude(w.ID) {
			doubted++
		}
	}
	switch {
	case alive == 0:
		u.Cause, u.Reason = NoWorkers, "no worker is ALIVE"
	case run == 0:
		u.Cause, u.Reason = NoRelease, fmt.Sprintf("no worker runs Spark build %s (%d workers are ALIVE)", n.build, alive)
	case large == 0:
		u.Cause, u.Reason = TooLarge, fmt.Sprintf("asks for %s on one worker; no worker has that (most cores %d, most memory %d MiB)", n, maxCores, maxMemory)
	case doubted == large:
		u.Cause, u.Reason = InDoubt, fmt.Sprintf("the %d workers that are large enough are suspects, or have not said yet what they run", large)
	default:
		u.Cause, u.Reason = WaitsForRoom, fmt.Sprintf("waits for room: asks for %s on one worker, %d of %d ALIVE workers are large enough", n, large, alive)
	}
	if drained > 0 {
		u.Reason += fmt.Sprintf("; %d that run it are DECOMMISSIONED", drained)
	}
	u.Never = u.Cause == NoRelease || u.Cause == TooLarge
}

func ownsResources(w *fsm.Worker, needs []fsm.ResourceAmount) bool {
	for _, r := range needs {
		if len(w.Resources[r.Name]) < r.Amount {
			return false
		}
	}
	return true
}

func (n *need) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d cores and %d MiB", n.cores, n.memory)
	for _, r := range n.resources {
		fmt.Fprintf(&b, ", %d of %s", r.Amount, r.Name)
	}
	return b.String()
}

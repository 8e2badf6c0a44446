package fsm

import (
	"bytes"
	"fmt"
	"testing"
)

const testBuild = "spark-test"

// harness drives a machine and checks its invariants after every entry.
type harness struct {
	t     testing.TB
	m     *Machine
	index uint64
	now   int64
}

func newHarness(t testing.TB) *harness {
	return &harness{t: t, m: New(Config{Fatal: func(err error) { t.Fatalf("fatal: %v", err) }})}
}

// request carries a command out under a request id and gives its answer; a refusal comes back as the error.
func (h *harness) request(id string, cmd Command, out any) error {
	h.t.Helper()
	h.index++
	res := h.m.Apply(h.index, 1, [][]byte{Encode(cmd, id)})
	if err := h.m.State().Invariants(); err != nil {
		h.t.Fatalf("after %T: %v", cmd, err)
	}
	return DecodeResult(res[0], out)
}

func (h *harness) try(cmd Command) error {
	h.t.Helper()
	return h.request("", cmd, nil)
}

func (h *harness) do(cmd Command, out any) {
	h.t.Helper()
	if err := h.request("", cmd, out); err != nil {
		h.t.Fatalf("%T: %v", cmd, err)
	}
}

// refused demands a refusal with this code, which leaves everything as it was.
func (h *harness) refused(code Code, cmd Command) {
	h.t.Helper()
	before := h.m.State().withoutPosition()
	err := h.try(cmd)
	if RefusalCode(err) != code {
		h.t.Fatalf("%T %+v: %v (code %d), want code %d", cmd, cmd, err, RefusalCode(err), code)
	}
	if h.m.State().withoutPosition() != before {
		h.t.Fatalf("%T was refused and changed the state", cmd)
	}
}

// withoutPosition is a digest that does not tell two log positions or sets of remembered requests apart.
func (s *State) withoutPosition() string {
	c := *s
	c.c.Index, c.c.Term, c.c.RequestSeq = 0, 0, 0
	c.requests = emptyState().requests
	return c.Digest()
}

func (h *harness) worker(id string, change ...func(*Worker)) *Worker {
	h.t.Helper()
	h.do(&RegisterWorker{Worker: testWorker(id, change...)}, nil)
	return h.getWorker(id)
}

func testWorker(id string, change ...func(*Worker)) Worker {
	w := Worker{ID: id, Host: "host-" + id, Port: 7000, Cores: 10, MemoryMB: 4096, Kind: WorkerGo, Builds: []string{testBuild}, Incarnation: "first", Registered: 1}
	for _, f := range change {
		f(&w)
	}
	return w
}

func (h *harness) getWorker(id string) *Worker {
	h.t.Helper()
	w, ok := h.m.State().Worker(id)
	if !ok {
		h.t.Fatalf("no worker %s", id)
	}
	return w
}

var appIDs = IDParts{Prefix: "app-", Width: 4}

func testApp(port int, change ...func(*App)) App {
	a := App{
		Name: "app", User: "user", MaxCores: Unlimited, Build: testBuild, DriverHost: "driver", DriverPort: port,
		DriverRef: []byte("ref"), Description: []byte("description"),
		Profiles: []Profile{{Cores: 1, MemoryMB: 128, Target: Unlimited}},
	}
	for _, f := range change {
		f(&a)
	}
	return a
}

func (h *harness) app(port int, change ...func(*App)) *App {
	h.t.Helper()
	var out AppRegistered
	h.do(&RegisterApplication{App: testApp(port, change...), ID: appIDs}, &out)
	return h.getApp(out.AppID)
}

func (h *harness) getApp(id string) *App {
	h.t.Helper()
	a, ok := h.m.State().App(id)
	if !ok {
		h.t.Fatalf("no live application %s", id)
	}
	return a
}

// place starts executors of the default profile, one on each named worker, and gives their ids.
func (h *harness) place(a *App, workers ...string) (ids []int) {
	h.t.Helper()
	a = h.getApp(a.ID)
	plan := &ApplyPlan{At: h.now}
	for i, w := range workers {
		plan.Executors = append(plan.Executors, Placement{AppSeq: a.Seq, WorkerID: w, Cores: max(a.Profiles[0].Cores, 1)})
		ids = append(ids, a.NextExecID+i)
	}
	var out PlanApplied
	h.do(plan, &out)
	if out.Started != len(workers) || out.Refused != 0 {
		h.t.Fatalf("started %d, refused %d of %d", out.Started, out.Refused, len(workers))
	}
	return ids
}

// report is a worker's report with Spark's default settings.
func (h *harness) report(a *App, id int, s ExecutorState, exit ...int) {
	h.t.Helper()
	h.do(stateReport(a, id, s, exit...), nil)
}

func stateReport(a *App, id int, s ExecutorState, exit ...int) *ExecutorStateChanged {
	c := &ExecutorStateChanged{AppID: a.ID, ID: id, State: s, MaxRetries: 10, Retained: 200, Message: fmt.Sprintf("reported %s", s)}
	if len(exit) > 0 {
		c.ExitStatus = &exit[0]
	}
	return c
}

func (h *harness) executor(a *App, id int) *Executor {
	h.t.Helper()
	e, ok := h.m.State().Executor(a, id)
	if !ok {
		h.t.Fatalf("no executor %s/%d", a.ID, id)
	}
	return e
}

var driverIDs = IDParts{Prefix: "driver-", Width: 4}

func (h *harness) driver(change ...func(*Driver)) string {
	h.t.Helper()
	d := Driver{Cores: 1, MemoryMB: 512, Build: testBuild}
	for _, f := range change {
		f(&d)
	}
	var out DriverSubmittedResult
	h.do(&SubmitDriver{Driver: d, ID: driverIDs}, &out)
	return out.DriverID
}

func (h *harness) placeDriver(id, worker string) {
	h.t.Helper()
	var out PlanApplied
	h.do(&ApplyPlan{Drivers: []DriverPlacement{{DriverID: id, WorkerID: worker}}}, &out)
	if out.Started != 1 {
		h.t.Fatalf("driver %s was not placed on %s", id, worker)
	}
}

func (h *harness) getDriver(id string) *Driver {
	h.t.Helper()
	d, ok := h.m.State().Driver(id)
	if !ok {
		h.t.Fatalf("no live driver %s", id)
	}
	return d
}

// lastDriver and lastApp are the newest of the completed rings.
func (h *harness) lastDriver() (last *Driver) {
	for last = range h.m.State().CompletedDrivers() {
	}
	return last
}

func (h *harness) lastApp() (last *CompletedApp) {
	for last = range h.m.State().CompletedApps() {
	}
	return last
}

// restored is a second machine that starts from a snapshot of this one.
func (h *harness) restored() *harness {
	h.t.Helper()
	var buf bytes.Buffer
	if err := h.m.State().Write(&buf); err != nil {
		h.t.Fatal(err)
	}
	c := newHarness(h.t)
	c.index, c.now = h.index, h.now
	if err := c.m.Restore(&buf); err != nil {
		h.t.Fatal(err)
	}
	return c
}

func supervised(d *Driver) { d.Supervise = true }

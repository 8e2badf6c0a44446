package master

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// fakeLine writes down what a worker would be told.
type fakeLine struct {
	mu        sync.Mutex
	said      []string
	end       chan struct{}
	forgetful bool
}

var _ workerLine = (*fakeLine)(nil)

func newFakeLine() *fakeLine { return &fakeLine{end: make(chan struct{})} }

func (l *fakeLine) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, fmt.Sprintf(format, args...))
}

func (l *fakeLine) launch(a *fsm.App, e *fsm.Executor) { l.say("launch %s/%d", a.ID, e.ID) }
func (l *fakeLine) kill(k fsm.ExecutorKey)             { l.say("kill %s/%d", k.AppID, k.ID) }
func (l *fakeLine) launchDriver(d *fsm.Driver)         { l.say("launch %s, run %s", d.ID, d.RunID) }
func (l *fakeLine) killDriver(run string)              { l.say("kill %s", run) }
func (l *fakeLine) applicationFinished(appID string)   { l.say("finished %s", appID) }
func (l *fakeLine) decommission()                      { l.say("decommission") }
func (l *fakeLine) recommission()                      { l.say("recommission") }
func (l *fakeLine) forgets() bool                      { return l.forgetful }
func (l *fakeLine) done() <-chan struct{}              { return l.end }
func (l *fakeLine) close() {
	if !closed(l.end) {
		close(l.end)
	}
}

// heard gives what was said since the last call, in alphabetical order.
func (l *fakeLine) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.said
	l.said = nil
	slices.Sort(out)
	return out
}

type dispatchTest struct {
	*books
	d *dispatcher
}

func newDispatchTest(t *testing.T, workers ...string) *dispatchTest {
	x := &dispatchTest{books: newBooks(t)}
	x.d = newDispatcher(quiet(), x.State)
	for _, w := range workers {
		x.worker(w)
	}
	return x
}

// carry hands the dispatcher what happened.
func (x *dispatchTest) carry() {
	for _, ev := range x.events() {
		x.d.handle(ev)
	}
}

func (x *dispatchTest) attach(worker string, listed ...fsm.ExecutorKey) *fakeLine {
	l := newFakeLine()
	x.d.attach(worker, l, workerList{executors: listed})
	return l
}

func told(t *testing.T, who string, l *fakeLine, want ...string) {
	t.Helper()
	if got := l.heard(); !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
		t.Errorf("%s was told %q, want %q", who, got, want)
	}
}

func TestAttachSendsExactlyTheDifference(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1", "w2")
	a, over := x.app(1), x.app(2)
	x.place(a, "w1", "w1", "w1", "w2") // 0 is running, 1 was sent by the last leader, 2 was not; 3 is another worker's
	x.report(a, 0, fsm.ExecutorRunning)
	x.finish(over, fsm.AppFinished)
	l := newFakeLine()
	x.d.attach("w1", l, workerList{executors: []fsm.ExecutorKey{key(a, 0), key(a, 1), key(a, 9), key(over, 0)}, apps: []string{a.ID, over.ID, "app-unknown"}})
	told(t, "w1", l, "finished "+over.ID, "finished app-unknown", "kill "+a.ID+"/9", "kill "+over.ID+"/0", "launch "+a.ID+"/2")
	x.carry() // all of it was covered
	told(t, "w1", l)
}

// A JVM worker's list has nothing of an executor that ended while nobody led: what the last leader may have launched is
// not launched again under the same number (seen in a storm: chaos/storm, seed 2).
func TestWhatAnotherLeaderMayHaveLaunchedIsGivenUp(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	a := x.app(1)
	x.place(a, "w1", "w1", "w1") // 0 is running, 1 is in the list, 2 was launched and has ended, or was not launched
	x.report(a, 0, fsm.ExecutorRunning)
	x.carry()
	l := newFakeLine()
	l.forgetful = true
	unclear := x.d.attach("w1", l, workerList{executors: []fsm.ExecutorKey{key(a, 0), key(a, 1)}})
	told(t, "w1", l)
	if !slices.Equal(unclear.executors, []fsm.ExecutorKey{key(a, 2)}) {
		t.Errorf("unclear: %v", unclear)
	}
	x.place(a, "w1") // not carried yet: it is new on the line that is in use
	if unclear := x.d.attach("w1", l, workerList{executors: []fsm.ExecutorKey{key(a, 0), key(a, 1)}}); len(unclear.executors) > 0 {
		t.Errorf("unclear: %v", unclear)
	}
	told(t, "w1", l, "launch "+a.ID+"/3")
}

func TestEventsAfterAttachAreSentOnce(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1", "w2")
	a := x.app(1)
	w1, w2 := x.attach("w1"), x.attach("w2")
	x.carry()
	x.place(a, "w1", "w2")
	x.carry()
	told(t, "w1", w1, "launch "+a.ID+"/0")
	told(t, "w2", w2, "launch "+a.ID+"/1")
	x.report(a, 0, fsm.ExecutorRunning)
	x.do(&fsm.KillExecutors{AppID: a.ID, IDs: []int{0}}, nil)
	x.do(&fsm.DecommissionWorker{ID: "w2"}, nil)
	x.carry()
	told(t, "w1", w1, "kill "+a.ID+"/0")
	told(t, "w2", w2, "decommission", "kill "+a.ID+"/1")
}

// A worker that registered through three masters shows its list three times; the second may have been made before the
// launch that answered the first arrived. It must not be sent again (trap 17).
func TestListShownAgainOnALineLaunchesNothingTwice(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	a := x.app(1)
	l := x.attach("w1")
	x.carry()
	x.place(a, "w1", "w1")
	x.carry()
	told(t, "w1", l, "launch "+a.ID+"/0", "launch "+a.ID+"/1")
	x.place(a, "w1") // not carried yet
	x.d.attach("w1", l, workerList{executors: []fsm.ExecutorKey{key(a, 0)}})
	told(t, "w1", l, "launch "+a.ID+"/2")
	x.carry()
	told(t, "w1", l)
	if closed(l.done()) {
		t.Error("the line in use was closed")
	}
	x.report(a, 0, fsm.ExecutorRunning)
	x.do(&fsm.KillExecutors{AppID: a.ID, IDs: []int{1}}, nil)
	x.carry()
	if link, _ := x.d.find("w1"); len(link.launched) != 1 {
		t.Errorf("launches are remembered for ever: %v", link.launched)
	} else {
		link.mu.Unlock()
	}
}

// On another connection what was sent on the last one may be lost, so it is sent again unless the worker lists it.
func TestNewLineReplacesTheOld(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	a := x.app(1)
	old := x.attach("w1")
	x.carry()
	x.place(a, "w1", "w1")
	x.carry()
	told(t, "w1", old, "launch "+a.ID+"/0", "launch "+a.ID+"/1")
	l := x.attach("w1", key(a, 1))
	if !closed(old.done()) {
		t.Error("the old line stayed open")
	}
	told(t, "w1", l, "launch "+a.ID+"/0")
	x.place(a, "w1")
	x.carry()
	told(t, "w1 on its old line", old)
	told(t, "w1", l, "launch "+a.ID+"/2")
}

func TestDropEndsTheLine(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	l := x.attach("w1")
	if line, ok := x.d.attachedLine("w1"); !ok || line != l {
		t.Fatal("not attached")
	}
	x.do(&fsm.WorkerLost{ID: "w1", Reason: "test"}, nil)
	x.carry()
	if _, ok := x.d.attachedLine("w1"); ok || !closed(l.done()) {
		t.Error("the line of a lost worker stayed")
	}
	if n := len(x.d.links); n != 0 {
		t.Errorf("%d links are left", n)
	}
	for _, id := range []string{"w1", "never seen"} {
		x.d.attachedLine(id)
		x.d.tell(id, 99, func(*workerLink) { t.Error("told") })
	}
	if n := len(x.d.links); n != 0 {
		t.Errorf("questions made %d links", n)
	}
}

// A worker's new life is registered, which ends the old one, and attached before the event of that end comes round.
func TestEndOfAnEarlierLifeDoesNotEndTheNewLine(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	old := x.attach("w1")
	x.carry()
	w, _ := x.State().Worker("w1")
	again := *w
	again.Incarnation = "2"
	x.do(&fsm.RegisterWorker{Worker: again}, nil)
	l := x.attach("w1")
	x.carry()
	if !closed(old.done()) || closed(l.done()) {
		t.Errorf("closed: old %v, new %v", closed(old.done()), closed(l.done()))
	}
	if _, ok := x.d.attachedLine("w1"); !ok {
		t.Error("the new line is not used")
	}
}

// A worker that is declared lost between its list and its attachment must come back: on the books it is dead.
func TestLostWorkerIsNotAttached(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	x.do(&fsm.WorkerLost{ID: "w1", Reason: "test"}, nil)
	l := x.attach("w1")
	x.carry()
	if _, ok := x.d.attachedLine("w1"); ok || !closed(l.done()) {
		t.Error("a dead worker was attached")
	}
}

func TestApplicationEndReachesThoseThatRanIt(t *testing.T) {
	t.Parallel()
	const many = 150 // more than the event of the end has executors
	x := newDispatchTest(t)
	lines := map[string]*fakeLine{}
	var ran []string
	for i := range many {
		id := fmt.Sprintf("w%03d", i)
		x.worker(id)
		lines[id] = x.attach(id)
		ran = append(ran, id)
	}
	x.worker("idle")
	idle := x.attach("idle")
	a := x.app(1)
	x.place(a, ran...)
	x.report(a, 0, fsm.ExecutorExited, 0)
	x.carry()
	for _, l := range lines {
		l.heard()
	}
	x.finish(a, fsm.AppFinished)
	x.carry()
	told(t, "idle", idle)
	told(t, "w000", lines["w000"], "finished "+a.ID) // its executor is over
	for i := 1; i < many; i++ {
		told(t, ran[i], lines[ran[i]], "finished "+a.ID, fmt.Sprintf("kill %s/%d", a.ID, i))
	}
	if len(x.d.ran) != 0 {
		t.Error("ended applications are remembered")
	}
}

func TestAttachTellsOfDecommission(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	x.do(&fsm.DecommissionWorker{ID: "w1"}, nil)
	told(t, "w1", x.attach("w1"), "decommission")
}

func TestCloseAll(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1", "w2")
	a, b := x.attach("w1"), x.attach("w2")
	x.d.closeAll()
	if !closed(a.done()) || !closed(b.done()) {
		t.Error("a line outlives the term")
	}
}

// The scheduler asks for lines, sessions attach, and events come in, all at once.
func TestDispatcherFromAllSides(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	a := x.app(1)
	x.carry()
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 200 {
			x.attach("w1", key(a, 0))
		}
	})
	wg.Go(func() {
		for range 200 {
			x.d.attachedLine("w1")
		}
	})
	for i := range 20 {
		x.place(a, "w1")
		x.report(a, i, fsm.ExecutorExited, 0)
		if i%5 == 0 {
			w, _ := x.State().Worker("w1")
			again := *w
			again.Incarnation += "+"
			x.do(&fsm.RegisterWorker{Worker: again}, nil)
		}
		x.carry()
	}
	wg.Wait()
	last := x.attach("w1")
	if line, ok := x.d.attachedLine("w1"); !ok || line != last {
		t.Error("the last line is not the one in use")
	}
}

// driver submits a driver and places it.
func (x *dispatchTest) driver(worker string, supervise bool) *fsm.Driver {
	x.t.Helper()
	var out fsm.DriverSubmittedResult
	x.do(&fsm.SubmitDriver{Driver: fsm.Driver{Cores: 1, MemoryMB: 1, Build: testBuild, Supervise: supervise}, ID: fsm.IDParts{Prefix: "driver-"}}, &out)
	x.do(&fsm.ApplyPlan{Drivers: []fsm.DriverPlacement{{DriverID: out.DriverID, WorkerID: worker}}}, nil)
	d, _ := x.State().Driver(out.DriverID)
	return d
}

func TestDriversAreDispatched(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	known := x.driver("w1", false)  // in the worker's list
	sent := x.driver("w1", false)   // not: a Go worker is sent it again, which is harmless
	killed := x.driver("w1", false) // its end was asked for before the worker was told of it
	x.do(&fsm.KillDriver{ID: killed.ID}, nil)
	x.carry()
	l := newFakeLine()
	unclear := x.d.attach("w1", l, workerList{drivers: []string{known.ID, "driver-77"}})
	told(t, "w1", l, "kill driver-77", "launch "+sent.ID+", run "+sent.ID)
	if !slices.Equal(unclear.drivers, []string{killed.ID}) {
		t.Errorf("unclear: %v", unclear.drivers)
	}
	late := x.driver("w1", false)
	x.carry()
	told(t, "w1", l, "launch "+late.ID+", run "+late.ID)
	x.d.attach("w1", l, workerList{drivers: []string{known.ID}}) // a list that was made before the launches reached the worker
	told(t, "w1", l)
	x.do(&fsm.KillDriver{ID: known.ID}, nil)
	x.carry()
	told(t, "w1", l, "kill "+known.ID)
	again := newFakeLine() // the next leader's: the wish has outlived the last one
	x.d.attach("w1", again, workerList{drivers: []string{known.ID, sent.ID, late.ID}})
	told(t, "w1", again, "kill "+known.ID)
}

// A JVM worker's list has nothing of a driver that ended while nobody led: it may have run, so it is given up.
func TestDriversOfAWorkerThatForgetsAreGivenUp(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t, "w1")
	d := x.driver("w1", true)
	x.carry()
	l := newFakeLine()
	l.forgetful = true
	if unclear := x.d.attach("w1", l, workerList{}); !slices.Equal(unclear.drivers, []string{d.RunID}) {
		t.Errorf("unclear: %v", unclear.drivers)
	}
	told(t, "w1", l)
}

// A held driver stays with its lost worker for a while, without a run on any. What happens next to that worker must be taken.
func TestDriversHeldAndTakenBack(t *testing.T) {
	t.Parallel()
	x := newDispatchTest(t)
	register := &fsm.RegisterWorker{Worker: fsm.Worker{
		ID: "w1", Host: "host-w1", Port: 7000, Cores: 8, MemoryMB: 8192, Kind: fsm.WorkerGo, Builds: []string{testBuild}, Incarnation: "1", Registered: now(), DriverLeaseMS: 1000,
	}}
	x.do(register, nil)
	l := x.attach("w1")
	drv := x.driver("w1", true)
	x.carry()
	told(t, "w1", l, "launch "+drv.ID+", run "+drv.RunID)
	x.do(&fsm.WorkerLost{ID: "w1", Incarnation: "1", Silent: true}, nil)
	x.do(register, nil)
	carried := make(chan struct{})
	go func() {
		defer close(carried)
		x.carry()
	}()
	select {
	case <-carried:
	case <-time.After(patience):
		t.Fatal("an event of a lost worker's driver holds up all that follow")
	}
	x.do(&fsm.WorkerReport{ID: "w1", Incarnation: "1", Drivers: []string{drv.RunID}}, nil)
	l = newFakeLine()
	x.d.attach("w1", l, workerList{drivers: []string{drv.RunID}})
	told(t, "w1", l)
	if d, ok := x.State().Driver(drv.ID); !ok || d.State != fsm.DriverRunning {
		t.Errorf("taken back: %+v", d)
	}
}

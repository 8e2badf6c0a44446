package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
)

var (
	errRefused = fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	errTimeout = errors.New("i/o timeout")
)

// trial is a liveness over books with one worker or more, whose ports behave as a test says.
type trial struct {
	*books
	live  *liveness
	start time.Time
	ctx   context.Context
	begin func() // the term begins: the test has set what it wants of live
	stop  func()

	mu      sync.Mutex
	port    func() error // what a question gets
	frozen  map[string]bool
	slow    time.Duration // how long it takes
	asked   int
	asking  map[string]int
	most    int // questions at once to one worker
	lines   map[string]bool
	commit  error
	verdict []loss
	beats   sync.WaitGroup
}

type loss struct {
	worker, reason string
	at             time.Duration
}

func newTrial(t *testing.T, workers ...string) *trial {
	w := &trial{books: newBooks(t), start: time.Now(), asking: map[string]int{}, lines: map[string]bool{}, frozen: map[string]bool{}, port: func() error { return nil }}
	for _, id := range workers {
		w.worker(id)
		w.lines[id] = true
	}
	w.lead()
	return w
}

// lead begins a term over the books as they are.
func (w *trial) lead() {
	w.live = newLiveness(quiet(), w.State)
	w.live.timeout = time.Minute
	w.live.hasLine = func(id string) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.lines[id]
	}
	w.live.ask = w.ask
	w.live.lost = func(_ context.Context, wk *fsm.Worker, v verdict, d *fsm.Damping) error {
		w.mu.Lock()
		w.verdict = append(w.verdict, loss{wk.ID, v.reason, time.Since(w.start)})
		err := w.commit
		w.mu.Unlock()
		if err != nil {
			return err
		}
		return w.try(&fsm.WorkerLost{ID: wk.ID, Incarnation: wk.Incarnation, Reason: v.reason, Silent: v.silent, At: now(), Damping: d}, nil)
	}
	w.live.note = func(_ context.Context, c *fsm.SuspectWorker) error { return w.try(c, nil) }
	w.live.brake.save = func(_ context.Context, b fsm.Brake) error { return w.try(&fsm.SetBrake{Brake: b}, nil) }
	w.live.inherit()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	ready := make(chan struct{})
	w.begin = sync.OnceFunc(func() { close(ready) })
	begin := w.begin
	w.ctx, w.stop = ctx, func() { begin(); cancel(); <-ended; w.beats.Wait() }
	live := w.live
	w.beats.Go(func() {
		defer close(ended)
		<-ready
		live.run(ctx)
	})
}

func (w *trial) ask(ctx context.Context, wk *fsm.Worker) error {
	w.mu.Lock()
	w.asked++
	w.asking[wk.ID]++
	w.most = max(w.most, w.asking[wk.ID])
	slow := w.slow
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asking[wk.ID]--
	}()
	for w.isFrozen(wk.ID) { // it answers when it thaws
		if !delay.For(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
	if slow > 0 && !delay.For(ctx, slow) {
		return ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.port()
}

// freeze stops a worker that beats.
func (w *trial) freeze(ids ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.frozen[id] = true
	}
}

func (w *trial) isFrozen(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.frozen[id]
}

func (w *trial) thaw(ids ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		delete(w.frozen, id)
	}
}

// beat lets workers that are not frozen be heard of, as Go workers are, until the term ends.
func (w *trial) beat(ids ...string) {
	w.begin()
	live, ctx := w.live, w.ctx
	for i, id := range ids {
		w.beats.Go(func() {
			delay.For(ctx, time.Duration(i)*37*time.Millisecond%(500*time.Millisecond)) // not all at once
			for {
				w.mu.Lock()
				silent := w.frozen[id] || !w.lines[id]
				w.mu.Unlock()
				if !silent {
					live.heard(id)
				}
				if !delay.For(ctx, 500*time.Millisecond) {
					return
				}
			}
		})
	}
}

func (w *trial) verdicts() []loss {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.verdict)
}

func (w *trial) questions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

func (w *trial) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// heartbeats come until the returned function is called.
func (w *trial) heartbeats(id string, every time.Duration) (stop func()) {
	w.begin()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for delay.For(ctx, every) {
			w.live.heard(id)
		}
	}()
	return func() { cancel(); <-done }
}

func (w *trial) state(id string) fsm.WorkerState {
	wk, ok := w.State().Worker(id)
	if !ok {
		return 0
	}
	return wk.State
}

// one gives the only verdict.
func (w *trial) one() loss {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.verdict) != 1 {
		w.t.Fatalf("verdicts %v, want one", w.verdict)
	}
	return w.verdict[0]
}

func inTime(t *testing.T, test func(t *testing.T)) {
	t.Parallel()
	synctest.Test(t, test)
}

func TestRefusedTwiceIsLostAtOnce(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.set(func() { w.port, w.lines["w1"] = func() error { return errRefused }, false })
		w.begin()
		w.live.checkID(w.ctx, "w1")
		time.Sleep(refusedPause)
		synctest.Wait()
		if v := w.one(); v.at != refusedPause || !strings.Contains(v.reason, "nothing listens at host-w1:7000") {
			t.Errorf("%+v", v)
		}
		if w.questions() != 2 || w.state("w1") != fsm.WorkerDead {
			t.Errorf("asked %d times, state %s", w.questions(), w.state("w1"))
		}
		w.stop()
	})
}

// A supervisor may have restarted the process between two questions.
func TestRefusedOnceIsNotLost(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.set(func() {
			w.port = func() error {
				if w.asked == 1 {
					return errRefused
				}
				return nil
			}
		})
		w.begin()
		w.live.checkID(w.ctx, "w1")
		time.Sleep(time.Second)
		w.stop()
		if len(w.verdicts()) != 0 || w.questions() != 2 {
			t.Errorf("verdicts %v after %d questions", w.verdicts(), w.questions())
		}
	})
}

// TestFrozenWorker: not used any more after at most 1.4 s, lost after at most 2.8 s, whatever the moment at which it froze.
func TestFrozenWorker(t *testing.T) {
	for i := range 10 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				w := newTrial(t, "w1", "w2")
				w.beat("w1", "w2")
				time.Sleep(10*time.Second + time.Duration(i)*77*time.Millisecond)
				if w.questions() != 0 {
					t.Errorf("workers that are heard of were asked %d times", w.questions())
				}
				frozen := time.Now()
				w.freeze("w1")
				for !w.live.avoided("w1") {
					time.Sleep(time.Millisecond)
				}
				if d := time.Since(frozen); d < 600*time.Millisecond || d > 1400*time.Millisecond {
					t.Errorf("suspected after %s", d)
				}
				for w.state("w1") != fsm.WorkerDead {
					time.Sleep(time.Millisecond)
				}
				if d := time.Since(frozen); d < minSilence || d > 2800*time.Millisecond {
					t.Errorf("lost after %s", d)
				}
				if v := w.one(); !strings.Contains(v.reason, "no answer to two questions: no answer within 900ms") {
					t.Errorf("reason %q", v.reason)
				}
				if w.questions() != 2 || w.live.avoided("w2") {
					t.Errorf("%d questions; w2 is avoided: %v", w.questions(), w.live.avoided("w2"))
				}
				w.stop()
			})
		})
	}
}

// TestShortStandstillCostsNothing: a worker that stands still for up to two seconds is not used meanwhile, and lives on.
func TestShortStandstillCostsNothing(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		freed := 0
		w.live.changed = func() { freed++ }
		w.beat("w1")
		time.Sleep(10 * time.Second)
		for range 5 {
			w.freeze("w1")
			time.Sleep(1500 * time.Millisecond)
			if !w.live.avoided("w1") {
				t.Error("a silent worker is used")
			}
			w.thaw("w1")
			time.Sleep(10 * time.Minute)
			if w.live.avoided("w1") {
				t.Error("a worker that answers again is not used")
			}
		}
		w.stop()
		if len(w.verdicts()) != 0 || freed != 5 {
			t.Errorf("verdicts %v, the scheduler was woken %d times", w.verdicts(), freed)
		}
		if watch := w.watch("w1"); watch.Suspected != 0 {
			t.Errorf("%+v", watch)
		}
	})
}

// TestHeardOfIsAlive: a worker whose port does not answer, and that says over its session that it is there, is not lost.
func TestHeardOfIsAlive(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.beat("w1")
		time.Sleep(10 * time.Second)
		w.set(func() { w.port = func() error { return errTimeout } })
		for range 100 {
			w.live.checkID(w.ctx, "w1") // gossip misses it
			time.Sleep(time.Second)
		}
		w.stop()
		if len(w.verdicts()) != 0 || w.questions() < 100 {
			t.Errorf("verdicts %v after %d questions", w.verdicts(), w.questions())
		}
	})
}

func TestOneAnswerIsEnough(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.set(func() {
			w.port = func() error {
				if w.asked%2 == 1 { // every first question is lost
					return errTimeout
				}
				return nil
			}
		})
		w.begin()
		time.Sleep(10 * time.Minute)
		w.stop()
		if len(w.verdicts()) != 0 || w.questions() == 0 {
			t.Errorf("verdicts %v after %d questions", w.verdicts(), w.questions())
		}
		if most := int(10*time.Minute/goSilence) * 2; w.questions() > most+2 {
			t.Errorf("a worker that answers was asked %d times in 10 minutes", w.questions())
		}
	})
}

func TestAnswersWithoutSessionAreNotEnough(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1", "w2")
		w.beat("w2")
		beat := w.heartbeats("w1", time.Second) // a worker that never shows its list
		time.Sleep(5 * time.Second)
		w.set(func() { w.lines["w1"] = false })
		time.Sleep(w.live.timeout - 2*time.Second)
		w.set(func() {
			if len(w.verdict) != 0 {
				t.Errorf("lost too early: %v", w.verdict)
			}
		})
		time.Sleep(6 * time.Second)
		if v := w.one(); v.worker != "w1" || !strings.Contains(v.reason, "no session for 6") {
			t.Errorf("%+v", v)
		}
		beat()
		w.stop()
	})
}

func TestSessionThatComesBackInTimeStartsTheClockAgain(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.begin()
		for range 10 {
			w.set(func() { w.lines["w1"] = false })
			time.Sleep(40 * time.Second)
			w.set(func() { w.lines["w1"] = true })
			time.Sleep(5 * time.Second)
		}
		w.stop()
		if len(w.verdicts()) != 0 {
			t.Errorf("lost: %v", w.verdicts())
		}
	})
}

func TestNothingIsJudgedAfterTheTerm(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.set(func() {
			w.lines["w1"], w.slow, w.port = false, 500*time.Millisecond, func() error { return errRefused }
		})
		w.begin()
		w.live.checkID(w.ctx, "w1")
		synctest.Wait() // a question is on its way
		w.stop()        // and is waited for
		w.live.checkID(w.ctx, "w1")
		w.live.checkID(context.Background(), "w1") // whoever still holds this term's liveness
		time.Sleep(time.Minute)
		if w.questions() != 1 || len(w.verdicts()) != 0 {
			t.Errorf("%d questions, verdicts %v", w.questions(), w.verdicts())
		}
	})
}

func TestOneCheckAtATimeForEachWorker(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1", "w2")
		w.freeze("w1", "w2")
		w.begin()
		for range 14 { // less than the two questions of a check take
			w.live.checkID(w.ctx, "w1")
			w.live.checkID(w.ctx, "w2")
			time.Sleep(100 * time.Millisecond)
		}
		w.stop()
		if w.most != 1 || w.questions() != 4 {
			t.Errorf("%d questions, %d at once to one worker", w.questions(), w.most)
		}
	})
}

func TestVerdictThatWasNotCommittedIsGivenAgain(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.set(func() {
			w.lines["w1"], w.port, w.commit = false, func() error { return errRefused }, errors.New("no quorum")
		})
		w.begin()
		time.Sleep(3500 * time.Millisecond)
		w.set(func() {
			if len(w.verdict) < 3 {
				t.Errorf("%d verdicts in 3.5 s", len(w.verdict))
			}
			w.commit = nil
		})
		time.Sleep(time.Minute)
		if w.state("w1") != fsm.WorkerDead {
			t.Error("it was not lost in the end")
		}
		n := len(w.verdicts())
		time.Sleep(time.Minute)
		if len(w.verdicts()) != n {
			t.Error("a dead worker is judged")
		}
		w.stop()
	})
}

func TestGoodbyeIsForThatLifeOnly(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.begin()
		w.live.declareLost(w.ctx, "w1", "an earlier life", "bye")
		w.live.declareLost(w.ctx, "nobody", "1", "bye")
		if w.state("w1") != fsm.WorkerAlive {
			t.Fatal("an earlier life's goodbye ended this one")
		}
		w.live.declareLost(w.ctx, "w1", "1", "bye")
		if w.state("w1") != fsm.WorkerDead || w.one().reason != "bye" {
			t.Error("a goodbye was not taken")
		}
		if watch := w.watch("w1"); watch.Flaps != 0 {
			t.Errorf("a goodbye is no flap: %+v", watch)
		}
		w.live.declareLost(w.ctx, "w1", "1", "bye again")
		w.one()
		w.stop()
	})
}

// TestGrace: a new leader has not heard of anybody yet, which is no silence; but a process that is gone may go at once.
func TestGrace(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "silent", "gone", "late")
		w.set(func() { w.lines["silent"], w.lines["gone"], w.lines["late"] = false, false, false })
		w.freeze("silent", "late")
		w.live.ask = func(ctx context.Context, wk *fsm.Worker) error {
			if wk.ID == "gone" {
				return errRefused
			}
			return w.ask(ctx, wk)
		}
		w.begin()
		time.Sleep(graceTime - 100*time.Millisecond)
		if v := w.one(); v.worker != "gone" || v.at > arriveTime+300*time.Millisecond {
			t.Errorf("%+v", v)
		}
		w.thaw("late")
		w.set(func() { w.lines["late"] = true })
		w.beat("late")
		time.Sleep(3 * time.Second)
		w.stop()
		if len(w.verdicts()) != 2 || w.verdicts()[1].worker != "silent" || w.verdicts()[1].at < graceTime || w.verdicts()[1].at > graceTime+2*time.Second {
			t.Errorf("%+v", w.verdicts())
		}
	})
}

// TestUnwellLeaderTakesLonger: a leader whose own gossip fails gives others more time.
func TestUnwellLeaderTakesLonger(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1")
		w.live.unwell = func() int { return 7 }
		w.beat("w1")
		time.Sleep(10 * time.Second)
		w.freeze("w1")
		frozen := time.Now()
		for !w.live.avoided("w1") {
			time.Sleep(time.Millisecond)
		}
		suspected := time.Now()
		for w.state("w1") != fsm.WorkerDead {
			time.Sleep(time.Millisecond)
		}
		if d := time.Since(suspected); d < 2050*time.Millisecond {
			t.Errorf("asked for %s only", d)
		}
		if d := time.Since(frozen); d > 3500*time.Millisecond {
			t.Errorf("lost after %s", d)
		}
		w.stop()
	})
}

// TestStandstillOfTheLeader: while this process does not run, nobody is silent, and no question counts.
func TestStandstillOfTheLeader(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t, "w1", "w2")
		state := w.live.state
		var stop atomic.Int64
		w.live.state = func() *fsm.State { // a look that takes long is like a process that is not run
			time.Sleep(time.Duration(stop.Swap(0)))
			return state()
		}
		w.beat("w1", "w2")
		time.Sleep(10 * time.Second)
		for range 20 {
			w.freeze("w1", "w2") // they run, and are not heard
			stop.Store(int64(8 * time.Second))
			time.Sleep(8*time.Second + 150*time.Millisecond)
			w.thaw("w1", "w2")
			time.Sleep(3 * time.Second)
		}
		w.stop()
		if len(w.verdicts()) != 0 {
			t.Errorf("%+v", w.verdicts())
		}
	})
}

func TestStall(t *testing.T) {
	t.Parallel()
	var s stall
	at := time.Now()
	if s.at(at) != 0 {
		t.Error("a stall before the first look")
	}
	for range 10 {
		s.look(at)
		at = at.Add(watchEvery + lateLook)
	}
	if s.at(at) != 0 {
		t.Errorf("looks that are a little late add up to %s", s.at(at))
	}
	at = s.last.Add(5 * time.Second)
	want := 5*time.Second - watchEvery
	if s.at(at) != want {
		t.Errorf("%s before the late look, want %s", s.at(at), want)
	}
	s.look(at)
	if s.at(at) != want || s.at(at.Add(watchEvery)) != want {
		t.Errorf("%s after it", s.at(at))
	}
}

// jvm makes w1 one of Spark's own workers, which answers over its line unless it is frozen.
func (w *trial) jvm() {
	w.do(&fsm.RegisterWorker{Worker: fsm.Worker{
		ID: "w1", Host: "host", Port: 1, Cores: 1, MemoryMB: 1, Kind: fsm.WorkerJVM, Builds: []string{"b"}, Incarnation: "w1", Registered: now(),
	}}, nil)
	w.set(func() { w.lines["w1"] = true })
	w.live.ping = w.ask
}

func TestJVMWorkerIsAskedOverItsLine(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t)
		w.jvm()
		beat := w.heartbeats("w1", 15*time.Second)
		time.Sleep(time.Minute)
		if w.questions() < 40 || w.questions() > 61 || w.live.avoided("w1") {
			t.Errorf("asked %d times in a minute; avoided: %v", w.questions(), w.live.avoided("w1"))
		}
		frozen := time.Now()
		w.freeze("w1")
		beat()
		for !w.live.avoided("w1") {
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(frozen); d > 2800*time.Millisecond {
			t.Errorf("suspected after %s", d)
		}
		for w.state("w1") != fsm.WorkerDead {
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(frozen); d < 4*time.Second || d > 7*time.Second {
			t.Errorf("lost after %s", d)
		}
		w.stop()
	})
}

// TestCollectionOfGarbage: a JVM that stands still for four seconds, once in ten minutes, is never lost.
func TestCollectionOfGarbage(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t)
		w.jvm()
		w.begin()
		for range 20 {
			time.Sleep(10 * time.Minute)
			w.freeze("w1")
			time.Sleep(3900 * time.Millisecond)
			w.thaw("w1")
		}
		time.Sleep(time.Minute)
		if w.live.avoided("w1") {
			t.Error("it is not used")
		}
		w.stop()
		if len(w.verdicts()) != 0 {
			t.Errorf("%+v", w.verdicts())
		}
	})
}

// TestJVMWorkerThatCannotBeAsked goes by Spark's rule alone: no heartbeat for spark.worker.timeout, and then two questions.
func TestJVMWorkerThatCannotBeAsked(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newTrial(t)
		w.jvm()
		w.live.ping = func(context.Context, *fsm.Worker) error { return errNoPing }
		beat := w.heartbeats("w1", 15*time.Second)
		time.Sleep(5*time.Minute + time.Second)
		beat() // the last one a second ago
		w.freeze("w1")
		time.Sleep(58 * time.Second)
		if len(w.verdicts()) != 0 || w.questions() != 0 {
			t.Errorf("%v after %d questions", w.verdicts(), w.questions())
		}
		time.Sleep(6 * time.Second)
		w.one()
		w.stop()
	})
}

func TestHeartbeatsOfALargeCluster(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{0: 500, 3: 500, 500: 500, 700: 700, 1000: 1000, 5000: 1000} {
		if got := heartbeats(n); got != want*time.Millisecond {
			t.Errorf("%d workers: every %s", n, got)
		}
		if got := rulesOf(fsm.WorkerGo).silence(heartbeats(n), time.Minute); got > 1700*time.Millisecond {
			t.Errorf("%d workers: suspected after %s", n, got)
		}
	}
}

func (w *trial) watch(id string) fsm.Watch {
	wk, ok := w.State().Worker(id)
	if !ok {
		return fsm.Watch{}
	}
	return wk.Watched()
}

package master

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

var (
	errRefused = fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	errTimeout = errors.New("i/o timeout")
)

// ward is a liveness over books with one worker or more, whose ports behave as a test says.
type ward struct {
	*books
	live  *liveness
	start time.Time
	ctx   context.Context
	stop  func()

	mu      sync.Mutex
	port    func() error  // what a question gets
	slow    time.Duration // how long it takes
	asked   int
	asking  map[string]int
	most    int // questions at once to one worker
	lines   map[string]bool
	commit  error
	verdict []verdict
}

type verdict struct {
	worker, reason string
	at             time.Duration
}

func newWard(t *testing.T, workers ...string) *ward {
	w := &ward{books: newBooks(t), start: time.Now(), asking: map[string]int{}, lines: map[string]bool{}, port: func() error { return nil }}
	for _, id := range workers {
		w.worker(id)
		w.lines[id] = true
	}
	w.live = newLiveness(quiet(), w.State)
	w.live.timeout = time.Minute
	w.live.hasLine = func(id string) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.lines[id]
	}
	w.live.ask = w.ask
	w.live.lost = func(_ context.Context, wk *fsm.Worker, reason string) error {
		w.mu.Lock()
		w.verdict = append(w.verdict, verdict{wk.ID, reason, time.Since(w.start)})
		err := w.commit
		w.mu.Unlock()
		if err != nil {
			return err
		}
		return w.try(&fsm.WorkerLost{ID: wk.ID, Incarnation: wk.Incarnation, Reason: reason, At: now()}, nil)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	w.ctx, w.stop = ctx, func() { cancel(); <-ended }
	go func() {
		defer close(ended)
		w.live.run(ctx)
	}()
	return w
}

func (w *ward) ask(ctx context.Context, wk *fsm.Worker) error {
	w.mu.Lock()
	w.asked++
	w.asking[wk.ID]++
	w.most = max(w.most, w.asking[wk.ID])
	slow := w.slow
	w.mu.Unlock()
	pause(ctx, slow)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asking[wk.ID]--
	return w.port()
}

func (w *ward) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// heartbeats come until the returned function is called.
func (w *ward) heartbeats(id string, every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pause(ctx, every) {
			w.live.heard(id)
		}
	}()
	return func() { cancel(); <-done }
}

func (w *ward) state(id string) fsm.WorkerState {
	wk, ok := w.State().Worker(id)
	if !ok {
		return 0
	}
	return wk.State
}

// one gives the only verdict.
func (w *ward) one() verdict {
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

func TestRefusedConnectionIsLostAtOnce(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newWard(t, "w1")
		w.set(func() { w.port, w.lines["w1"] = func() error { return errRefused }, false })
		w.live.checkID(w.ctx, "w1")
		synctest.Wait()
		if v := w.one(); v.at != 0 || !strings.Contains(v.reason, "nothing listens at host-w1:7000") {
			t.Errorf("%+v", v)
		}
		if w.asked != 1 || w.state("w1") != fsm.WorkerDead {
			t.Errorf("asked %d times, state %s", w.asked, w.state("w1"))
		}
		w.stop()
	})
}

func TestSilentWorkerThatDoesNotAnswerIsLost(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newWard(t, "w1")
		beat := w.heartbeats("w1", 2*time.Second)
		w.set(func() { w.port = func() error { return errTimeout } })
		time.Sleep(30 * time.Second)
		w.set(func() {
			if w.asked != 0 {
				t.Errorf("a worker that is heard of was asked %d times", w.asked)
			}
		})
		beat() // the last one at 30 s
		time.Sleep(silentAfter - time.Second)
		w.set(func() {
			if len(w.verdict) != 0 {
				t.Errorf("lost too early: %v", w.verdict)
			}
		})
		time.Sleep(10 * time.Second)
		w.stop()
		v := w.one()
		if !strings.Contains(v.reason, "no answer to two questions") || !strings.Contains(v.reason, errTimeout.Error()) {
			t.Errorf("reason %q", v.reason)
		}
		if late := v.at - 30*time.Second; late < silentAfter || late > silentAfter+3*time.Second {
			t.Errorf("lost %s after its last word", late)
		}
		if w.asked != 2 {
			t.Errorf("%d questions, want 2", w.asked)
		}
	})
}

func TestOneAnswerIsEnough(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newWard(t, "w1")
		w.set(func() {
			w.port = func() error {
				if w.asked%2 == 1 { // every first question is lost
					return errTimeout
				}
				return nil
			}
		})
		time.Sleep(10 * time.Minute)
		w.stop()
		if len(w.verdict) != 0 || w.asked == 0 {
			t.Errorf("verdicts %v after %d questions", w.verdict, w.asked)
		}
		if most := int(10*time.Minute/silentAfter) * 2; w.asked > most+2 {
			t.Errorf("a worker that answers was asked %d times in 10 minutes", w.asked)
		}
	})
}

func TestAnswersWithoutSessionAreNotEnough(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newWard(t, "w1", "w2")
		beat := w.heartbeats("w1", 15*time.Second) // a JVM worker that never shows its list
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
		w := newWard(t, "w1")
		for range 10 {
			w.set(func() { w.lines["w1"] = false })
			time.Sleep(40 * time.Second)
			w.set(func() { w.lines["w1"] = true })
			time.Sleep(5 * time.Second)
		}
		w.stop()
		if len(w.verdict) != 0 {
			t.Errorf("lost: %v", w.verdict)
		}
	})
}

func TestNothingIsJudgedAfterTheTerm(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newWard(t, "w1")
		w.set(func() {
			w.lines["w1"], w.slow, w.port = false, 500*time.Millisecond, func() error { return errRefused }
		})
		w.live.checkID(w.ctx, "w1")
		synctest.Wait() // a question is on its way
		w.stop()        // and is waited for
		w.live.checkID(w.ctx, "w1")
		w.live.checkID(context.Background(), "w1") // whoever still holds this term's liveness
		time.Sleep(time.Minute)
		if w.asked != 1 || len(w.verdict) != 0 {
			t.Errorf("%d questions, verdicts %v", w.asked, w.verdict)
		}
	})
}

func TestOneCheckAtATimeForEachWorker(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newWard(t, "w1", "w2")
		w.set(func() { w.slow, w.port = 5*time.Second, func() error { return errTimeout } })
		for range 50 {
			w.live.checkID(w.ctx, "w1")
			w.live.checkID(w.ctx, "w2")
			time.Sleep(100 * time.Millisecond)
		}
		w.stop()
		if w.most != 1 || w.asked != 2 {
			t.Errorf("%d questions, %d at once to one worker", w.asked, w.most)
		}
	})
}

func TestVerdictThatWasNotCommittedIsGivenAgain(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newWard(t, "w1")
		w.set(func() {
			w.lines["w1"], w.port, w.commit = false, func() error { return errRefused }, errors.New("no quorum")
		})
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
		w.set(func() {
			if n := len(w.verdict); n > 5 {
				t.Errorf("%d verdicts: a dead worker is judged", n)
			}
		})
		w.stop()
	})
}

func TestGoodbyeIsForThatLifeOnly(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newWard(t, "w1")
		w.live.declareLost(w.ctx, "w1", "an earlier life", "bye")
		w.live.declareLost(w.ctx, "nobody", "1", "bye")
		if w.state("w1") != fsm.WorkerAlive {
			t.Fatal("an earlier life's goodbye ended this one")
		}
		w.live.declareLost(w.ctx, "w1", "1", "bye")
		if w.state("w1") != fsm.WorkerDead || w.one().reason != "bye" {
			t.Error("a goodbye was not taken")
		}
		w.live.declareLost(w.ctx, "w1", "1", "bye again")
		w.one()
		w.stop()
	})
}

// A new leader has not heard of anybody yet, which is no silence.
func TestNewTermGivesTimeToBeHeard(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newWard(t, "w1")
		w.set(func() { w.lines["w1"], w.port = false, func() error { return errTimeout } })
		time.Sleep(silentAfter - time.Second)
		w.set(func() {
			if len(w.verdict) != 0 {
				t.Errorf("lost %v after the term began", w.verdict)
			}
		})
		time.Sleep(5 * time.Second)
		w.one()
		w.stop()
	})
}

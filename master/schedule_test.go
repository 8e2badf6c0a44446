package master

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// planning is a scheduling whose passes are written down with their time.
type planning struct {
	*scheduling
	start   time.Time
	passes  []time.Duration
	settled atomic.Bool
	commits int
	answer  func() error
	cancel  context.CancelFunc
	ended   chan struct{}
}

func newPlanning(plan *fsm.ApplyPlan) *planning {
	p := &planning{start: time.Now(), answer: func() error { return nil }, ended: make(chan struct{})}
	p.scheduling = &scheduling{
		log: quiet(), state: func() *fsm.State { return nil }, wake: make(chan struct{}, 1), excluded: func(string) bool { return false },
		settled: p.settled.Load,
		plan: func(*fsm.State, func(string) bool) *fsm.ApplyPlan {
			p.passes = append(p.passes, time.Since(p.start))
			return plan
		},
		commit: func(context.Context, *fsm.ApplyPlan) (fsm.PlanApplied, error) {
			p.commits++
			return fsm.PlanApplied{}, p.answer()
		},
	}
	return p
}

func (p *planning) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		p.run(ctx)
	}()
}

func (p *planning) stop() {
	p.cancel()
	<-p.ended
}

func onePlacement() *fsm.ApplyPlan {
	return &fsm.ApplyPlan{Executors: []fsm.Placement{{AppSeq: 1, WorkerID: "w1", Cores: 1}}}
}

func TestFirstPlanWaitsForWorkers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		at   time.Duration // when the last worker has shown its list
		want time.Duration
	}{
		{"all are there", 0, 0},
		{"the last one comes", 200 * time.Millisecond, 200 * time.Millisecond},
		{"one never comes", time.Hour, settleTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlanning(nil)
				p.settled.Store(tt.at == 0)
				p.begin()
				go func() {
					for range 4 { // workers come in, and each triggers
						time.Sleep(50 * time.Millisecond)
						p.trigger()
					}
					p.settled.Store(tt.at < time.Second)
					p.trigger()
				}()
				time.Sleep(time.Minute)
				p.stop()
				if len(p.passes) == 0 || p.passes[0] != tt.want {
					t.Errorf("passes at %v, the first should be at %s", p.passes, tt.want)
				}
			})
		})
	}
}

func TestPassesAreOneAtATimeAndTriggersCoalesce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlanning(onePlacement())
		p.settled.Store(true)
		var running, most atomic.Int32
		p.answer = func() error {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Second)
			running.Add(-1)
			return nil
		}
		p.begin()
		synctest.Wait() // the first pass is in its commit
		for range 100 {
			p.trigger()
		}
		time.Sleep(time.Minute)
		p.stop()
		if len(p.passes) != 2 || most.Load() != 1 {
			t.Errorf("%d passes, at most %d at once; want 2, one at a time", len(p.passes), most.Load())
		}
	})
}

// A plan that was not committed changes nothing, so no event would start another pass.
func TestPlanThatWasNotCommittedIsMadeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlanning(onePlacement())
		p.settled.Store(true)
		p.answer = func() error {
			if p.commits < 3 {
				return errors.New("the queue is full")
			}
			return nil
		}
		p.begin()
		time.Sleep(time.Minute)
		p.stop()
		if p.commits != 3 {
			t.Errorf("%d commits, want 3", p.commits)
		}
	})
}

func TestNothingToPlaceIsNotCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlanning(&fsm.ApplyPlan{})
		p.settled.Store(true)
		p.begin()
		p.trigger()
		time.Sleep(time.Minute)
		p.stop()
		p.trigger()
		if p.commits != 0 || len(p.passes) == 0 {
			t.Errorf("%d commits in %d passes", p.commits, len(p.passes))
		}
	})
}

func TestWhatWakesTheScheduler(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	woke := func() bool {
		for _, ev := range b.events() {
			if wakesScheduler(ev) {
				return true
			}
		}
		return false
	}
	b.worker("w1")
	if !woke() {
		t.Error("a new worker")
	}
	a := b.app(1)
	if !woke() {
		t.Error("a new application")
	}
	b.place(a, "w1", "w1")
	if woke() {
		t.Error("its own placement woke the scheduler")
	}
	b.report(a, 0, fsm.ExecutorRunning)
	if woke() {
		t.Error("a running executor woke the scheduler")
	}
	b.do(&fsm.RequestExecutors{AppID: a.ID, Targets: []fsm.Profile{{Target: 5}}}, nil)
	if !woke() {
		t.Error("new targets")
	}
	b.do(&fsm.KillExecutors{AppID: a.ID, IDs: []int{1}}, nil)
	if !woke() {
		t.Error("a killed executor")
	}
	b.report(a, 0, fsm.ExecutorExited, 0)
	if !woke() {
		t.Error("an executor's end")
	}
	b.finish(a, fsm.AppFinished)
	if !woke() {
		t.Error("an application's end")
	}
	b.do(&fsm.WorkerLost{ID: "w1"}, nil)
	if !woke() {
		t.Error("a lost worker")
	}
}

package master

import (
	"context"
	"log/slog"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// planner makes a plan of the state; nil where there is nothing to place. excluded workers get nothing new.
type planner func(s *fsm.State, excluded func(workerID string) bool) *fsm.ApplyPlan

// scheduling plans after every change that could let something be placed, one pass at a time: changes that come during a
// pass are answered by the next one together.
type scheduling struct {
	log      *slog.Logger
	plan     planner
	state    func() *fsm.State
	commit   func(ctx context.Context, p *fsm.ApplyPlan) (fsm.PlanApplied, error)
	excluded func(workerID string) bool
	settled  func() bool // every worker that should be there has shown its list
	wake     chan struct{}
}

// settleTime is how long a new leader waits for workers to show their lists before it plans without them.
const settleTime = 500 * time.Millisecond

func (s *scheduling) trigger() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// planRetry is the pause after a plan that could not be committed, where the term goes on all the same.
const planRetry = 250 * time.Millisecond

// run plans until the term ends.
func (s *scheduling) run(ctx context.Context) {
	s.settle(ctx)
	for ctx.Err() == nil {
		var retry <-chan time.Time
		if err := s.pass(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("a plan could not be committed; planning again", "in", planRetry, "error", err)
			retry = time.After(planRetry)
		}
		select {
		case <-s.wake:
		case <-retry:
		case <-ctx.Done():
		}
	}
}

// settle holds the first plan of a term back until the workers are there, so that an application which registers at the
// moment of a failover is spread over all of them and not over the first that came back.
func (s *scheduling) settle(ctx context.Context) {
	limit := time.NewTimer(settleTime)
	defer limit.Stop()
	for !s.settled() {
		select {
		case <-s.wake:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// pass makes one plan and has it committed. Lines that are refused need no second look here: what made them unfit is a
// change of the state, and its event wakes the next pass.
func (s *scheduling) pass(ctx context.Context) error {
	p := s.plan(s.state(), s.excluded)
	if p == nil || len(p.Executors)+len(p.Drivers) == 0 {
		return nil
	}
	p.At = now()
	_, err := s.commit(ctx, p)
	return err
}

// wakesScheduler tells whether an event can let something be placed (facts, section 6.1).
func wakesScheduler(ev fsm.Event) bool {
	switch ev.Kind {
	case fsm.WorkerChanged, fsm.WorkerGone, fsm.AppChanged, fsm.AppEnded, fsm.ExecutorDismissed, fsm.DriverChanged:
		return true
	case fsm.ExecutorChanged:
		return ev.Executor.State.Finished()
	}
	return false
}

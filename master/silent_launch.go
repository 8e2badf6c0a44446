package master

import (
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
)

// Spark's own Worker refuses a launch without a word when it was sent its decommission signal at a moment at which it had no
// master to tell, and likewise when it follows another master. It answers questions all the while. With Spark's Master the
// executor stays LAUNCHING for ever, and its application waits. Here it is given up, and the worker held back.

// unansweredAfter is after how long a launch counts as refused. A worker that does not refuse reports it within moments.
const unansweredAfter = time.Minute

// heldWithin bounds the wait for a worker to be held back; it is not where most of them would be.
const heldWithin = 3 * time.Second

// watchLaunches looks for launches that nobody answers until the term ends.
func (d *duties) watchLaunches() {
	for delay.For(d.ctx, unansweredAfter/4) {
		s := d.m.fsm.State()
		for w := range s.Workers() {
			if refused := unanswered(s, w, now()); len(refused) > 0 && d.live.hasLine(w.ID) {
				d.giveUpRefused(w, refused)
			}
		}
	}
}

// unanswered are the executors of a JVM worker that were to be launched long ago.
func unanswered(s *fsm.State, w *fsm.Worker, at int64) (out []fsm.ExecutorKey) {
	if w.Kind != fsm.WorkerJVM || w.State != fsm.WorkerAlive {
		return nil
	}
	for e := range s.ExecutorsOn(w.ID) {
		if e.State == fsm.ExecutorLaunching && at-e.Launched > unansweredAfter.Milliseconds() {
			out = append(out, keyOf(e))
		}
	}
	return out
}

// giveUpRefused first holds the worker back, so that the next executor goes elsewhere where it can. Should it have started
// one of them all the same, it is told to kill it (dispatcher.handle).
func (d *duties) giveUpRefused(w *fsm.Worker, refused []fsm.ExecutorKey) {
	d.log.Warn("a worker answers, but no launch: it was decommissioned while it had no master, or follows another one; restart it",
		"worker", w.ID, "executors", len(refused))
	d.insist(func() error {
		_, err := proposeHere[none](d.ctx, d.m, &fsm.SuspectWorker{ID: w.ID, Incarnation: w.Incarnation, At: now(), Damping: d.live.damping.longest()})
		return err
	})
	for range 20 {
		if d.live.avoided(w.ID) || !delay.For(d.ctx, heldWithin/20) {
			break
		}
	}
	for _, key := range refused {
		d.insist(func() error {
			_, err := proposeHere[none](d.ctx, d.m, &fsm.ExecutorStateChanged{
				AppID: key.AppID, ID: key.ID, State: fsm.ExecutorLost, WorkerID: w.ID, At: now(),
				Message:    "its worker has not answered the launch",
				MaxRetries: -1, Retained: d.m.cfg.Spark.RetainedApplications, // no fault of the application's
			})
			return err
		})
	}
}

// longest holds a worker back at once, for as long as any is.
func (d damping) longest() *fsm.Damping {
	if d.off {
		return nil
	}
	return &fsm.Damping{Weight: weightOfDoubt, Step: 1, FirstMs: d.most.Milliseconds(), MaxMs: d.most.Milliseconds(), DecayMs: d.forget.Milliseconds()}
}

package master

import (
	"context"
	"fmt"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/membership"
)

// newWatch makes the term's liveness and ties it to the rest.
func (d *duties) newWatch() *liveness {
	m := d.m
	l := newLiveness(d.log, m.fsm.State)
	l.ask, l.ping, l.lost, l.timeout = m.askWorker, d.pingWorker, d.loseWorker, m.cfg.Spark.WorkerTimeout
	l.hasLine = func(id string) bool { _, ok := d.dispatch.attachedLine(id); return ok }
	l.unwell = m.gossip.HealthScore
	l.changed = func() { d.schedule.trigger() }
	l.note = func(ctx context.Context, c *fsm.SuspectWorker) error {
		_, err := proposeHere[none](ctx, m, c)
		return err
	}
	l.damping = m.watching.damping
	l.brake = newBrake(d.log, m.watching.brake)
	l.brake.dead = l.dead
	l.brake.inspect = d.inspect
	l.brake.give = m.node.TransferLeadershipTo
	l.brake.save = func(ctx context.Context, b fsm.Brake) error {
		_, err := proposeHere[none](ctx, m, &fsm.SetBrake{Brake: b})
		return err
	}
	l.inherit()
	return l
}

// unfit tells whether nothing new may be placed on a worker: it has not shown its list in this term, or there are doubts
// about it. It is asked for every worker in every pass of the scheduler.
func (d *duties) unfit(workerID string) bool {
	return d.live.avoided(workerID) || !d.live.hasLine(workerID)
}

// loseWorker commits a verdict.
func (d *duties) loseWorker(ctx context.Context, w *fsm.Worker, v verdict, flap *fsm.Damping) error {
	_, err := proposeHere[none](ctx, d.m, &fsm.WorkerLost{
		ID: w.ID, Incarnation: w.Incarnation, At: now(), Reason: v.reason, Silent: v.silent, Retained: d.m.cfg.Spark.RetainedDrivers, Damping: flap,
	})
	return err
}

// gossiped takes a word of gossip about a member: a worker that somebody misses is asked at once.
func (d *duties) gossiped(ev membership.Event) {
	if ev.Member.Role != membership.RoleWorker {
		return
	}
	switch ev.Kind {
	case membership.Failed, membership.Left:
		d.live.checkID(d.ctx, ev.Member.ID)
	case membership.Suspected:
		d.live.hint(d.ctx, ev.Member.ID)
	}
}

// watching are the settings of the verdict on workers. They are Firesteel's own:
//
//	spark.firesteel.worker.massLoss.share  0.2   more than this share of the workers, and more than 3, lost at once is doubted
//	spark.firesteel.worker.massLoss.hold   15s   for so long
//	spark.firesteel.worker.damping.enabled true  a worker that comes and goes is not used for a while
//	spark.firesteel.worker.damping.max     5min  at most so long
type watching struct {
	brake   brakeRules
	damping damping
}

const (
	minHold, maxHold = time.Second, 10 * time.Minute
	maxHeldBack      = time.Hour
)

func readWatching(m config.Master) (watching, error) {
	w := watching{brake: defaultBrake, damping: defaultDamping}
	w.brake.longest = max(m.WorkerTimeout, w.brake.hold)
	if m.Conf == nil {
		return w, nil
	}
	const prefix = "spark.firesteel.worker."
	percent, err := m.Conf.Text("", prefix+"massLoss.share")
	if err != nil {
		return w, err
	}
	if percent != "" {
		if _, err := fmt.Sscanf(percent, "%g", &w.brake.share); err != nil || w.brake.share <= 0 || w.brake.share > 1 {
			return w, fmt.Errorf("%smassLoss.share is %q: it must be above 0 and at most 1", prefix, percent)
		}
	}
	if w.brake.hold, err = m.Conf.Time(w.brake.hold, time.Second, prefix+"massLoss.hold"); err != nil {
		return w, err
	}
	if w.brake.hold < minHold || w.brake.hold > maxHold {
		return w, fmt.Errorf("%smassLoss.hold is %s: it must be between %s and %s", prefix, w.brake.hold, minHold, maxHold)
	}
	w.brake.longest = max(m.WorkerTimeout, w.brake.hold)
	on, err := m.Conf.Bool(true, prefix+"damping.enabled")
	if err != nil {
		return w, err
	}
	w.damping.off = !on
	if w.damping.most, err = m.Conf.Time(w.damping.most, time.Second, prefix+"damping.max"); err != nil {
		return w, err
	}
	if w.damping.most < time.Second || w.damping.most > maxHeldBack {
		return w, fmt.Errorf("%sdamping.max is %s: it must be between 1 s and %s", prefix, w.damping.most, maxHeldBack)
	}
	w.damping.first = min(w.damping.first, w.damping.most)
	return w, nil
}

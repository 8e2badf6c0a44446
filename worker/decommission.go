package worker

import (
	"sync"

	"github.com/firesteel/firesteel/rpc/clusterpb"
)

// drain is whether this worker takes no more executors. The leader knows, and says so in every session; only what this
// worker wishes itself, and no leader has granted yet, counts more than its word.
type drain struct {
	mu      sync.Mutex
	on      bool
	wishes  uint64 // to be drained, of this life
	said    uint64 // of them in the last Hello
	granted uint64 // of them
}

// wish is for a signal or a flag.
func (d *drain) wish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on = true
	d.wishes++
}

// active tells whether launches are refused.
func (d *drain) active() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.on
}

// hello is what the next session begins with.
func (d *drain) hello() (on, wished bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = d.wishes
	return d.on, d.wishes > d.granted
}

// welcomed: the leader has carried out what the Hello said before it answered.
func (d *drain) welcomed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.granted = max(d.granted, d.said)
}

// set is the leader's word; it tells whether that is news. That this worker is not drained does not hold against a wish
// which the leader may not have heard of when it said so.
func (d *drain) set(on bool) (news bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if on {
		d.granted = d.wishes
	} else if d.wishes > d.granted {
		return false
	}
	news = d.on != on
	d.on = on
	return news
}

// Decommission drains this worker, as its decommission signal does to Spark's own: it takes no more executors for the rest
// of its life, or until it is recommissioned. What runs goes on until its driver lets it go. Where nobody leads at present,
// the next leader is told.
func (w *Worker) Decommission() {
	w.log.Info("to be decommissioned: no new executors are taken")
	w.drain.wish()
	w.outbox.put(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Decommissioning{Decommissioning: &clusterpb.Decommissioning{}}})
}

// Draining tells whether the worker takes no executors.
func (w *Worker) Draining() bool { return w.drain.active() }

// decommission and recommission are the leader's word. Drivers are not touched by it: they run to their end.
func (a *agent) decommission() {
	if a.drain.set(true) {
		a.log.Info("decommissioned: no new executors are taken")
	}
}

func (a *agent) recommission() {
	if a.drain.set(false) {
		a.log.Info("recommissioned: executors are taken again")
	}
}

// refuses tells that a launch comes too late: it was on its way when this worker was drained. Nothing is reported. The leader
// gives it up by itself when it drains the worker (in Spark it would stay LAUNCHING for ever).
func (a *agent) refuses(l *clusterpb.LaunchExecutor) bool {
	if !a.drain.active() {
		return false
	}
	a.log.Warn("asked to launch an executor while decommissioned; it is not launched", "app", l.GetAppId(), "executor", l.GetExecutorId())
	return true
}

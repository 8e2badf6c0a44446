package master

import (
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// damping holds a worker back that comes and goes: from its third death within minutes on, nothing new is placed there for
// 15 s, then 30 s, up to 5 min. A suspicion that passed counts half a death. One death is forgotten every 5 min.
//
// Workers that all flap at once have another trouble than themselves: where more than half would be held back, none is.
type damping struct {
	off                 bool
	first, most, forget time.Duration // the first and the longest time; after which half a death is forgotten
}

var defaultDamping = damping{first: 15 * time.Second, most: 5 * time.Minute, forget: 150 * time.Second}

const (
	weightOfDeath = 2
	weightOfDoubt = 1
	freeWeight    = 2 * weightOfDeath
)

func (d damping) flap(weight int) *fsm.Damping {
	if d.off {
		return nil
	}
	return &fsm.Damping{
		Weight: weight, Free: freeWeight, Step: weightOfDeath,
		FirstMs: d.first.Milliseconds(), MaxMs: d.most.Milliseconds(), DecayMs: d.forget.Milliseconds(),
	}
}

func (d damping) death() *fsm.Damping { return d.flap(weightOfDeath) }
func (d damping) doubt() *fsm.Damping { return d.flap(weightOfDoubt) }

// holds tells whether a worker is held back at a time. One that is held for longer than the longest time was so by a clock
// that is far off ours: it is not believed.
func (d damping) holds(w fsm.Watch, at time.Time) bool {
	left := w.HeldUntil - at.UnixMilli()
	return !d.off && left > 0 && left <= d.most.Milliseconds()
}

// lookAtPast holds a worker back from the moment at which it comes; the caller holds mu.
func (l *liveness) lookAtPast(workerID string, x *ward) {
	if w, ok := l.state().Worker(workerID); ok && w.State != fsm.WorkerDead && l.damping.holds(w.Watched(), time.Now()) {
		x.held = true
		l.publish()
	}
}

// holdBack renews who is held back.
func (l *liveness) holdBack(s *fsm.State, alive int) {
	now := time.Now()
	held := map[string]fsm.Watch{}
	for w := range s.Workers() {
		if watch := w.Watched(); w.State != fsm.WorkerDead && l.damping.holds(watch, now) {
			held[w.ID] = watch
		}
	}
	if 2*len(held) > alive {
		clear(held)
	}
	freed := false
	l.mu.Lock()
	for id, x := range l.wards {
		watch, hold := held[id]
		if hold == x.held {
			continue
		}
		x.held = hold
		if hold {
			l.log.Warn("a worker comes and goes: nothing new is placed there for a while", "worker", id, "until", time.UnixMilli(watch.HeldUntil), "flaps", watch.Flaps)
		} else {
			freed = true
			l.log.Info("a worker that came and went is used again", "worker", id)
		}
	}
	l.publish()
	l.mu.Unlock()
	if freed {
		l.changed()
	}
}

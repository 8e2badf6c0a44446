package master

import (
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// A driver asks an executor to go when it is told that the executor's worker is drained, but only an executor that has come
// to it. One that comes a moment later, since its JVM was still starting, would be given work for the rest of its life, on
// a worker that was drained to be taken away. So the word is repeated for a while; a driver that has acted on it passes
// over it (CoarseGrainedSchedulerBackend.decommissionExecutors).

const (
	// firstReminder is when it is repeated first, after the executor was decommissioned; then always after twice the time.
	firstReminder = 2 * time.Second
	// lastReminder is after how long it is not repeated any more, and how old an executor must be to have come long ago.
	lastReminder = 90 * time.Second
)

// decommissionReminder is a kind of event that only this master's duties know.
const decommissionReminder fsm.EventKind = 201

// nextReminder is after how long a driver should be told again of an executor that is DECOMMISSIONED; false for never.
func nextReminder(e *fsm.Executor, at int64) (time.Duration, bool) {
	age := time.Duration(at-e.Changed) * time.Millisecond
	young := time.Duration(e.Changed-e.Launched)*time.Millisecond < lastReminder
	if e.State != fsm.ExecutorDecommissioned || !young || 2*age > lastReminder {
		return 0, false
	}
	return max(firstReminder, age), true
}

// remind has the driver told again, unless this line ends before that: the next one begins with all there is to know.
func (l *appLink) remind(line driverLine, e *fsm.Executor) {
	if after, ok := nextReminder(e, now()); ok {
		time.AfterFunc(after, func() {
			if !closed(line.done()) {
				l.box.put(fsm.Event{Kind: decommissionReminder, Executor: e})
			}
		})
	}
}

// tellAgain is told where the executor has not ended meanwhile.
func (l *appLink) tellAgain(line driverLine, e *fsm.Executor) error {
	s := l.state()
	a, ok := l.live(s)
	if !ok {
		return nil
	}
	if now, ok := s.Executor(a, e.ID); !ok || now.State != fsm.ExecutorDecommissioned {
		return nil
	}
	l.remind(line, e)
	return line.send(updated(e))
}

package master

import (
	"context"
	"log/slog"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/web"
)

// waiting tells of applications and drivers that can run nowhere: on no worker that the cluster has, not even on an empty
// one. It says so when it finds out and when it is over, not at every pass; to the log, and to the application's driver.
// GET /v1/waiting tells of all that waits.
type waiting struct {
	log  *slog.Logger
	look func() web.Waiting // of the drivers that wait for the same one is enough: thousands may
	tell func(appID, text string)
	wake chan struct{}
	said map[waitKey]string // by what was said last: the cause
}

// waitKey names what waits: an application's profile, or all the drivers that need the same.
type waitKey struct {
	app, drivers string
	profile      int
}

func waitKeyOf(n web.Wait) waitKey {
	if n.Driver != "" {
		return waitKey{drivers: n.Release + ", " + n.Needs}
	}
	return waitKey{app: n.App, profile: n.Profile}
}

// lookEvery is the least time between two looks. It is also how long something waits before anybody is told: workers that
// come and go together with an application are no news.
const lookEvery = time.Second

func (w *waiting) trigger() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run looks after changes until the term ends.
func (w *waiting) run(ctx context.Context) {
	w.said = map[waitKey]string{}
	for delay.For(ctx, lookEvery) {
		w.compare(w.look())
		select {
		case <-w.wake:
		case <-ctx.Done():
		}
	}
}

// compare says what is new.
func (w *waiting) compare(now web.Waiting) {
	still := map[waitKey]string{}
	for _, n := range now.Waiting {
		if !n.Nowhere {
			continue
		}
		key := waitKeyOf(n)
		still[key] = n.Cause
		if w.said[key] == n.Cause {
			continue
		}
		if n.Driver != "" {
			w.log.Warn("drivers can run nowhere; they wait", "first", n.Driver, "need", key.drivers, "reason", n.Reason)
			continue
		}
		w.log.Warn("can run nowhere; it waits", "app", n.App, "name", n.Name, "profile", n.Profile, "needs", n.Release, "reason", n.Reason)
		w.tell(n.App, "waiting: "+n.Reason)
	}
	for key, cause := range w.said {
		if _, ok := still[key]; !ok {
			w.log.Info("can run again, or has ended", "app", key.app, "profile", key.profile, "drivers", key.drivers, "was", cause)
		}
	}
	w.said = still
}

func (d *duties) newWaiting() *waiting {
	state := d.m.fsm.State
	return &waiting{
		log: d.log, wake: make(chan struct{}, 1),
		look: func() web.Waiting {
			return web.WaitingKinds(state(), func(id string) bool { return !d.live.hasLine(id) })
		},
		tell: func(appID, text string) {
			if a, ok := state().App(appID); ok {
				d.notify.put(a.Seq, fsm.Event{Kind: appWaits, App: a, Message: text})
			}
		},
	}
}

// appWaits is a kind of event that only this master's duties know: the application can run nowhere. No command has it as
// a consequence, since it follows from what many have done together.
const appWaits fsm.EventKind = 200

// noExecutor is no executor's id.
const noExecutor = -1

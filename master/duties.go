package master

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/raftnode"
	"github.com/firesteel/firesteel/scheduler"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// duties are what a leader does, in one term. Everything in here ends with ctx, which dies when leadership is lost.
type duties struct {
	m    *Master
	log  *slog.Logger
	ctx  context.Context
	term uint64

	schedule *scheduling
	dispatch *dispatcher
	notify   *notifier
	live     *liveness
	acks     *acks
	pilot    *raftnode.Autopilot
	waiting  *waiting

	strangers sync.Map // ids of workers that were told of, see overtaken

	mu    sync.Mutex
	over  bool // lead waits for tasks: none is added any more
	tasks sync.WaitGroup
}

// spawn runs f as a part of the term, which lasts until f has returned. When the term is over, f is not run: false.
func (d *duties) spawn(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return false
	}
	d.tasks.Go(f)
	return true
}

// end waits for all that was spawned.
func (d *duties) end() {
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
	d.tasks.Wait()
	d.notify.wg.Wait()
}

// lead runs the duties of a term; raftnode calls it after the term's barrier.
func (m *Master) lead(ctx context.Context, term uint64) error {
	select {
	case <-m.opened: // a master with a log may lead while its doors are still being opened
	case <-ctx.Done():
		return nil
	}
	if err := errors.Join(m.nameCluster(ctx), m.dropStaged(ctx)); err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx) // they may end before the term does
	defer end()
	d := m.newDuties(ctx, term)
	state, events := m.fsm.Subscribe()
	defer events.Close()
	m.duties.Store(d)
	m.log.Info("leading", "term", term, "workers", state.WorkerCount(), "apps", state.AppCount())
	d.adopt(state)
	d.spawn(func() { d.schedule.run(ctx) })
	d.spawn(func() { d.live.run(ctx) })
	d.spawn(func() { d.acks.run(ctx) })
	d.spawn(func() { d.waiting.run(ctx) })
	d.spawn(func() { d.pruneWorkers(ctx) })
	d.spawn(d.watchLaunches)
	d.spawn(func() { d.pilot.Run(ctx) })
	d.spawn(func() { d.reconcileMasters(ctx) })
	err := d.follow(events)
	end()
	m.duties.Store(nil)
	d.dispatch.closeAll()
	d.end()
	m.log.Info("no longer leading", "term", term)
	return err
}

// nameCluster gives the cluster its id, in the first term of its life.
func (m *Master) nameCluster(ctx context.Context) error {
	if m.fsm.State().ClusterID() != "" {
		return nil
	}
	if _, err := proposeHere[none](ctx, m, &fsm.SetCluster{ID: rand.Text(), Voters: m.cfg.BootstrapExpect}); err != nil {
		return fmt.Errorf("name the cluster: %w", err)
	}
	return nil
}

func (m *Master) newDuties(ctx context.Context, term uint64) *duties {
	d := &duties{m: m, log: m.log.With("term", term), ctx: ctx, term: term}
	d.pilot = raftnode.NewAutopilot(raftnode.AutopilotConfig{Node: m.node, Settings: m.autopilot, Ask: m.askPosition, Logger: d.log})
	state := m.fsm.State
	d.dispatch = newDispatcher(d.log, state)
	d.live = d.newWatch()
	d.acks = newAcks(func(ctx context.Context) error { return m.node.VerifyLeader(ctx, term) })
	d.notify = &notifier{log: d.log, links: map[uint64]*appLink{}, new: d.newLink}
	d.waiting = d.newWaiting()
	d.schedule = &scheduling{
		log: d.log, plan: d.plan, state: state, wake: make(chan struct{}, 1),
		commit: func(ctx context.Context, p *fsm.ApplyPlan) (fsm.PlanApplied, error) {
			return proposeHere[fsm.PlanApplied](ctx, m, p)
		},
		excluded: d.unfit,
		settled:  d.settled,
	}
	return d
}

// settled: every worker that is not dead, nor suspected by the last leader, has shown its list.
func (d *duties) settled() bool {
	for w := range d.m.fsm.State().Workers() {
		if w.State == fsm.WorkerAlive && w.Watched().Suspected == 0 && !d.live.hasLine(w.ID) {
			return false
		}
	}
	return true
}

// adopt takes over what is there when the term begins. Go workers come by themselves; JVM workers and drivers are called.
func (d *duties) adopt(s *fsm.State) {
	d.notify.adopt(d.ctx, s)
	for w := range s.Workers() {
		if w.Kind == fsm.WorkerJVM && w.State != fsm.WorkerDead {
			d.greet(w, true)
		}
	}
	for drv := range s.HeldDrivers() {
		d.hold(drv)
	}
	d.repeatEnds(s)
}

// repeatEnds tells the drivers of applications that were ended against their will a moment ago: the last leader may have
// died before it could. A driver that has an application at the same address by now is another one.
func (d *duties) repeatEnds(s *fsm.State) {
	oldest := time.Now().Add(-recentEnds).UnixMilli()
	for c := range s.CompletedApps() {
		if c.App.Ended < oldest || len(c.App.DriverRef) == 0 {
			continue
		}
		l := d.newLink(c.App, false)
		d.spawn(func() {
			line, err := l.dialOnce(d.ctx)
			if err != nil {
				return // the driver is gone: nobody to tell
			}
			defer line.close()
			l.tellEnd(line, c.App)
		})
	}
}

// errReplaced ends the duties: whoever leads next begins with the state as it is now, as after a failover.
var errReplaced = errors.New("a snapshot was restored by an operator")

// follow carries the state machine's events to the duties until the term ends, or until they do not tell all that changes.
func (d *duties) follow(events *fsm.Subscription) error {
	for {
		_, evs, err := events.Next(d.ctx)
		if err != nil {
			return nil //nolint:nilerr // the term is over
		}
		wake := false
		for _, ev := range evs {
			if ev.Kind == fsm.StateReplaced {
				return errReplaced
			}
			d.dispatch.handle(ev)
			d.notify.handle(d.ctx, ev)
			wake = wake || wakesScheduler(ev)
			if ev.Kind == fsm.WorkerChanged && ev.Worker.Kind == fsm.WorkerJVM && ev.Registered {
				d.greet(ev.Worker, false)
			}
			if ev.Kind == fsm.DriverChanged {
				d.hold(ev.Driver)
			}
			d.logEvent(ev)
		}
		if wake {
			d.schedule.trigger()
		}
		d.waiting.trigger()
	}
}

// logEvent writes what an operator looks for.
func (d *duties) logEvent(ev fsm.Event) {
	switch ev.Kind {
	case fsm.WorkerChanged:
		d.log.Info("worker", "worker", ev.Worker.ID, "state", ev.Worker.State.String(), "cores", ev.Worker.Cores, "memoryMiB", ev.Worker.MemoryMB, "builds", ev.Worker.Builds)
	case fsm.ExecutorPlaced:
		d.log.Info("launching executor", "app", ev.App.ID, "executor", ev.Executor.ID, "worker", ev.Executor.WorkerID)
	case fsm.ExecutorChanged:
		d.log.Info("executor", "app", ev.App.ID, "executor", ev.Executor.ID, "state", ev.Executor.State.String(), "message", ev.Executor.Message)
	case fsm.DriverPlaced:
		d.log.Info("launching driver", "driver", ev.Driver.ID, "run", ev.Driver.RunID, "worker", ev.Driver.WorkerID)
	case fsm.DriverChanged, fsm.DriverDismissed:
		d.log.Info("driver", "driver", ev.Driver.ID, "run", ev.Driver.RunID, "state", ev.Driver.State.String(), "killAsked", ev.Driver.KillAsked, "exception", ev.Driver.Exception)
	case fsm.AppEnded:
		d.log.Info("application ended", "app", ev.App.ID, "state", ev.App.State.String(), "message", ev.Message)
	}
}

func (d *duties) plan(s *fsm.State, excluded func(string) bool) *fsm.ApplyPlan {
	out := scheduler.Plan(s, d.m.scheduling, scheduler.Input{At: now(), Seed: mathrand.Uint64(), Exclude: excluded})
	if out.Empty() {
		return nil
	}
	return &out.Plan
}

// loseDriver commits the end of an application whose driver is gone.
func (d *duties) loseDriver(ctx context.Context, a *fsm.App, reason string) error {
	_, err := proposeHere[none](ctx, d.m, endOfVanished(a, reason, d.m.cfg.Spark.RetainedApplications))
	return err
}

func endOfVanished(a *fsm.App, reason string, retained int) *fsm.FinishApplication {
	return &fsm.FinishApplication{
		AppID: a.ID, State: fsm.AppFailed, Message: reason, At: now(), Retained: retained, DriverHost: a.DriverHost, DriverPort: a.DriverPort, Vanished: true,
	}
}

func (d *duties) newLink(a *fsm.App, takeover bool) *appLink {
	l := &appLink{
		log: d.log.With("app", a.ID), app: a, driver: wire.Address{Host: a.DriverHost, Port: a.DriverPort},
		learn:    func() (rpcenv.Dialect, error) { return dialectOf(a.Build, a.DriverRef) },
		takeover: takeover, box: newMailbox[fsm.Event](), relayed: make(chan struct{}, 1), state: d.m.fsm.State,
		master: func() (messages.Ref, string) { return d.m.ref(), d.m.webURL() },
		relay:  d.relayThrough, gone: d.loseDriver,
	}
	l.find = func() (driverLine, bool) { return d.findDriver(l) }
	l.dial = func(ctx context.Context) (driverLine, error) { return d.dialDriver(ctx, l) }
	return l
}

// pruneWorkers drops dead workers from the listing after (spark.dead.worker.persistence + 1) times spark.worker.timeout.
func (d *duties) pruneWorkers(ctx context.Context) {
	for delay.For(ctx, d.m.cfg.Spark.WorkerTimeout) {
		before := time.Now().Add(-time.Duration(d.m.cfg.Spark.DeadWorkerPersistence+1) * d.m.cfg.Spark.WorkerTimeout).UnixMilli()
		for w := range d.m.fsm.State().Workers() {
			if w.State == fsm.WorkerDead && w.Since < before {
				if _, err := proposeHere[none](ctx, d.m, &fsm.PruneWorkers{Before: before}); err != nil && ctx.Err() == nil {
					d.log.Warn("dead workers could not be dropped from the listing", "error", err)
				}
				break
			}
		}
	}
}

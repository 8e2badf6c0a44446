package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

const (
	// driverGrace is how long a driver that cannot be reached, and does not refuse either, is waited for.
	driverGrace = 60 * time.Second
	dialTimeout = 3 * time.Second
	// recentEnds is how far back a new leader repeats the ends of executors, since the old one may not have told them.
	recentEnds = 60 * time.Second
	// announcedLately keeps the three registrations of one driver, which come within moments, from three answers.
	announcedLately = 5 * time.Second
	// farewellTime is how long a new leader, which finds a driver gone that it never spoke to, waits for the word by which
	// the driver may have unregistered with another master.
	farewellTime = 500 * time.Millisecond
)

// Pauses between attempts to reach a driver; they double up to the last.
const (
	firstDriverRetry = 50 * time.Millisecond
	lastDriverRetry  = 2 * time.Second
)

// appLink holds the line to one application's driver. Whenever a line is new, the driver is first told all there is to
// know (a driver takes everything more than once), then what changes.
//
// It is also what notices that a driver is gone: drivers are silent while idle, only their connection tells (trap 15).
type appLink struct {
	log      *slog.Logger
	app      *fsm.App
	driver   wire.Address
	learn    func() (rpcenv.Dialect, error) // reads dialect from the application's record; nil where it is known
	dialect  rpcenv.Dialect                 // once learned: the driver's own connection, if it is there, mostly tells enough
	mute     error                          // why it is not known
	takeover bool                           // the driver knows another master, or none; it must be told of this one
	box      *mailbox[fsm.Event]
	relayed  chan struct{} // signals that a relay has lost the driver

	state  func() *fsm.State
	master func() (messages.Ref, string)                 // this master's ref and web UI
	find   func() (driverLine, bool)                     // over the connection that the driver opened
	dial   func(ctx context.Context) (driverLine, error) // over one of ours; errNoDriver where somebody else answers
	relay  func(ctx context.Context, l *appLink) (driverLine, error)
	gone   func(ctx context.Context, a *fsm.App, reason string) error

	announced time.Time
	synced    uint64   // events up to this index were part of what was told at the start of the line
	ended     *fsm.App // its final record, once the event of it was taken from the box
	spoken    bool     // there was a line in this term
}

// errNoDriver says that something answers at a driver's address which is not a driver.
var errNoDriver = errors.New("what answers there is not a Spark driver")

func (l *appLink) run(ctx context.Context) {
	again := firstDriverRetry
	for ctx.Err() == nil {
		line, reason := l.reach(ctx)
		if line == nil {
			if ctx.Err() == nil {
				l.declareGone(ctx, reason)
			}
			return
		}
		began := time.Now()
		l.spoken = true
		over := l.speak(ctx, line)
		line.close()
		if over || l.finished(ctx) {
			return
		}
		l.takeover = true
		// A line that breaks at once, time after time, must not be tried in a spin.
		if time.Since(began) >= lastDriverRetry {
			again = firstDriverRetry
			continue
		}
		delay.For(ctx, again)
		again = min(2*again, lastDriverRetry)
	}
}

// live finds the application in the state, unless it has ended. An id may come back, the order of registration does not.
func (l *appLink) live(s *fsm.State) (*fsm.App, bool) {
	a, ok := s.App(l.app.ID)
	return a, ok && a.Seq == l.app.Seq
}

// speak serves one line. over tells that there is nothing left to say.
func (l *appLink) speak(ctx context.Context, line driverLine) (over bool) {
	live, err := l.tellAll(line)
	if !live {
		l.tellPast(ctx, line)
		return true
	}
	if err != nil {
		l.log.Debug("the driver's line broke", "error", err)
		return false
	}
	for {
		events, ok := l.take(ctx, line.done())
		if !ok {
			return false
		}
		for _, ev := range events {
			if ev.Kind == fsm.AppEnded {
				l.tellEnd(line, ev.App)
				return true
			}
			if err := l.tell(line, ev); err != nil {
				l.log.Debug("the driver's line broke", "error", err)
				return false // what was not told is part of what the next line starts with
			}
		}
	}
}

// take waits for events, and keeps the last one of an application, which no later state tells of.
func (l *appLink) take(ctx context.Context, done <-chan struct{}) ([]fsm.Event, bool) {
	events, ok := l.box.take(ctx, done)
	for _, ev := range events {
		if ev.Kind == fsm.AppEnded {
			l.ended = ev.App
		}
	}
	return events, ok
}

// finished tells, of a line that has ended, that the application had ended before, at its driver's own wish: drivers
// unregister and close their connections in one breath. The event of that is here or on its way.
func (l *appLink) finished(ctx context.Context) bool {
	if _, live := l.live(l.state()); live {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	for l.ended == nil {
		if _, ok := l.take(ctx, nil); !ok {
			return false
		}
	}
	return l.ended.State == fsm.AppFinished
}

// tellPast tells the driver of an application that the state has ended already, and whose events may still be on their
// way. A driver whose executors all failed before there was a line to it learns of them, and that it was registered: one
// that was not told so does not know which application has ended, and cannot even unregister it.
func (l *appLink) tellPast(ctx context.Context, line driverLine) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if l.announced.IsZero() && !l.succeeded() {
		if err := l.announce(line, false); err != nil {
			l.log.Debug("the driver could not be told that its application was registered", "error", err)
			return
		}
	}
	for l.ended == nil {
		events, ok := l.take(ctx, line.done())
		if !ok {
			return
		}
		for _, ev := range events {
			if err := l.tell(line, ev); err != nil {
				l.log.Debug("the driver's line broke", "error", err)
				return
			}
		}
	}
	l.tellEnd(line, l.ended)
}

// succeeded tells whether a driver has registered from the same address since: what concerns this application is not
// for that one.
func (l *appLink) succeeded() bool {
	a, ok := l.state().AppOfDriver(l.driver.Host, l.driver.Port)
	return ok && a.Seq != l.app.Seq
}

// tellAll brings the driver up to the present state. live is false where the application has ended meanwhile.
func (l *appLink) tellAll(line driverLine) (live bool, err error) {
	s := l.state()
	a, ok := l.live(s)
	if !ok {
		return false, nil
	}
	if err := l.announce(line, false); err != nil {
		return true, err
	}
	oldest := time.Now().Add(-recentEnds).UnixMilli()
	for e := range s.Executors(a) {
		if e.State.Finished() && (e.Changed < oldest || e.State == fsm.ExecutorKilled && e.ExitStatus == nil) {
			continue // long told; or killed at the driver's own wish, of which it is not told
		}
		if err := line.send(added(e)); err != nil {
			return true, err
		}
		if e.State != fsm.ExecutorLaunching {
			if err := line.send(updated(e)); err != nil {
				return true, err
			}
			l.remind(line, e)
		}
	}
	l.synced = s.Index()
	return true, nil
}

// answeredBy is after how long a driver surely has the answer to its registration: it asks again every 20 s, and stops
// after three times.
const answeredBy = 2 * time.Minute

// announce answers the registration and, where the driver may follow another master, names this one. Both may be
// repeated; MasterChanged alone would not do for a driver that never had the first answer (trap 2). One that surely had it
// is not told again unless it asks: if another driver has its address by now, that one would take the old id for its own.
func (l *appLink) announce(line driverLine, asked bool) error {
	ref, webUI := l.master()
	if age := time.Duration(now()-l.app.Submitted) * time.Millisecond; asked || !l.takeover || age < answeredBy {
		if err := line.send(&messages.RegisteredApplication{AppID: l.app.ID, Master: ref}); err != nil {
			return err
		}
	}
	l.announced = time.Now()
	if !l.takeover {
		return nil
	}
	return line.send(&messages.MasterChanged{Master: ref, WebUIURL: webUI})
}

func (l *appLink) tell(line driverLine, ev fsm.Event) error {
	switch ev.Kind {
	case appWaits:
		return line.send(waits(ev.Message))
	case decommissionReminder:
		return l.tellAgain(line, ev.Executor)
	}
	if ev.Index <= l.synced {
		return nil
	}
	switch ev.Kind {
	case fsm.AppRegisteredAgain:
		if time.Since(l.announced) < announcedLately {
			return nil
		}
		return l.announce(line, true)
	case fsm.ExecutorPlaced:
		return line.send(added(ev.Executor))
	case fsm.ExecutorChanged:
		l.remind(line, ev.Executor)
		return line.send(updated(ev.Executor))
	case fsm.WorkerGone:
		return line.send(&messages.WorkerRemoved{ID: ev.Worker.ID, Host: ev.Worker.Host, Reason: ev.Message})
	}
	return nil
}

// goneWithoutWord begins the reason of an application that ended since nobody was there any more.
const goneWithoutWord = "its driver is gone without unregistering"

// tellEnd: a driver that unregistered knows; any other is told, and stops (Master.removeApplication). A driver that has
// registered from the same address since is not this one, and must not be stopped. Nor is one that is about to register
// from the address of a driver that is gone: there is nobody to tell.
func (l *appLink) tellEnd(line driverLine, final *fsm.App) {
	if final.State == fsm.AppFinished || final.Vanished {
		return
	}
	if l.succeeded() {
		return
	}
	if err := line.send(&messages.ApplicationRemoved{Reason: final.State.String()}); err != nil {
		l.log.Debug("the driver could not be told of its application's end", "error", err)
	}
}

// waits lets a driver say in its log why it gets no executor: Spark's protocol has no message for that, but AppClient
// writes the text of an ExecutorUpdated down and does nothing more with one whose state is no end (tried with 3.4 to 4.3).
func waits(text string) *messages.ExecutorUpdated {
	return &messages.ExecutorUpdated{ID: noExecutor, State: messages.ExecutorLaunching, Message: text}
}

func added(e *fsm.Executor) *messages.ExecutorAdded {
	return &messages.ExecutorAdded{
		ID: e.ID, WorkerID: e.WorkerID, HostPort: messages.Address{Host: e.WorkerHost, Port: e.WorkerPort}.String(), Cores: e.Cores, MemoryMB: e.MemoryMB,
	}
}

func updated(e *fsm.Executor) *messages.ExecutorUpdated {
	u := &messages.ExecutorUpdated{ID: e.ID, State: sparkState(e.State), Message: e.Message, ExitStatus: e.ExitStatus}
	if e.HostLost || e.State == fsm.ExecutorDecommissioned {
		u.WorkerHost = e.WorkerHost
	}
	return u
}

// reach finds a way to the driver. Without one it gives the reason why the driver counts as gone.
func (l *appLink) reach(ctx context.Context) (line driverLine, reason string) {
	since := time.Now()
	retry := firstDriverRetry
	for ctx.Err() == nil {
		if line, ok := l.find(); ok {
			return line, ""
		}
		l.learnDialect()
		if l.mute != nil {
			return nil, fmt.Sprintf("its driver at %s cannot be spoken to: %v", l.driver, l.mute)
		}
		line, err := l.dialOnce(ctx)
		if err == nil {
			return line, ""
		}
		// A driver behind an address translation may refuse us and yet have a connection with another master.
		if line, err := l.relay(ctx, l); err == nil {
			return line, ""
		}
		if reason := l.certain(ctx, err); reason != "" {
			return nil, reason
		}
		if _, live := l.live(l.state()); !live {
			return nil, "it has ended"
		}
		if silent := time.Since(since); silent >= driverGrace {
			return nil, fmt.Sprintf("its driver at %s cannot be reached for %d s: %v", l.driver, int(silent.Seconds()), err)
		}
		if !delay.For(ctx, retry) {
			break
		}
		retry = min(2*retry, lastDriverRetry)
	}
	return nil, ""
}

// certain gives the reason where an attempt to dial tells that the driver is gone.
func (l *appLink) certain(ctx context.Context, err error) (reason string) {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		reason = fmt.Sprintf("%s: nothing listens at %s", goneWithoutWord, l.driver)
	case errors.Is(err, errNoDriver):
		reason = fmt.Sprintf("%s: at %s %v", goneWithoutWord, l.driver, errNoDriver)
	default:
		return ""
	}
	if !l.spoken && l.takeover {
		// What it said last may have gone to another master, and be on its way here.
		delay.For(ctx, farewellTime)
	}
	return reason
}

// learnDialect finds out how the driver is spoken to over a connection that it has not opened.
func (l *appLink) learnDialect() {
	if l.learn == nil {
		return
	}
	l.dialect, l.mute = l.learn()
	l.learn = nil
	if l.mute != nil {
		l.log.Error("a driver can only be spoken to over a connection of its own", "error", l.mute)
	}
}

func (l *appLink) dialOnce(ctx context.Context) (driverLine, error) {
	l.learnDialect()
	if l.mute != nil {
		return nil, l.mute
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return l.dial(ctx)
}

// declareGone ends the application of a driver that is gone. The original calls such an application FINISHED; it is not.
func (l *appLink) declareGone(ctx context.Context, reason string) {
	for ctx.Err() == nil {
		if _, live := l.live(l.state()); !live {
			return
		}
		err := l.gone(ctx, l.app, reason)
		if err == nil || fsm.RefusalCode(err) != fsm.CodeOK {
			return
		}
		l.log.Warn("the end of an application could not be committed; trying again", "app", l.app.ID, "error", err)
		if !delay.For(ctx, lastDriverRetry) {
			return
		}
	}
}

func (l *appLink) lostRelay() {
	select {
	case l.relayed <- struct{}{}:
	default:
	}
}

func closed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

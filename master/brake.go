package master

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// brakeRules say when so many workers seem lost at once that it is rather the leader that is cut off.
type brakeRules struct {
	share   float64       // of all workers
	least   int           // and never fewer than this
	window  time.Duration // in which losses are "at once"
	hold    time.Duration // for which verdicts are held
	longest time.Duration // for which a worker is spared that another master reaches and this one does not
}

var defaultBrake = brakeRules{share: 0.2, least: 3, window: 5 * time.Second, hold: 15 * time.Second, longest: time.Minute}

// limit is how many of so many workers may be lost at once.
func (r brakeRules) limit(workers int) int { return max(r.least, int(r.share*float64(workers))) }

const (
	// inspectEvery is how often a leader that doubts itself asks again, staleInspection how long an answer counts.
	inspectEvery    = 2 * time.Second
	staleInspection = 3 * inspectEvery
)

// brake holds verdicts back while the leader doubts itself: it has a majority confirm its lead, and asks the other masters
// whether they reach the workers. After a while it goes on where its lead is confirmed, since a whole rack can be lost, but
// for workers that another master reaches. Its state is replicated: the next leader waits no longer than this one would have.
type brake struct {
	log     *slog.Logger
	rules   brakeRules
	inspect func(ctx context.Context, workerIDs []string) inspection
	save    func(ctx context.Context, b fsm.Brake) error
	give    func(ctx context.Context, master string) error // hands leadership over
	dead    func(workerID string) bool                     // and it has not come back

	saving  sync.Mutex // one at a time, so that the last one is the newest
	mu      sync.Mutex
	now     fsm.Brake
	dirty   bool                 // now is not saved
	fallen  map[string]time.Time // workers that verdicts were given on
	found   inspection
	foundAt time.Time
	looking bool
	// released is when it was last.
	released time.Time
	passing  bool // it was said that verdicts are given again
}

// inspection is what a leader has found out about itself.
type inspection struct {
	lead    error                      // nil: a majority confirms it
	asked   int                        // workers that were asked after
	reached map[string]map[string]bool // by master: the workers that answer it
	silent  []string                   // masters that gave no answer
}

// best is the master that reaches the most of the workers.
func (i inspection) best() (master string, workers int) {
	for _, id := range slices.Sorted(maps.Keys(i.reached)) {
		if n := len(i.reached[id]); n > workers {
			master, workers = id, n
		}
	}
	return master, workers
}

func (i inspection) reaches(workerID string) (master string, ok bool) {
	for id, workers := range i.reached {
		if workers[workerID] {
			return id, true
		}
	}
	return "", false
}

func newBrake(log *slog.Logger, rules brakeRules) *brake {
	return &brake{
		log: log, rules: rules, fallen: map[string]time.Time{}, dead: func(string) bool { return true },
		inspect: func(context.Context, []string) inspection { return inspection{} },
		save:    func(context.Context, fsm.Brake) error { return nil },
		give:    func(context.Context, string) error { return nil },
	}
}

// inherit takes the last leader's brake over. One that lasts longer than ours could was set by a clock that is far off.
func (b *brake) inherit(last fsm.Brake) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = last
	if last.Since == 0 {
		return
	}
	if most := time.Now().Add(b.rules.hold).UnixMilli(); last.Until > most {
		b.now.Until, b.dirty = most, true
	}
	b.log.Warn("the last leader held verdicts on workers back", "since", time.UnixMilli(last.Since), "until", time.UnixMilli(b.now.Until), "suspects", last.Suspects)
}

// excuses tells whether a doubt that began then is rather the leader's own trouble: verdicts are held, or were since.
func (b *brake) excuses(since time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now.Since != 0 || b.released.After(since)
}

// allows tells whether a verdict may be given, where doubted are all workers that leave questions unanswered.
func (b *brake) allows(workerID string, doubted []string, workers int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := time.Now()
	if b.now.Since == 0 {
		if !slices.Contains(doubted, workerID) {
			doubted = append(doubted, workerID)
		}
		n, of := b.count(doubted, workers, at)
		if n <= b.rules.limit(of) {
			b.fallen[workerID] = at
			return true
		}
		b.pull(at, n, of)
		return false
	}
	if at.UnixMilli() < b.now.Until || b.found.lead != nil || at.Sub(b.foundAt) > staleInspection {
		return false
	}
	if master, ok := b.found.reaches(workerID); ok && at.Sub(time.UnixMilli(b.now.Since)) < b.rules.longest {
		b.log.Warn("a worker is spared: another master reaches it", "worker", workerID, "master", master)
		return false
	}
	if !b.passing {
		b.passing = true
		b.log.Error("this leader's lead is confirmed: verdicts on workers are given again", "held", at.Sub(time.UnixMilli(b.now.Since)).Round(time.Second))
	}
	return true
}

// count is how many workers seem lost at once, of how many: those in doubt, and those that were declared lost within the
// window and are not back.
func (b *brake) count(doubted []string, workers int, at time.Time) (lost, of int) {
	maps.DeleteFunc(b.fallen, func(id string, t time.Time) bool { return at.Sub(t) > b.rules.window || !b.dead(id) })
	return len(doubted) + len(b.fallen), workers + len(b.fallen)
}

func (b *brake) pull(at time.Time, suspects, workers int) {
	b.now = fsm.Brake{Since: at.UnixMilli(), Until: at.Add(b.rules.hold).UnixMilli(), Suspects: suspects, Workers: workers}
	b.dirty, b.passing, b.foundAt = true, false, time.Time{}
	b.log.Error("so many workers seem lost at once that it may be this leader that is cut off: verdicts are held while it asks the other masters",
		"suspects", suspects, "workers", workers, "limit", b.rules.limit(workers), "until", time.UnixMilli(b.now.Until))
}

// release ends the brake when few enough workers are in doubt.
func (b *brake) release(doubted []string, workers int) {
	if b.now.Since == 0 {
		return
	}
	if n, of := b.count(doubted, workers, time.Now()); n > b.rules.limit(of) {
		return
	}
	b.log.Warn("few workers are in doubt any more: verdicts are no longer held", "in doubt", len(doubted), "held", time.Since(time.UnixMilli(b.now.Since)).Round(time.Second))
	b.now, b.dirty, b.released = fsm.Brake{}, true, time.Now()
	clear(b.fallen)
}

// tendBrake does what is due while verdicts are held.
func (l *liveness) tendBrake(ctx context.Context, workers int) {
	doubted, _ := l.unanswering()
	b := l.brake
	b.mu.Lock()
	defer b.mu.Unlock()
	// A leader that has only begun does not know yet who is in doubt.
	if time.Since(l.since) >= graceTime {
		b.release(doubted, workers)
	}
	if b.dirty {
		b.dirty = false
		l.spawn(ctx, func() { b.keep(ctx) })
	}
	if b.now.Since != 0 && !b.looking && time.Since(b.foundAt) >= inspectEvery {
		b.looking = l.spawn(ctx, func() { b.look(ctx, doubted) })
	}
}

// spawn runs f as a part of the term.
func (l *liveness) spawn(ctx context.Context, f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || ctx.Err() != nil {
		return false
	}
	l.wg.Go(f)
	return true
}

// keep has the brake committed as it is now, for the next leader.
func (b *brake) keep(ctx context.Context) {
	b.saving.Lock()
	defer b.saving.Unlock()
	b.mu.Lock()
	state := b.now
	b.mu.Unlock()
	if err := b.save(ctx, state); err != nil && ctx.Err() == nil {
		b.log.Warn("that verdicts are held could not be committed; it is tried again", "error", err)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.dirty = true
	}
}

// look has this leader inspected, and gives way to a master that reaches most of what it does not: once, since two masters
// that each reach a half would pass the lead to and fro.
func (b *brake) look(ctx context.Context, doubted []string) {
	found := b.inspect(ctx, doubted)
	master, n := found.best()
	b.mu.Lock()
	b.found, b.foundAt, b.looking = found, time.Now(), false
	way := b.now.Since != 0 && !b.now.HandedOver && found.lead == nil && found.asked > 0 && 2*n > found.asked
	if way {
		b.now.HandedOver = true
	}
	b.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	b.log.Error("verdicts on workers are held", "lead confirmed", found.lead == nil, "why not", found.lead, "asked after", found.asked,
		"reached by", master, "reaches", n, "masters without an answer", found.silent)
	if !way {
		return
	}
	b.log.Error("another master reaches most of the workers that this leader does not: it is given the lead", "master", master, "reaches", n, "asked after", found.asked)
	b.keep(ctx)
	if err := b.give(ctx, master); err != nil && ctx.Err() == nil {
		b.log.Error("the lead could not be handed over", "to", master, "error", err)
	}
}

package fsm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
)

// follower folds events into what lives, which must agree with the state at every step.
type follower struct {
	workers map[string]bool
	apps    map[string]bool
	execs   map[string]ExecutorState
	drivers map[string]DriverState
}

func execName(e *Executor) string { return fmt.Sprint(e.AppID, "/", e.ID, "@", e.WorkerID) }

func follow(s *State) *follower {
	f := &follower{map[string]bool{}, map[string]bool{}, map[string]ExecutorState{}, map[string]DriverState{}}
	for w := range s.Workers() {
		if w.State != WorkerDead {
			f.workers[w.ID] = true
		}
		for e := range s.ExecutorsOn(w.ID) {
			f.execs[execName(e)] = e.State
		}
	}
	for a := range s.Apps() {
		f.apps[a.ID] = true
	}
	for d := range s.Drivers() {
		f.drivers[d.ID] = d.State
	}
	return f
}

func (f *follower) fold(e Event) error {
	switch e.Kind {
	case WorkerChanged:
		f.workers[e.Worker.ID] = true
	case WorkerGone:
		delete(f.workers, e.Worker.ID)
	case AppChanged:
		f.apps[e.App.ID] = true
	case AppRegisteredAgain:
		if !f.apps[e.App.ID] {
			return fmt.Errorf("%s is registered again and was not known", e.App.ID)
		}
	case AppEnded:
		if !f.apps[e.App.ID] {
			return fmt.Errorf("%s ended and was not known", e.App.ID)
		}
		delete(f.apps, e.App.ID)
	case ExecutorPlaced:
		if _, ok := f.execs[execName(e.Executor)]; ok {
			return fmt.Errorf("%s is placed twice", execName(e.Executor))
		}
		f.execs[execName(e.Executor)] = e.Executor.State
	case ExecutorChanged, ExecutorDismissed:
		if old, ok := f.execs[execName(e.Executor)]; !ok || old == e.Executor.State {
			return fmt.Errorf("%s changes from %s (known: %v) to %s", execName(e.Executor), old, ok, e.Executor.State)
		}
		f.execs[execName(e.Executor)] = e.Executor.State
		if e.Executor.State.Finished() {
			delete(f.execs, execName(e.Executor))
		}
	case DriverPlaced, DriverChanged:
		f.drivers[e.Driver.ID] = e.Driver.State
		if e.Driver.Ended != 0 || e.Driver.State.Ends() {
			delete(f.drivers, e.Driver.ID)
		}
	case DriverDismissed:
		if f.drivers[e.Driver.ID] != DriverRunning {
			return fmt.Errorf("%s is dismissed and does not run", e.Driver.ID)
		}
	default:
		return fmt.Errorf("an event of kind %d", e.Kind)
	}
	return nil
}

func (f *follower) agrees(s *State) error {
	want := follow(s)
	switch {
	case !maps.Equal(f.workers, want.workers):
		return fmt.Errorf("workers by the events %v, by the state %v", f.workers, want.workers)
	case !maps.Equal(f.apps, want.apps):
		return fmt.Errorf("applications by the events %v, by the state %v", f.apps, want.apps)
	case !maps.Equal(f.execs, want.execs):
		return fmt.Errorf("executors by the events %v, by the state %v", f.execs, want.execs)
	case !maps.Equal(f.drivers, want.drivers):
		return fmt.Errorf("drivers by the events %v, by the state %v", f.drivers, want.drivers)
	}
	return nil
}

// catchUp follows a subscription to a log index and checks after every step that the events led to the state.
func (f *follower) catchUp(ctx context.Context, sub *Subscription, index uint64) error {
	last := uint64(0)
	for {
		s, events, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Index < last || e.Index > s.Index() {
				return fmt.Errorf("an event of index %d after %d, with state %d", e.Index, last, s.Index())
			}
			last = e.Index
			if err := f.fold(e); err != nil {
				return fmt.Errorf("index %d: %w", e.Index, err)
			}
		}
		if err := f.agrees(s); err != nil {
			return fmt.Errorf("index %d: %w", s.Index(), err)
		}
		if s.Index() >= index {
			return nil
		}
	}
}

// Subscribers that come at any moment, while commands are applied, neither lose nor double an event.
func TestSubscribeWhileApplying(t *testing.T) {
	t.Parallel()
	m := New(Config{Fatal: func(err error) { panic(err) }})
	const entries, subscribers = 400, 8
	done := make(chan error, subscribers)
	var subscribed sync.WaitGroup
	for i := range uint64(entries) {
		if i%(entries/subscribers) == 7 {
			subscribed.Add(1)
			go func() {
				s, sub := m.Subscribe()
				subscribed.Done()
				defer sub.Close()
				done <- follow(s).catchUp(t.Context(), sub, entries+1)
			}()
		}
		m.Apply(i+1, 1, busyEntry(int(i)))
	}
	subscribed.Wait() // some may have come after the last entry: one more is for them
	m.Apply(entries+1, 1, nil)
	for range subscribers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// busyEntry is a log entry in which much happens.
func busyEntry(i int) [][]byte {
	w := fmt.Sprint("w", i%5)
	app := fmt.Sprintf("app-%04d", i)
	return [][]byte{
		Encode(&RegisterWorker{Worker: testWorker(w, func(x *Worker) { x.Incarnation = fmt.Sprint(i / 40) })}, ""),
		Encode(&RegisterApplication{App: testApp(i + 1), ID: appIDs}, ""),
		Encode(&RegisterApplication{App: testApp(i + 1), ID: appIDs}, ""),
		Encode(&SubmitDriver{Driver: Driver{Cores: 1, MemoryMB: 1, Build: testBuild, Supervise: i%2 == 0}, ID: driverIDs}, ""),
		Encode(&ApplyPlan{
			Executors: []Placement{{AppSeq: uint64(i + 1), WorkerID: w, Cores: 1}, {AppSeq: uint64(i + 1), WorkerID: "w0", Cores: 1}},
			Drivers:   []DriverPlacement{{fmt.Sprintf("driver-%04d", i), w}},
		}, ""),
		Encode(&ExecutorStateChanged{AppID: app, ID: 0, State: ExecutorRunning}, ""),
		Encode(&WorkerReport{ID: w}, ""),
		Encode(&KillExecutors{AppID: app, IDs: []int{1}}, ""),
		Encode(&KillDriver{ID: fmt.Sprintf("driver-%04d", i-3)}, ""),
		Encode(&DriverStateChanged{ID: fmt.Sprintf("driver-%04d", i-6), State: DriverKilled, At: 1}, ""),
		Encode(&FinishApplication{AppID: fmt.Sprintf("app-%04d", i-4), State: AppFinished}, ""),
	}
}

func TestSubscriptionEnds(t *testing.T) {
	t.Parallel()
	m := New(Config{})
	_, sub := m.Subscribe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := sub.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next: %v", err)
	}
	sub.Close()
	m.Apply(1, 1, busyEntry(1))
	if len(sub.queue) != 0 || len(m.subs) != 0 {
		t.Error("a closed subscription still collects events")
	}
}

// A reader's state stays as it is, whatever comes after it.
func TestStatesAreImmutable(t *testing.T) {
	t.Parallel()
	m := New(Config{Fatal: func(err error) { t.Fatal(err) }})
	type kept struct {
		s      *State
		digest string
	}
	var states []kept
	for i := range 60 {
		m.Apply(uint64(i+1), 1, busyEntry(i))
		states = append(states, kept{m.State(), m.State().Digest()})
	}
	for _, k := range states {
		if k.s.Digest() != k.digest || k.s.Invariants() != nil {
			t.Fatalf("the state at index %d has changed", k.s.Index())
		}
	}
}

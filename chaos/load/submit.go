package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/spark/releases"
)

// SubmitConfig of a stream of driver submissions.
type SubmitConfig struct {
	// REST is http://host:port of each master's REST server, and Masters host:port of its Spark port. A submission by REST goes
	// to one master; the streams take turns, so that all masters are used alike.
	REST, Masters []string
	Scala         string // dialect: "2.12" or "2.13"
	Version       string // of Spark, as REST clients tell it
	// RPC submits by Spark's own client's messages, else it is REST.
	RPC bool
	// Fresh makes every submission a client of its own: with REST on a new connection, with RPC as spark-submit does it, which
	// connects to all masters and asks all of them. Otherwise a stream keeps its connection, to one master.
	Fresh    bool
	InFlight int // submissions at a time
	// Cores of each driver; 0 is 1.
	Cores int
	// Workers are simulated ones, that report every driver FINISHED as soon as it is launched. With 0, drivers wait.
	Workers int
	// Warm is not measured, then it is measured for Measure; each ends sooner when WarmMost, or Most, drivers were submitted. 0 is no end.
	Warm, Measure  time.Duration
	WarmMost, Most int
	// Began and Ended, where set, are called when the measured part begins and ends.
	Began, Ended func()
}

// SubmitResult is what came of it.
type SubmitResult struct {
	Drivers   int           // that were submitted, and where there are workers launched, while it was measured
	Failed    int           // submissions that were refused, or not answered
	First     error         // of the failures
	Before    int           // drivers that were submitted while it warmed up: where there are no workers, they wait
	Took      time.Duration // of the measured part
	ClientCPU time.Duration // of this process
	// Latency is from a request to its answer with the driver's id, by the index of the master that answered; nil of one that did not.
	Latency [][]time.Duration
	// Launch is from a request to the driver's launch at a worker.
	Launch []time.Duration
}

// Rate is drivers a second.
func (r SubmitResult) Rate() float64 { return float64(r.Drivers) / r.Took.Seconds() }

// All are the latencies of all masters.
func (r SubmitResult) All() []time.Duration { return slices.Concat(r.Latency...) }

// client is one stream's way to submit.
type client interface {
	// submit gives the driver's id, which master answered, and when.
	submit(ctx context.Context, n int) (id string, master int, at time.Time, err error)
	close()
}

// submitTimeout bounds one submission; Spark's clients wait for 10 s for each master.
const submitTimeout = 30 * time.Second

var errNoDoor = errors.New("no address to submit to")

// Submit keeps InFlight streams of submissions going.
func Submit(ctx context.Context, c SubmitConfig) (SubmitResult, error) {
	table, err := tableOf(c.Scala)
	if err != nil {
		return SubmitResult{}, err
	}
	doors := len(c.REST)
	if c.RPC {
		doors = len(c.Masters)
	}
	if doors == 0 {
		return SubmitResult{}, errNoDoor
	}
	s := &submitting{SubmitConfig: c, table: table, doors: doors, launches: newLaunches()}
	workers, err := startWorkers(ctx, Config{Masters: c.Masters, Scala: c.Scala, Workers: c.Workers}, table, s.launches.came)
	defer func() {
		for _, w := range workers {
			w.close()
		}
	}()
	if err != nil {
		return SubmitResult{}, err
	}
	return s.run(ctx)
}

// submitting is one call of Submit.
type submitting struct {
	SubmitConfig
	table    *releases.Table
	doors    int
	launches *launches

	next, done atomic.Int64 // submissions begun, and carried out
	failed     atomic.Int64
	first      atomic.Pointer[error]
	ticks      chan struct{} // one for every submission that is done, as far as somebody reads
}

// stream is one of the clients at work.
type stream struct {
	client  client
	latency [][]time.Duration // by master
	launch  []time.Duration
	last    string // its last driver
}

func (s *submitting) run(ctx context.Context) (SubmitResult, error) {
	streams := make([]*stream, s.InFlight)
	defer func() {
		for _, st := range streams {
			if st != nil {
				st.client.close()
			}
		}
	}()
	for i := range streams {
		cl, err := s.client(ctx, i)
		if err != nil {
			return SubmitResult{}, err
		}
		streams[i] = &stream{client: cl, latency: make([][]time.Duration, s.doors)}
	}
	s.ticks = make(chan struct{}, 1)
	run, stop := context.WithCancel(ctx)
	defer stop()
	var phase atomic.Int32
	var wg sync.WaitGroup
	for _, st := range streams {
		wg.Go(func() { s.stream(run, st, &phase) })
	}
	s.until(run, s.Warm, s.WarmMost)
	call(s.Began)
	phase.Store(1)
	before, beforeFailed, cpu, began := s.done.Load(), s.failed.Load(), processCPU(), time.Now()
	s.until(run, s.Measure, s.Most)
	phase.Store(2)
	r := SubmitResult{
		Drivers: int(s.done.Load() - before), Failed: int(s.failed.Load() - beforeFailed), Before: int(before),
		Took: time.Since(began), ClientCPU: processCPU() - cpu, Latency: make([][]time.Duration, s.doors),
	}
	call(s.Ended)
	stop()
	wg.Wait()
	if e := s.first.Load(); e != nil {
		r.First = *e
	}
	for _, st := range streams {
		r.Launch = append(r.Launch, st.launch...)
		for i := range st.latency {
			r.Latency[i] = append(r.Latency[i], st.latency[i]...)
		}
	}
	if err := ctx.Err(); err != nil {
		return r, err
	}
	return r, s.finished(ctx, streams)
}

// until waits for a time, or for so many submissions.
func (s *submitting) until(ctx context.Context, d time.Duration, most int) {
	if most == 0 {
		delay.For(ctx, d)
		return
	}
	end := s.done.Load() + int64(most)
	limit := time.NewTimer(d)
	defer limit.Stop()
	for s.done.Load() < end {
		select {
		case <-s.ticks:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// stream submits one driver after the other. What it measures counts in phase 1 only.
func (s *submitting) stream(ctx context.Context, st *stream, phase *atomic.Int32) {
	for ctx.Err() == nil {
		began, counts := time.Now(), phase.Load() == 1
		id, master, answered, launched, err := s.one(ctx, st.client)
		if err != nil {
			if ctx.Err() == nil {
				s.failed.Add(1)
				s.first.CompareAndSwap(nil, &err)
			}
			continue
		}
		st.last = id
		s.done.Add(1)
		select {
		case s.ticks <- struct{}{}:
		default:
		}
		if counts && phase.Load() == 1 {
			st.latency[master] = append(st.latency[master], answered.Sub(began))
			if s.Workers > 0 {
				st.launch = append(st.launch, launched.Sub(began))
			}
		}
	}
}

func (s *submitting) one(ctx context.Context, c client) (id string, master int, answered, launched time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	id, master, answered, err = c.submit(ctx, int(s.next.Add(1)))
	if err != nil || s.Workers == 0 {
		return id, master, answered, launched, err
	}
	launched, err = s.launches.wait(ctx, id)
	return id, master, answered, launched, err
}

func (s *submitting) client(ctx context.Context, n int) (client, error) {
	if s.RPC {
		return s.rpcClient(ctx, n)
	}
	return s.restClient(n), nil
}

// finished asks for the last driver of every stream until it is FINISHED: what the workers reported has come in.
func (s *submitting) finished(ctx context.Context, streams []*stream) error {
	if s.Workers == 0 || len(s.REST) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	q := newAsker(s.REST[0], false)
	defer q.close()
	for _, st := range streams {
		for st.last != "" {
			state, err := q.status(ctx, st.last)
			if err != nil {
				return fmt.Errorf("wait for driver %s to be FINISHED: %w", st.last, err)
			}
			if state == "FINISHED" {
				break
			}
			if !delay.For(ctx, 20*time.Millisecond) {
				return fmt.Errorf("driver %s is %q, and should be FINISHED: %w", st.last, state, ctx.Err())
			}
		}
	}
	return nil
}

// launches tells when drivers were launched, whichever is known first: their launch or their id.
type launches struct {
	mu      sync.Mutex
	at      map[string]time.Time
	waiting map[string]chan time.Time
}

func newLaunches() *launches {
	return &launches{at: map[string]time.Time{}, waiting: map[string]chan time.Time{}}
}

// came is told of a launch at a worker.
func (l *launches) came(driverID string) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.waiting[driverID]; ok {
		delete(l.waiting, driverID)
		c <- now
		return
	}
	l.at[driverID] = now
}

// wait gives the time of a driver's launch.
func (l *launches) wait(ctx context.Context, driverID string) (time.Time, error) {
	l.mu.Lock()
	if at, ok := l.at[driverID]; ok {
		delete(l.at, driverID)
		l.mu.Unlock()
		return at, nil
	}
	c := make(chan time.Time, 1)
	l.waiting[driverID] = c
	l.mu.Unlock()
	select {
	case at := <-c:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("driver %s was not launched: %w", driverID, ctx.Err())
	}
}

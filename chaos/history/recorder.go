package history

import (
	"math"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Recorder collects a history. Its methods may be called from everywhere; times are those of the call unless they are
// given.
type Recorder struct {
	began time.Time

	mu        sync.Mutex
	apps      map[string]*appHistory
	execs     map[executorKey]*executorHistory
	workers   map[string]*workerHistory
	appReads  []read[Sighting]
	execReads []execRead
	appOf     map[string]string // id -> name
	faults    map[string][]Time // of workers, that may end their executors

	drivers     map[string]*driverHistory
	driverReads []read[DriverSighting]
}

// Time is a moment of a history: nanoseconds since its beginning, by the monotonic clock.
type Time int64

// never is the return of an operation that may be carried out at any time, or not at all.
const never = Time(math.MaxInt64)

// New begins a history.
func New() *Recorder {
	return &Recorder{
		began: time.Now(), apps: map[string]*appHistory{}, execs: map[executorKey]*executorHistory{},
		workers: map[string]*workerHistory{}, appOf: map[string]string{}, faults: map[string][]Time{}, drivers: map[string]*driverHistory{},
	}
}

// Now is the present moment.
func (r *Recorder) Now() Time { return Time(time.Since(r.began)) }

// At places a moment that time.Now gave.
func (r *Recorder) At(t time.Time) Time { return Time(t.Sub(r.began)) }

// op is an operation of any of the models; in is what the model's step switches over.
type op struct {
	call, ret Time
	in        any
}

func (o op) porcupine(client int) porcupine.Operation {
	return porcupine.Operation{ClientId: client, Input: o.in, Call: int64(o.call), Return: int64(o.ret)}
}

func moment(at Time, in any) op { return op{at, at, in} }

// Counts says how much a recorder holds: a check of nothing proves nothing.
type Counts struct {
	Registered   int // applications whose driver got an answer
	Unanswered   int // applications whose driver got none
	Unregistered int
	Vanished     int // drivers that left, with or without a word
	Launches     int // executors started by workers
	AppReads     int // linearizable
	ExecReads    int // linearizable
	Submitted    int // drivers of cluster mode whose submitter got an answer
}

// Counts counts.
func (r *Recorder) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := Counts{AppReads: len(r.appReads), ExecReads: len(r.execReads)}
	for _, a := range r.apps {
		if a.answered() {
			c.Registered++
		} else {
			c.Unanswered++
		}
		c.Unregistered += a.count(func(in any) bool { _, ok := in.(unregister); return ok })
		c.Vanished += a.count(func(in any) bool { _, ok := in.(leave); return ok })
	}
	for _, d := range r.drivers {
		if d.answered() {
			c.Submitted++
		}
	}
	for _, e := range r.execs {
		for _, o := range e.ops {
			if _, ok := o.in.(launch); ok {
				c.Launches++
			}
		}
	}
	return c
}

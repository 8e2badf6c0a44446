package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/spark/releases"
	"golang.org/x/sys/unix"
)

// Config of a churn of applications.
type Config struct {
	Masters  []string // host:port of the Spark ports; drivers and workers use all of them
	Scala    string   // dialect: "2.12" or "2.13"
	Workers  int
	InFlight int           // applications at a time
	Held     int           // applications beside them that stay, with one executor each
	Warm     time.Duration // not measured
	Measure  time.Duration
	// Began and Ended, where set, are called when the measured part begins and ends: what the masters used in it is read there.
	Began, Ended func()
}

// Result of a churn.
type Result struct {
	Apps      int           `json:"apps"` // that went the whole way while it was measured
	Failed    int           `json:"failed"`
	Took      time.Duration `json:"took"`
	ClientCPU time.Duration `json:"clientCPU"` // of this process
}

// Rate is applications a second.
func (r Result) Rate() float64 { return float64(r.Apps) / r.Took.Seconds() }

// Churn registers simulated workers, then keeps InFlight applications going, each: register, one executor launched and
// reported RUNNING, unregister.
func Churn(ctx context.Context, c Config) (Result, error) {
	table, err := tableOf(c.Scala)
	if err != nil {
		return Result{}, err
	}
	workers, err := startWorkers(ctx, c, table, nil)
	defer func() {
		for _, w := range workers {
			w.close()
		}
	}()
	if err != nil {
		return Result{}, err
	}
	held := &Crowd{masters: c.Masters, table: table}
	defer held.Close()
	if err := held.Hold(ctx, c.Held, 1); err != nil {
		return Result{}, err
	}
	var done, failed atomic.Int64
	run, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for range c.InFlight {
		wg.Go(func() {
			for run.Err() == nil {
				switch err := one(run, table, c.Masters); {
				case err == nil:
					done.Add(1)
				case run.Err() == nil:
					failed.Add(1)
				}
			}
		})
	}
	delay.For(run, c.Warm)
	call(c.Began)
	before, beforeFailed, cpu, began := done.Load(), failed.Load(), processCPU(), time.Now()
	delay.For(run, c.Measure)
	r := Result{Apps: int(done.Load() - before), Failed: int(failed.Load() - beforeFailed), Took: time.Since(began), ClientCPU: processCPU() - cpu}
	call(c.Ended)
	stop()
	wg.Wait()
	return r, ctx.Err()
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// startWorkers starts workers that tell of every driver that is launched, where launched is not nil.
func startWorkers(ctx context.Context, c Config, table *releases.Table, launched func(driverID string)) ([]*worker, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	workers := make([]*worker, c.Workers)
	errs := make([]error, c.Workers)
	gate := make(chan struct{}, 32)
	var wg sync.WaitGroup
	for i := range workers {
		gate <- struct{}{}
		wg.Go(func() {
			workers[i], errs[i] = startWorker(ctx, i, table, c.Masters, launched)
			<-gate
		})
	}
	wg.Wait()
	var started []*worker
	for _, w := range workers {
		if w != nil {
			started = append(started, w)
		}
	}
	return started, errors.Join(errs...)
}

// appTimeout bounds one application's life.
const appTimeout = 60 * time.Second

func one(ctx context.Context, table *releases.Table, masters []string) error {
	ctx, cancel := context.WithTimeout(ctx, appTimeout)
	defer cancel()
	a, err := simapp.New(simapp.Config{Table: table, Cores: 1})
	if err != nil {
		return err
	}
	defer a.Close()
	if _, _, err := a.Register(ctx, "churn", masters, 20*time.Second); err != nil {
		return err
	}
	if err := a.WaitRunning(ctx); err != nil {
		return err
	}
	return a.Unregister()
}

func tableOf(scala string) (*releases.Table, error) {
	var found *releases.Table
	for _, t := range releases.Tables() {
		if t.Scala() == scala {
			found = t // the newest is the last
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no class table for Scala %q", scala)
	}
	return found, nil
}

func processCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

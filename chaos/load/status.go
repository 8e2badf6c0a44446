package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firesteel/firesteel/internal/delay"
)

// StatusConfig of a stream of questions after drivers that wait.
type StatusConfig struct {
	// REST is http://host:port of each master's REST server, and Masters host:port of its Spark port.
	REST, Masters []string
	Scala         string // dialect of the workers: "2.12" or "2.13"
	Version       string // of Spark, as clients tell it
	Workers       int    // simulated ones; the drivers want more cores than they have
	Waiting       int    // drivers
	InFlight      int
	Warm          time.Duration // not measured
	Measure       time.Duration
	// Began and Ended, where set, are called when the measured part begins and ends.
	Began, Ended func()
}

// StatusResult is what came of it.
type StatusResult struct {
	Failed    int // questions that were not answered with SUBMITTED
	First     error
	Took      time.Duration
	ClientCPU time.Duration
	Latency   [][]time.Duration // by the index of the master
}

// Status submits drivers, which nobody runs, and asks where they stand, at random, over all masters and kept connections.
func Status(ctx context.Context, c StatusConfig) (StatusResult, error) {
	table, err := tableOf(c.Scala)
	if err != nil {
		return StatusResult{}, err
	}
	workers, err := startWorkers(ctx, Config{Masters: c.Masters, Workers: c.Workers}, table, nil)
	defer func() {
		for _, w := range workers {
			w.close()
		}
	}()
	if err != nil {
		return StatusResult{}, err
	}
	ids, err := park(ctx, c)
	if err != nil {
		return StatusResult{}, err
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	var measuring atomic.Bool
	var wg sync.WaitGroup
	var mu sync.Mutex
	r := StatusResult{Latency: make([][]time.Duration, len(c.REST))}
	for i := range c.InFlight {
		wg.Go(func() {
			master := i % len(c.REST)
			q := newAsker(c.REST[master], false)
			defer q.close()
			var took []time.Duration
			failed, first := 0, error(nil)
			for run.Err() == nil {
				began := time.Now()
				err := isWaiting(run, q, ids[rand.IntN(len(ids))])
				switch {
				case !measuring.Load() || run.Err() != nil:
				case err != nil:
					failed++
					first = err
				default:
					took = append(took, time.Since(began))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			r.Latency[master] = append(r.Latency[master], took...)
			if r.Failed += failed; first != nil {
				r.First = first
			}
		})
	}
	delay.For(run, c.Warm)
	call(c.Began)
	cpu, began := processCPU(), time.Now()
	measuring.Store(true)
	delay.For(run, c.Measure)
	measuring.Store(false)
	r.Took, r.ClientCPU = time.Since(began), processCPU()-cpu
	call(c.Ended)
	stop()
	wg.Wait()
	return r, ctx.Err()
}

func isWaiting(ctx context.Context, q *asker, id string) error {
	state, err := q.status(ctx, id)
	if err == nil && state != "SUBMITTED" {
		err = fmt.Errorf("driver %s is %q, and should wait", id, state)
	}
	return err
}

// park submits drivers that wait, and gives their ids.
func park(ctx context.Context, c StatusConfig) ([]string, error) {
	s := &submitting{SubmitConfig: SubmitConfig{REST: c.REST, Version: c.Version, Cores: 2 * workerCores}}
	ids := make([]string, c.Waiting)
	errs := make([]error, c.InFlight)
	var next atomic.Int64
	var wg sync.WaitGroup
	for i := range c.InFlight {
		wg.Go(func() {
			cl := s.restClient(i)
			defer cl.close()
			for n := next.Add(1); n <= int64(len(ids)) && errs[i] == nil; n = next.Add(1) {
				ids[n-1], _, _, errs[i] = cl.submit(ctx, int(n))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("submit %d drivers that wait: %w", c.Waiting, err)
		}
	}
	return ids, nil
}

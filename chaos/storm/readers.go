package storm

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/history"
)

// readers ask every master, all the time.
type readers struct {
	rec *history.Recorder
	complain

	wg   sync.WaitGroup
	stop context.CancelFunc

	mu      sync.Mutex
	digests map[uint64]digestAt // by index
	compare int                 // how often two masters stood at one index
	failed  int                 // reads without an answer
}

// digestAt is the first digest seen at an index.
type digestAt struct{ master, digest string }

const (
	readEvery   = 250 * time.Millisecond
	readTimeout = 2 * time.Second
	digestEvery = 2 * time.Second
)

func (r *readers) start(ctx context.Context, masters []*cluster.Master) {
	ctx, r.stop = context.WithCancel(ctx)
	r.digests = map[uint64]digestAt{}
	for _, m := range masters {
		r.every(ctx, readEvery, func(ctx context.Context) error { return r.apps(ctx, m.Web()) })
		r.every(ctx, readEvery, func(ctx context.Context) error { return r.executors(ctx, m.Web()) })
		r.every(ctx, digestEvery, func(ctx context.Context) error { return r.digest(ctx, m.ID, m.Web()) })
	}
}

// every reads again and again. A read that fails is no defect: masters are dead or alone at times.
func (r *readers) every(ctx context.Context, pause time.Duration, read func(context.Context) error) {
	r.wg.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			one, cancel := context.WithTimeout(ctx, readTimeout)
			if err := read(one); err != nil {
				r.mu.Lock()
				r.failed++
				r.mu.Unlock()
			}
			cancel()
		}
	})
}

func (r *readers) apps(ctx context.Context, web string) error {
	call := r.rec.Now()
	b, err := books.ReadLinearizable(ctx, web)
	if err != nil {
		return err
	}
	var all []history.Sighting
	for _, a := range b.ActiveApps {
		all = append(all, history.Sighting{Name: a.Name, ID: a.ID, Active: true, State: a.State})
	}
	for _, a := range b.CompletedApps {
		all = append(all, history.Sighting{Name: a.Name, ID: a.ID, State: a.State})
	}
	r.rec.ReadApps(call, all)
	var drivers []history.DriverSighting
	for _, d := range b.ActiveDrivers {
		drivers = append(drivers, history.DriverSighting{Name: d.MainClass, ID: d.ID, State: d.State})
	}
	for _, d := range b.CompletedDrivers {
		drivers = append(drivers, history.DriverSighting{Name: d.MainClass, ID: d.ID, Ended: true, State: d.State})
	}
	r.rec.ReadDrivers(call, drivers)
	if err := b.Check(); err != nil {
		r.complain("the books of %s do not add up: %v", b.URL, err)
	}
	return nil
}

func (r *readers) executors(ctx context.Context, web string) error {
	call := r.rec.Now()
	execs, err := books.LinearizableExecutors(ctx, web)
	if err != nil {
		return err
	}
	var all []history.Placed
	for _, e := range execs {
		all = append(all, history.Placed{App: e.App, ID: e.ID, Worker: e.Worker})
	}
	r.rec.ReadExecutors(call, all)
	return nil
}

func (r *readers) digest(ctx context.Context, id, web string) error {
	d, err := books.ReadDigest(ctx, web)
	if err != nil {
		return err
	}
	return r.sawDigest(id, d)
}

// sawDigest holds a digest against those that other masters had at the same index.
func (r *readers) sawDigest(id string, d books.Digest) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, ok := r.digests[d.Index]
	if !ok {
		r.digests[d.Index] = digestAt{id, d.Digest}
		return nil
	}
	if before.master != id {
		r.compare++
	}
	if before.digest != d.Digest {
		err := fmt.Errorf("at index %d master %s has the digest %s, and %s had %s", d.Index, id, d.Digest, before.master, before.digest)
		r.complain("%v", err)
		return err
	}
	return nil
}

func (r *readers) end() {
	r.stop()
	r.wg.Wait()
}

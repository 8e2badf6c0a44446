package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/spark/releases"
)

// Crowd is simulated workers and applications that stay.
type Crowd struct {
	masters []string
	table   *releases.Table
	workers []*worker

	mu   sync.Mutex
	apps []*simapp.App
}

// Start registers the workers of c; there may be none. Of c it uses Masters, Scala and Workers.
func Start(ctx context.Context, c Config) (*Crowd, error) {
	table, err := tableOf(c.Scala)
	if err != nil {
		return nil, err
	}
	crowd := &Crowd{masters: c.Masters, table: table}
	if crowd.workers, err = startWorkers(ctx, c, table, nil); err != nil {
		crowd.Close()
		return nil, err
	}
	return crowd, nil
}

// holdTimeout bounds one registration; a real driver asks again after 20 s, three times.
const holdTimeout = 80 * time.Second

// Hold registers applications that want so many executors each, and keeps them. It does not wait for the executors.
func (c *Crowd) Hold(ctx context.Context, apps, executors int) error {
	gate := make(chan struct{}, 32)
	errs := make([]error, apps)
	var wg sync.WaitGroup
	for i := range apps {
		gate <- struct{}{}
		wg.Go(func() {
			errs[i] = c.hold(ctx, executors)
			<-gate
		})
	}
	wg.Wait()
	failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d applications were not registered, the first because: %w", len(failed), apps, failed[0])
	}
	return nil
}

func (c *Crowd) hold(ctx context.Context, executors int) error {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	a, err := simapp.New(simapp.Config{Table: c.table, Cores: executors})
	if err != nil {
		return err
	}
	if _, _, err := a.Register(ctx, "held", c.masters, 20*time.Second); err != nil {
		return errors.Join(err, a.Close())
	}
	c.mu.Lock()
	c.apps = append(c.apps, a)
	c.mu.Unlock()
	return nil
}

// Close lets all of them go without a word, as when their machines are switched off.
func (c *Crowd) Close() {
	var wg sync.WaitGroup
	for _, a := range c.apps {
		wg.Go(func() { _ = a.Close() }) // it is over
	}
	for _, w := range c.workers {
		wg.Go(w.close)
	}
	wg.Wait()
}

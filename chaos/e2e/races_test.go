//go:build realspark

package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/chaos/spark"
)

// TestBackToBackKills kills the leader ten times, each as soon as the one before has a successor: A, B, A, ... A master
// that was killed is started again at once and has no time to catch up. All the while jobs of both releases run and
// drivers register, in the middle of each kill. Every driver gets one application, no executor is launched twice or
// forgotten, and after each kill the books agree with what the workers say that they run.
func TestBackToBackKills(t *testing.T) {
	f := begin(t)
	jobs := f.launchAll(spark.JobConfig{Program: "rounds", Args: []string{"until"}, Conf: map[string]string{"spark.cores.max": "1"}})
	f.atRound(jobs, nil)
	var late []*spark.Job
	crowd := newCrowd(f)
	for i := range 10 {
		if i%3 == 1 { // a driver takes seconds to start: its registration falls into one of the next kills
			late = append(late, f.launch(suite.releases[i%len(suite.releases)], spark.JobConfig{Program: "rounds", Args: []string{"1"}, Name: fmt.Sprint(i), Conf: map[string]string{"spark.cores.max": "1"}}))
		}
		before := marks(jobs)
		registered := crowd.register(3)
		dead, killed := f.killLeader()
		next, err := f.WaitLeader(f.ctx, dead.Term+1)
		f.must(err)
		took := time.Since(killed)
		f.must(dead.Master.Start())
		f.must(registered())
		t.Logf("kill %d: %s -> %s after %d ms, three more drivers registered after %d ms", i+1, dead.Master.ID, next.Master.ID, took.Milliseconds(), time.Since(killed).Milliseconds())
		for i, j := range jobs {
			f.awaitAfter(j, before[i], spark.MasterChanged)
		}
		f.agree()
	}
	f.atRound(jobs, marks(jobs))
	_, err := f.WaitWhole(f.ctx)
	f.must(err)
	crowd.end()
	for _, j := range late {
		f.succeeded(j)
		f.undisturbed(j, 1)
	}
	for _, j := range jobs {
		f.undisturbed(j, 1)
	}
	f.stop(jobs...)
	f.quiet()
}

// TestLeaderKilledWhileAllocationScales kills the leader in the moment in which a driver is given its first executor on
// the way up, and again in the moment in which the first one goes on the way down. The job itself sees to it that all
// its executors come and go, twice.
func TestLeaderKilledWhileAllocationScales(t *testing.T) {
	f := begin(t)
	jobs := f.launchAll(spark.Dynamic(workers))
	f.await(jobs[0], spark.ExecutorAdded)
	f.killAndRestart("while the first executors are added")
	up := f.await(jobs[0], firstPhaseUp)
	f.awaitAfter(jobs[0], up.N, givenBack)
	f.killAndRestart("while executors are given back")
	for _, j := range jobs {
		f.succeeded(j)
	}
	f.quiet()
}

// Lines of the job dynamic: all executors are there; fewer of them are.
var (
	firstPhaseUp = regexp.MustCompile(`^PHASE first up`)
	givenBack    = regexp.MustCompile(`^EXECUTORS [01]$`)
)

// killAndRestart kills the leader and starts it again at once.
func (f *fixture) killAndRestart(when string) {
	f.Helper()
	dead, killed := f.killLeader()
	f.must(dead.Master.Start())
	next, err := f.WaitLeader(f.ctx, dead.Term+1)
	f.must(err)
	f.Logf("%s: %s -> %s after %d ms", when, dead.Master.ID, next.Master.ID, time.Since(killed).Milliseconds())
}

// agree waits until the leader's books and each worker's own account are the same.
func (f *fixture) agree() {
	f.Helper()
	_, err := f.WaitBooks(f.ctx, "books that agree with the workers", func(b books.Books) error {
		var errs []error
		for _, w := range f.Workers {
			own, err := books.ReadWorker(f.ctx, w.Web())
			if err == nil {
				err = b.Agrees(own)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	f.must(err)
}

// crowd are simulated drivers that register while something else happens, and stay.
type crowd struct {
	*fixture
	drivers []member
}

type member struct {
	*simapp.App
	name, id string
}

func newCrowd(f *fixture) *crowd {
	c := &crowd{fixture: f}
	f.Cleanup(func() {
		for _, d := range c.drivers {
			f.must(d.Close())
		}
	})
	return c
}

// register starts n drivers that ask all masters, and gives a function that waits for their answers.
func (c *crowd) register(n int) (wait func() error) {
	c.Helper()
	var masters []string
	for _, m := range c.Masters {
		masters = append(masters, m.Spark())
	}
	from := len(c.drivers)
	for range n {
		app, err := simapp.New(simapp.Config{})
		c.must(err)
		c.drivers = append(c.drivers, member{App: app, name: fmt.Sprintf("crowd-%d", len(c.drivers))})
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			// As a real driver, which asks again after 20 s, but without the wait: what it asks twice must not count twice.
			d := &c.drivers[from+i]
			d.id, _, errs[i] = d.Register(c.ctx, d.name, masters, 200*time.Millisecond)
		})
	}
	return func() error { wg.Wait(); return errors.Join(errs...) }
}

// end checks that every driver has the one application that it was told of, and ends them.
func (c *crowd) end() {
	c.Helper()
	b, err := c.Books(c.ctx)
	c.must(err)
	ids := map[string]string{}
	for _, d := range c.drivers {
		if other := d.OtherIDs(); len(other) > 0 {
			c.Errorf("%s was told that it is %s, then %v", d.name, d.id, other)
		}
		if a, ok := b.Active(d.name); !ok || a.ID != d.id || named(b, d.name) != 1 {
			c.Errorf("%s was told that it is %s; the books: %+v, %d of its name", d.name, d.id, a, named(b, d.name))
		}
		if twin := ids[d.id]; twin != "" {
			c.Errorf("%s and %s were both told that they are %s", d.name, twin, d.id)
		}
		ids[d.id] = d.name
		c.must(d.Unregister())
	}
	_, err = c.WaitBooks(c.ctx, "the end of the simulated drivers", func(b books.Books) error {
		for _, d := range c.drivers {
			if a, ok := b.Completed(d.id); !ok || a.State != "FINISHED" {
				return fmt.Errorf("%s is %+v", d.name, a)
			}
		}
		return nil
	})
	c.must(err)
}

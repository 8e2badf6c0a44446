package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/proc"
)

// View is what one master answers to GET /v1/cluster.
type View struct {
	Master *Master
	books.Cluster
	Err error
}

// Views asks all masters that should answer, at once.
func (c *Cluster) Views(ctx context.Context) []View {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var views []View
	for _, m := range c.Masters {
		if m.Answering() {
			views = append(views, View{Master: m})
		}
	}
	var wg sync.WaitGroup
	for i := range views {
		wg.Go(func() { views[i].Cluster, views[i].Err = books.ReadCluster(ctx, views[i].Master.Web()) })
	}
	wg.Wait()
	return views
}

// WaitLeader waits for a master that says itself that it leads, in a term of at least minTerm.
func (c *Cluster) WaitLeader(ctx context.Context, minTerm uint64) (View, error) {
	var leader View
	err := books.Poll(ctx, "a leader", func(ctx context.Context) error {
		if err := c.died(); err != nil {
			return err
		}
		errs := []error{errors.New("no master says that it leads")}
		for _, v := range c.Views(ctx) {
			if v.Err == nil && v.Leader == v.Master.ID && v.Term >= minTerm {
				if leader.Master == nil || v.Term > leader.Term {
					leader = v
				}
				continue
			}
			errs = append(errs, fmt.Errorf("%s: %v %w", v.Master.ID, v.Cluster, orNil(v.Err)))
		}
		if leader.Master != nil {
			return nil
		}
		return errors.Join(errs...)
	})
	return leader, err
}

var errNone = errors.New("(no error)")

func orNil(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

// died explains a master or worker that nobody killed and that is gone: its log says why.
func (c *Cluster) died() error {
	for _, m := range c.members() {
		if p := m.Process(); p != nil && !p.Running() && !m.WasKilled() {
			return fmt.Errorf("%w: %s has ended by itself; its log %s ends with\n%s", books.ErrHopeless, m.Name, p.LogPath, p.Tail(10))
		}
	}
	return nil
}

// WaitCluster waits until as many masters agree on leader, term and each other's life, and the leader counts as many
// alive workers.
func (c *Cluster) WaitCluster(ctx context.Context, masters, aliveWorkers int) (View, error) {
	var leader View
	err := books.Poll(ctx, fmt.Sprintf("%d masters in agreement and %d workers", masters, aliveWorkers), func(ctx context.Context) error {
		if err := c.died(); err != nil {
			return err
		}
		var err error
		if leader, err = agreement(c.Views(ctx), masters); err != nil {
			return err
		}
		b, err := books.Read(ctx, leader.Master.Web())
		if err != nil {
			return err
		}
		if b.Status != "ALIVE" || b.AliveWorkers != aliveWorkers {
			return fmt.Errorf("the leader's books: %v", b)
		}
		return nil
	})
	return leader, err
}

// WaitWhole is WaitCluster for all masters and workers.
func (c *Cluster) WaitWhole(ctx context.Context) (View, error) {
	return c.WaitCluster(ctx, len(c.Masters), len(c.Workers))
}

// agreement gives the leader's view if all views agree and there are as many as there should be.
func agreement(views []View, masters int) (View, error) {
	var leader View
	if len(views) != masters {
		return leader, fmt.Errorf("%d masters run, not %d", len(views), masters)
	}
	for _, v := range views {
		if v.Err != nil {
			return leader, v.Err
		}
		if v.Leader == "" || v.Leader != views[0].Leader || v.Term != views[0].Term || v.Cluster.Alive() != masters {
			return leader, fmt.Errorf("%s says %v; %s says %v", v.Master.ID, v.Cluster, views[0].Master.ID, views[0].Cluster)
		}
		if v.Master.ID == v.Leader {
			leader = v
		}
	}
	if leader.Master == nil {
		return leader, fmt.Errorf("the leader is %s, which does not run", views[0].Leader)
	}
	return leader, nil
}

// Books reads the leader's books.
func (c *Cluster) Books(ctx context.Context) (books.Books, error) {
	leader, err := c.WaitLeader(ctx, 0)
	if err != nil {
		return books.Books{}, err
	}
	return books.Read(ctx, leader.Master.Web())
}

// WaitBooks waits until the leader's books are as want (nil) says. what names it in the message.
func (c *Cluster) WaitBooks(ctx context.Context, what string, want func(books.Books) error) (books.Books, error) {
	var b books.Books
	err := books.Poll(ctx, what, func(ctx context.Context) error {
		var err error
		if b, err = c.Books(ctx); err != nil {
			return err
		}
		if err := b.Check(); err != nil {
			return err
		}
		if err := want(b); err != nil {
			return fmt.Errorf("%w: %v", err, b)
		}
		return nil
	})
	return b, err
}

// WaitQuiet waits until nothing runs: no active application or driver, no core and no memory used in the books of every master
// that answers, and no process but the masters and workers themselves.
func (c *Cluster) WaitQuiet(ctx context.Context) error {
	for _, m := range c.Masters {
		if !m.Answering() {
			continue
		}
		err := books.Poll(ctx, "quiet books of "+m.ID, func(ctx context.Context) error {
			b, err := books.Read(ctx, m.Web())
			if err != nil {
				return err
			}
			if b.CoresUsed != 0 || b.MemoryUsed != 0 || len(b.ActiveApps) != 0 || len(b.ActiveDrivers) != 0 {
				return fmt.Errorf("%v", b)
			}
			return b.Check()
		})
		if err != nil {
			return err
		}
	}
	return c.Run.WaitGone(ctx, nil, c.Processes()...)
}

// Executors are the executors' processes that are alive.
func (c *Cluster) Executors() ([]proc.Info, error) {
	all, err := c.Run.Alive()
	var found []proc.Info
	for _, i := range all {
		if IsExecutor(i) {
			found = append(found, i)
		}
	}
	return found, err
}

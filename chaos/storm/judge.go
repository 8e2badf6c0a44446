package storm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
)

// settle heals everything, ends the load, and waits until the cluster is whole and quiet.
func (s *storm) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	if s.net != nil {
		if _, err := s.net.Heal(); err != nil {
			return err
		}
	}
	if err := s.cluster.Start(); err != nil {
		return err
	}
	s.say("healed; waiting for the whole cluster")
	if _, err := s.cluster.WaitCluster(ctx, len(s.cluster.Masters), realWorkers+simWorkers); err != nil {
		return err
	}
	// While applications still run: who is where must be the same in all books.
	if err := s.agree(ctx); err != nil {
		return err
	}
	s.say("whole, and the books agree with the workers; ending the load")
	s.crowd.end()
	s.submitted.end()
	rounds, err := s.jobs.finish(ctx)
	s.rounds = rounds
	if err != nil {
		return fmt.Errorf("the real jobs: %w", err)
	}
	return s.cluster.WaitQuiet(ctx)
}

// agree waits until the books of the leader are those that each real worker keeps itself. Simulated drivers come and go
// meanwhile, on other workers.
func (s *storm) agree(ctx context.Context) error {
	_, err := s.cluster.WaitBooks(ctx, "books that agree with the workers", func(b books.Books) error {
		var errs []error
		for _, w := range s.cluster.Workers {
			own, err := books.ReadWorker(ctx, w.Web())
			if err == nil {
				err = b.Agrees(own)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	return err
}

// judge looks at a cluster that is quiet.
func (s *storm) judge(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	if err := s.agree(ctx); err != nil {
		return err
	}
	s.submitted.judge()
	for _, w := range s.workers {
		if n, cores := w.running(); n > 0 {
			s.problem("worker %s still runs %d executors on %d cores, and the masters know of none", w.id, n, cores)
		}
	}
	if err := s.sameDigest(ctx); err != nil {
		return err
	}
	if left, err := s.cluster.Leftovers(); err != nil || len(left) > 0 {
		s.problem("processes without an owner: %v %v", left, err)
	}
	return s.enough()
}

// sameDigest waits until all masters stand at one index, and compares.
func (s *storm) sameDigest(ctx context.Context) error {
	return books.Poll(ctx, "all masters at one index", func(ctx context.Context) error {
		var all []books.Digest
		for _, m := range s.cluster.Masters {
			d, err := books.ReadDigest(ctx, m.Web())
			if err != nil {
				return err
			}
			if err := s.readers.sawDigest(m.ID, d); err != nil {
				return fmt.Errorf("%w: %w", books.ErrHopeless, err)
			}
			all = append(all, d)
		}
		for _, d := range all {
			if d.Index != all[0].Index {
				return fmt.Errorf("they stand at %v", all)
			}
		}
		return nil
	})
}

// enough refuses to believe a storm in which nothing happened.
func (s *storm) enough() error {
	c := s.rec.Counts()
	least := int(s.For.Seconds()) // a tenth of the rate at which drivers come
	if c.Submitted < least/3 || c.Registered < least || c.Launches < least || c.AppReads < least || c.ExecReads < least {
		s.problem("too little happened to prove anything: %+v", c)
	}
	return nil
}

// end stops all that runs, whatever the state of the storm.
func (s *storm) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if s.net != nil {
		_, err := s.net.Heal()
		errs = append(errs, err)
	}
	if s.crowd != nil {
		s.crowd.end()
	}
	if s.submitted != nil {
		s.submitted.end()
	}
	if s.readers != nil {
		s.readers.end()
	}
	if s.jobs != nil {
		errs = append(errs, s.jobs.close())
	}
	for _, w := range s.workers {
		w.close()
	}
	if s.cluster != nil {
		for _, m := range s.cluster.Masters {
			errs = append(errs, m.Cont()) // a frozen one cannot end
		}
		for _, w := range s.cluster.Workers {
			errs = append(errs, w.Cont())
		}
		errs = append(errs, s.cluster.Stop(ctx))
	}
	if s.run != nil {
		s.run.Sweep()
	}
	if s.submitted != nil {
		errs = append(errs, s.submitted.stage.Close())
	}
	if s.net != nil {
		errs = append(errs, s.net.Close())
	}
	return errors.Join(errs...)
}

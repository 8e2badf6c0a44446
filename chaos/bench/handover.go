package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/simapp"
)

// A handover is measured by a steady stream of registrations across it: the longest wait of any of them is the figure,
// and every one that was accepted must be in the books of the next leader.
const (
	streams        = 4
	beforeHandover = 5  // registrations of each stream before the leader is told to stop, at least
	afterHandover  = 10 // and after it is gone
	// paced is the pause of a stream between two registrations: the wait is to be that for a leader, not for a processor.
	paced = 25 * time.Millisecond
	// askAgain is how often a driver tries a master that does not answer; one that is gone refuses at once.
	askAgain = 5 * time.Millisecond
)

// accepted is a registration that a master has answered.
type accepted struct {
	id    string
	began time.Time
	took  time.Duration
	app   *simapp.App
}

// stream registers drivers one after the other until it is told to stop, and keeps them connected.
type stream struct {
	mu  sync.Mutex
	all []accepted
}

func (s *stream) run(ctx context.Context, masters []string, enough <-chan struct{}) error {
	for {
		select {
		case <-enough:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		app, err := simapp.New(simapp.Config{})
		if err != nil {
			return err
		}
		began := time.Now()
		id, at, err := app.Register(ctx, "handover", masters, askAgain)
		if err != nil {
			return errors.Join(err, app.Close())
		}
		s.mu.Lock()
		s.all = append(s.all, accepted{id, began, at.Sub(began), app})
		s.mu.Unlock()
		select {
		case <-enough:
		case <-time.After(paced):
		}
	}
}

func (s *stream) since(at time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, a := range s.all {
		if a.began.After(at) {
			n++
		}
	}
	return n
}

func (s *stream) taken() []accepted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// handovers is what came of all rounds.
type handovers struct {
	longest  Samples // of each round
	accepted int
	lost     int
}

func handoverRow(ctx context.Context, b *Bench) ([]Line, error) {
	var h handovers
	err := b.withCluster(ctx, cluster.Config{}, func(c *cluster.Cluster) error {
		progress := b.progress(b.Kills)
		for i := range b.Kills {
			if err := h.round(ctx, c); err != nil {
				return fmt.Errorf("round %d: %w", i+1, err)
			}
			progress(i + 1)
		}
		return nil
	})
	lost := Line{
		Subject: "accepted, and not in the books of the next leader", Goal: "0", Runs: h.accepted, Verdict: verdict(h.lost == 0 && h.accepted > 0),
		Figure: fmt.Sprintf("%d of %d registrations", h.lost, h.accepted), Values: map[string]float64{"lost": float64(h.lost), "accepted": float64(h.accepted)},
	}
	return []Line{h.longest.Line(ours+", the longest wait of a round", handoverBounds), lost}, err
}

func (h *handovers) round(ctx context.Context, c *cluster.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	v, err := c.WaitWhole(ctx)
	if err != nil {
		return err
	}
	var masters []string
	for _, m := range c.Masters {
		masters = append(masters, m.Spark())
	}
	began, all, err := handOver(ctx, v.Master, masters)
	defer func() {
		for _, a := range all {
			_ = a.app.Unregister() // what matters is seen by then
			a.app.Close()
		}
	}()
	if err != nil {
		return err
	}
	var longest time.Duration
	for _, a := range all {
		if a.began.Add(a.took).After(began) { // it was under way when the leader was told, or came later
			longest = max(longest, a.took)
		}
	}
	h.longest = append(h.longest, longest)
	lost, err := missing(ctx, c, v.Term+1, all)
	h.accepted, h.lost = h.accepted+len(all), h.lost+lost
	if err != nil {
		return err
	}
	return v.Master.Start()
}

// handOver stops the leader under a stream of registrations, and gives the moment and all that were accepted.
func handOver(ctx context.Context, leader *cluster.Master, masters []string) (began time.Time, all []accepted, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var s stream
	enough := make(chan struct{})
	errs := make(chan error, streams)
	for range streams {
		go func() { errs <- s.run(ctx, masters, enough) }()
	}
	zero := time.Time{}
	err = books.Poll(ctx, "registrations before the handover", atLeast(&s, zero, streams*beforeHandover))
	began = time.Now()
	if err == nil {
		err = leader.Term(ctx)
	}
	if err == nil {
		err = books.Poll(ctx, "registrations after the handover", atLeast(&s, time.Now(), streams*afterHandover))
	}
	close(enough)
	if err != nil {
		cancel()
	}
	for range streams {
		if e := <-errs; err == nil {
			err = e
		}
	}
	return began, s.taken(), err
}

func atLeast(s *stream, since time.Time, n int) func(context.Context) error {
	return func(context.Context) error {
		if got := s.since(since); got < n {
			return fmt.Errorf("%d of %d", got, n)
		}
		return nil
	}
}

// missing counts the accepted registrations that the leader of a later term does not know.
func missing(ctx context.Context, c *cluster.Cluster, term uint64, all []accepted) (int, error) {
	next, err := c.WaitLeader(ctx, term)
	if err != nil {
		return 0, err
	}
	b, err := books.Read(ctx, next.Master.Web())
	if err != nil {
		return 0, err
	}
	lost := 0
	for _, a := range all {
		_, active := b.Active(a.id)
		if _, done := b.Completed(a.id); !active && !done {
			lost++
		}
	}
	return lost, nil
}

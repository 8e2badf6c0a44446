package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/history"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/puppet"
	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/chaos/submit"
	"github.com/firesteel/firesteel/internal/delay"
)

// submissions is the load of cluster mode: drivers are submitted to any master, by REST under a key and by Spark's RPC, asked
// for again until they are taken, and end by themselves or are killed. They are puppets, which run on the real workers.
type submissions struct {
	stage  *puppet.Stage
	driver submit.Driver // what all of them have in common
	bases  []string      // REST servers of the masters
	spark  []string      // their Spark ports
	rec    *history.Recorder
	rng    *rand.Rand
	complain

	gate chan struct{}
	wg   sync.WaitGroup
	stop context.CancelFunc

	mu       sync.Mutex
	attempts int
}

const (
	submittedAtOnce = 5
	submitEvery     = 300 * time.Millisecond
	// driverLease is that of the storm's workers: shorter than some cuts and stops, longer than others.
	driverLease = 3 * time.Second
	// driverGrace is what a driver is given to end.
	driverGrace = 500 * time.Millisecond
	// patience with one submission, kill or end: leaders come and go all the time.
	patience = 3 * time.Minute
)

func newSubmissions(run *proc.Run, c *cluster.Cluster, r spark.Release, rec *history.Recorder, seed uint64, complain complain) (*submissions, error) {
	s := &submissions{rec: rec, rng: rand.New(rand.NewPCG(seed, 5)), complain: complain, gate: make(chan struct{}, submittedAtOnce)}
	var err error
	if s.stage, err = puppet.NewStage(run.Dir); err != nil {
		return nil, err
	}
	java, err := puppet.JavaHome(run.Dir)
	if err != nil {
		return nil, err
	}
	empty := filepath.Join(run.Dir, "empty.jar")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		return nil, fmt.Errorf("make a resource for drivers: %w", err)
	}
	s.driver = submit.Driver{
		Version: r.Version, Resource: "file://" + empty, Environment: map[string]string{"JAVA_HOME": java},
		Properties: map[string]string{"spark.driver.memory": "128m"},
	}
	for _, m := range c.Masters {
		s.bases, s.spark = append(s.bases, m.REST()), append(s.spark, m.Spark())
	}
	return s, nil
}

func (s *submissions) start(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	s.wg.Go(func() {
		for n := 0; delay.For(ctx, submitEvery); n++ {
			select {
			case s.gate <- struct{}{}:
			case <-ctx.Done():
				return
			}
			one := submission{
				submissions: s, name: fmt.Sprintf("submitted-%d", n), n: n, supervised: s.rng.IntN(3) > 0, byRPC: s.rng.IntN(4) == 0,
				fails: s.rng.IntN(2), killed: s.rng.IntN(2) == 0, lives: between(s.rng, 100*time.Millisecond, 15*time.Second),
			}
			s.wg.Go(func() {
				defer func() { <-s.gate }()
				if err := one.live(ctx); err != nil {
					s.complain("submission %s: %v", one.name, err)
				}
			})
		}
	})
}

// end lets every driver end now, and waits for it.
func (s *submissions) end() {
	s.stop()
	s.wg.Wait()
}

// submission is one of them, with what is planned for it.
type submission struct {
	*submissions
	name              string
	n                 int
	supervised, byRPC bool
	fails             int  // how often its process ends with a failure first
	killed            bool // it ends by a kill, not by itself
	lives             time.Duration
	id                string
}

// live goes on when ctx ends, without its pauses.
func (s *submission) live(ctx context.Context) error {
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := s.submit(deadline); err != nil {
		return err
	}
	if !s.supervised {
		s.fails = 0
	}
	delay.For(ctx, s.lives)
	if s.killed {
		return s.kill(deadline)
	}
	return s.finish(deadline)
}

func (s *submission) submit(ctx context.Context) error {
	d := s.driver
	d.MainClass, d.Args = s.name, s.stage.Args(s.name)
	if s.supervised {
		d = d.Supervised()
	}
	s.rec.Submit(s.name)
	var ids []string
	var tries int
	var err error
	if s.byRPC {
		ids, tries, err = submit.SurelyRPC(ctx, s.spark, d)
	} else {
		var id string
		id, tries, err = submit.Surely(ctx, s.bases, s.n, d, s.name)
		ids = append(ids, id)
	}
	if err != nil {
		return err
	}
	for _, id := range ids {
		s.rec.Submitted(s.name, id)
	}
	s.id = ids[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts += tries
	return nil
}

// kill asks for the end until a master has taken that, and waits for it.
func (s *submission) kill(ctx context.Context) error {
	s.rec.MayBe(s.name, "KILLED")
	for n := s.n; ; n++ {
		_, err := submit.Kill(ctx, s.bases[n%len(s.bases)], s.id)
		if err == nil {
			break
		}
		if !delay.For(ctx, 50*time.Millisecond) {
			return fmt.Errorf("kill %s: %w", s.id, err)
		}
	}
	_, err := submit.WaitStatus(ctx, s.bases, s.id, submit.Is("KILLED", "ERROR", "FAILED")) // its worker was struck, or its process
	return err
}

// finish tells every life of the puppet to end: first so often with a failure, then well.
func (s *submission) finish(ctx context.Context) error {
	s.rec.MayBe(s.name, "FINISHED")
	ctx, over := context.WithCancel(ctx)
	defer over()
	var lives sync.WaitGroup
	defer lives.Wait()
	lives.Go(func() {
		for n := 1; ; n++ {
			l, err := s.stage.Life(ctx, s.name, n)
			if err != nil {
				return // it has ended
			}
			code := 0
			if n <= s.fails {
				code = 7
			}
			_ = l.Tell(fmt.Sprintf("exit %d", code)) // one that is gone has another life, or an end
		}
	})
	_, err := submit.WaitStatus(ctx, s.bases, s.id, submit.Is("FINISHED", "ERROR", "FAILED"))
	over()
	return err
}

// strike kills the process of some supervised puppet that lives.
func (s *submissions) strike(pick int) (string, error) {
	var alive []*puppet.Life
	for _, l := range s.stage.Lives("") {
		if l.Ended().IsZero() {
			alive = append(alive, l)
		}
	}
	if len(alive) == 0 {
		return "", errNobody
	}
	l := alive[pick%len(alive)]
	s.rec.MayBe(l.Name, "FAILED")
	s.rec.MayBe(l.Name, "KILLED") // if that was asked for at the same moment
	if err := syscall.Kill(l.PID, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		return "", fmt.Errorf("kill %v: %w", l, err)
	}
	return fmt.Sprintf("SIGKILL %s, run %s", l.Name, l.Run), nil
}

// judge complains of puppets that lived twice at a time.
func (s *submissions) judge() {
	for _, t := range s.stage.Twice() {
		s.complain("a driver lived twice at a time: %s", t)
	}
}

// summary counts.
func (s *submissions) summary() string {
	runs := map[string]bool{}
	lives := s.stage.Lives("")
	for _, l := range lives {
		runs[l.Run] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("asked for %d times; %d runs, %d processes", s.attempts, len(runs), len(lives))
}

package storm

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/netns"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/internal/lease"
)

// errNobody says that a fault found nobody to strike, such as an executor while none runs.
var errNobody = errors.New("nobody there to strike")

// leaderLimit is how long the cluster may be without a leader that can be seen while a quorum is there. It is no figure of
// merit: scripts/bench measures that.
const leaderLimit = 30 * time.Second

// strike does one fault, undoes it after its hold, and says what was seen.
func (s *storm) strike(ctx context.Context, f Fault) (string, error) {
	switch f.Kind {
	case KillLeader, StopLeader, TermLeader:
		return s.leader(ctx, f, signalled(f.Kind))
	case KillFollower, StopFollower, TermFollower:
		v, err := s.cluster.WaitLeader(ctx, 0)
		if err != nil {
			return "", err
		}
		m := s.followers(v.Master)[f.Pick%2]
		return s.hold(ctx, f, m.ID, m.Member, signalled(f.Kind))
	case KillWorker, StopWorker, TermWorker:
		w := s.cluster.Workers[f.Pick%len(s.cluster.Workers)]
		s.rec.Faulty(w.ID)
		return s.hold(ctx, f, w.ID, w.Member, signalled(f.Kind))
	case LoseWorker:
		w := s.cluster.Workers[f.Pick%len(s.cluster.Workers)]
		s.rec.Faulty(w.ID)
		f.Hold += farewell
		return s.hold(ctx, f, w.ID, w.Member, signalled(StopWorker))
	case KillSubmitted:
		return s.submitted.strike(f.Pick)
	case KillTwo:
		return s.killMasters(ctx, f, 2)
	case KillAll:
		return s.killMasters(ctx, f, len(s.cluster.Masters))
	case Bounce:
		return s.bounce(ctx)
	case KillExecutor:
		return s.killExecutor(f)
	case KillDriver:
		return s.killDriver(f)
	}
	return s.cut(ctx, f)
}

// farewell is the time after which the supervised drivers of a worker of which nothing is heard are somewhere else: the verdict
// of a new leader, and the hold.
var farewell = 7*time.Second + lease.Hold(driverLease+driverGrace+time.Second)

// act is what is done to a process, and what undoes it.
type act struct {
	name     string
	do, undo func(context.Context, *proc.Member) error
}

func signalled(k Kind) act {
	start := func(_ context.Context, m *proc.Member) error { return m.Start() }
	switch k {
	case StopLeader, StopFollower, StopWorker:
		return act{"SIGSTOP", func(_ context.Context, m *proc.Member) error { return m.Stop() }, func(_ context.Context, m *proc.Member) error { return m.Cont() }}
	case TermLeader, TermFollower, TermWorker:
		return act{"SIGTERM", func(ctx context.Context, m *proc.Member) error { return m.Term(ctx) }, start}
	}
	return act{"SIGKILL", func(_ context.Context, m *proc.Member) error { return m.Kill() }, start}
}

// leader strikes the leader and waits for the next one.
func (s *storm) leader(ctx context.Context, f Fault, a act) (string, error) {
	v, err := s.cluster.WaitLeader(ctx, 0)
	if err != nil {
		return "", err
	}
	began := time.Now()
	// SIGTERM is answered after a handover, so the wait for the next leader begins with it.
	done := make(chan error, 1)
	go func() { done <- a.do(ctx, v.Master.Member) }()
	next, took, waitErr := s.nextLeader(ctx, v.Term, began)
	said := fmt.Sprintf("%s %s (term %d)", a.name, v.Master.ID, v.Term)
	if err := errors.Join(<-done, waitErr); err != nil {
		return said, err
	}
	delay.For(ctx, f.Hold-time.Since(began))
	return fmt.Sprintf("%s: %s leads in term %d after %d ms", said, next.Leader, next.Term, took.Milliseconds()), a.undo(ctx, v.Master.Member)
}

// nextLeader waits for a leader of a later term. Every master is asked on its own: one that is cut off or frozen must not
// hold up what another one says.
func (s *storm) nextLeader(ctx context.Context, after uint64, since time.Time) (books.Cluster, time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, leaderLimit, fmt.Errorf("no leader within %v", leaderLimit))
	defer cancel()
	found := make(chan books.Cluster, len(s.cluster.Masters))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, m := range s.cluster.Masters {
		wg.Go(func() {
			_ = books.Poll(ctx, "a leader", func(ctx context.Context) error { // without one, ctx ends
				c, err := books.ReadCluster(ctx, m.Web())
				if err == nil && (c.Leader != m.ID || c.Term <= after) {
					err = errors.New("it does not lead")
				}
				if err == nil {
					found <- c
				}
				return err
			})
		})
	}
	select {
	case c := <-found:
		return c, time.Since(since), nil
	case <-ctx.Done():
		return books.Cluster{}, time.Since(since), context.Cause(ctx)
	}
}

// hold strikes somebody whom the cluster can do without.
func (s *storm) hold(ctx context.Context, f Fault, who string, m *proc.Member, a act) (string, error) {
	if err := a.do(ctx, m); err != nil {
		return a.name + " " + who, err
	}
	delay.For(ctx, f.Hold)
	return fmt.Sprintf("%s %s for %d ms", a.name, who, f.Hold.Milliseconds()), a.undo(ctx, m)
}

func (s *storm) followers(leader *cluster.Master) []*cluster.Master {
	var all []*cluster.Master
	for _, m := range s.cluster.Masters {
		if m != leader {
			all = append(all, m)
		}
	}
	return all
}

// killMasters kills so many of them, the leader first, and starts them again: there is no quorum in between.
func (s *storm) killMasters(ctx context.Context, f Fault, n int) (string, error) {
	v, err := s.cluster.WaitLeader(ctx, 0)
	if err != nil {
		return "", err
	}
	struck := append([]*cluster.Master{v.Master}, s.followers(v.Master)...)[:n]
	for _, m := range struck {
		if err := m.Kill(); err != nil {
			return "", err
		}
	}
	delay.For(ctx, f.Hold)
	back := time.Now()
	for _, m := range struck {
		if err := m.Start(); err != nil {
			return "", err
		}
	}
	next, took, err := s.nextLeader(ctx, v.Term, back)
	return fmt.Sprintf("SIGKILL of %d masters for %d ms: %s leads in term %d, %d ms after their start", n, f.Hold.Milliseconds(), next.Leader, next.Term, took.Milliseconds()), err
}

// bounce kills three leaders in a row, each as soon as it leads. Each is started again at once, and has no time to catch up.
func (s *storm) bounce(ctx context.Context) (string, error) {
	said := "SIGKILL of"
	for range 3 {
		v, err := s.cluster.WaitLeader(ctx, 0)
		if err != nil {
			return said, err
		}
		began := time.Now()
		if err := v.Master.Kill(); err != nil {
			return said, err
		}
		if err := v.Master.Start(); err != nil {
			return said, err
		}
		_, took, err := s.nextLeader(ctx, v.Term, began)
		said += fmt.Sprintf(" %s (next after %d ms)", v.Master.ID, took.Milliseconds())
		if err != nil {
			return said, err
		}
	}
	return said, nil
}

var (
	appFlag  = regexp.MustCompile(`--app-id (\S+)`)
	execFlag = regexp.MustCompile(`--executor-id (\d+)`)
)

func (s *storm) killExecutor(f Fault) (string, error) {
	all, err := s.cluster.Executors()
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", errNobody
	}
	e := all[f.Pick%len(all)]
	app, id := appFlag.FindStringSubmatch(e.Command), execFlag.FindStringSubmatch(e.Command)
	if app == nil || id == nil {
		return "", fmt.Errorf("an executor without a name: %v", e)
	}
	n, _ := strconv.Atoi(id[1]) // digits
	s.rec.MayEnd(app[1], n, "killed")
	if err := syscall.Kill(e.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return "", fmt.Errorf("kill executor %d: %w", e.PID, err)
	}
	return fmt.Sprintf("SIGKILL executor %s/%d", app[1], n), nil
}

func (s *storm) killDriver(f Fault) (string, error) {
	j, ok := s.jobs.pick(f.Pick)
	if !ok {
		return "", errNobody
	}
	return "SIGKILL driver " + j.Name, s.jobs.kill(j)
}

// cut does the faults of the network.
func (s *storm) cut(ctx context.Context, f Fault) (string, error) {
	v, err := s.cluster.WaitLeader(ctx, 0)
	if err != nil {
		return "", err
	}
	others := s.followers(v.Master)
	leader := []*netns.Host{v.Master.Host()}
	hosts := []*netns.Host{others[0].Host(), others[1].Host()}
	said, replaced := "", false
	switch f.Kind {
	case CutLeader:
		said, replaced, err = v.Master.ID+" cut from the other masters", true, s.net.Cut(leader, hosts)
	case IsolateLeader:
		said, replaced, err = v.Master.ID+" cut from everything", true, s.net.Isolate(leader[0])
	case LeaderDeaf:
		said, replaced = v.Master.ID+" hears no master", true
		err = errors.Join(s.net.Drop(hosts[0], leader[0]), s.net.Drop(hosts[1], leader[0]))
	case LeaderMute:
		said, replaced = v.Master.ID+" is heard by no master", true
		err = errors.Join(s.net.Drop(leader[0], hosts[0]), s.net.Drop(leader[0], hosts[1]))
	case CutFollower:
		i := f.Pick % 2
		said, err = others[i].ID+" cut from the other masters", s.net.Cut(hosts[i:i+1], []*netns.Host{leader[0], hosts[1-i]})
	case SplitFollowers:
		said, err = others[0].ID+" and "+others[1].ID+" cut from each other", s.net.Cut(hosts[:1], hosts[1:])
	case CutWorker, PartWorker:
		if f.Kind == PartWorker {
			f.Hold += farewell
		}
		w := s.cluster.Workers[f.Pick%len(s.cluster.Workers)]
		s.rec.Faulty(w.ID)
		said, err = w.ID+" cut from all masters", s.net.Cut([]*netns.Host{w.Host()}, append(leader, hosts...))
	default:
		return "", fmt.Errorf("nobody knows how to do %s", f.Kind)
	}
	if err != nil {
		return said, err
	}
	began := time.Now()
	if replaced {
		next, took, err := s.nextLeader(ctx, v.Term, began)
		if err != nil {
			_, healErr := s.net.Heal()
			return said, errors.Join(err, healErr)
		}
		said += fmt.Sprintf(": %s leads in term %d after %d ms", next.Leader, next.Term, took.Milliseconds())
	}
	delay.For(ctx, f.Hold-time.Since(began))
	dropped, err := s.net.Heal()
	s.dropped += dropped
	return fmt.Sprintf("%s, %d ms, %d packets lost", said, time.Since(began).Milliseconds(), dropped), err
}

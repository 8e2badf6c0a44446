//go:build realspark

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// masterSet is a cluster of masters alone, apart from the one that the other tests share.
type masterSet struct {
	*fixture
	pool *rpc.Pool
}

// newMasters lays a cluster without workers out; it is swept away at the end of the test.
func newMasters(t *testing.T, c cluster.Config) *masterSet {
	t.Helper()
	run, err := proc.NewRun("")
	if err != nil {
		t.Fatal(err)
	}
	c.Binary, c.Run = suite.binary, run
	cl, err := cluster.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Sweep() })
	s := &masterSet{fixture: newFixture(t, cl), pool: rpc.NewPool()}
	t.Cleanup(s.pool.Close)
	return s
}

// ask does something about the quorum at any master that answers, again while nobody leads.
func (s *masterSet) ask(do func(context.Context, clusterpb.QuorumClient) error) {
	s.Helper()
	s.must(books.Poll(s.ctx, "an answer about the quorum", func(ctx context.Context) error {
		var errs []error
		for _, m := range s.Masters {
			if !m.Answering() {
				continue
			}
			c, err := s.pool.Quorum(m.RPC())
			if err != nil {
				return err
			}
			err = do(ctx, c)
			if err == nil {
				return nil
			}
			if code := status.Code(err); code == codes.InvalidArgument || code == codes.NotFound {
				return fmt.Errorf("%w: %w", books.ErrHopeless, err)
			}
			errs = append(errs, err)
		}
		return errors.Join(append(errs, errors.New("no master answers"))...)
	}))
}

// quick has the autopilot act within seconds.
func quick(voters int32) *clusterpb.AutopilotSettings {
	return &clusterpb.AutopilotSettings{Voters: voters, StabilizationMs: 1000, DeadAfterMs: 5000}
}

func (s *masterSet) set(a *clusterpb.AutopilotSettings) {
	s.Helper()
	s.ask(func(ctx context.Context, c clusterpb.QuorumClient) error {
		_, err := c.SetAutopilot(ctx, &clusterpb.SetAutopilotRequest{Settings: a})
		return err
	})
}

func (s *masterSet) remove(id string) {
	s.Helper()
	s.ask(func(ctx context.Context, c clusterpb.QuorumClient) error {
		_, err := c.RemoveMaster(ctx, &clusterpb.RemoveMasterRequest{Id: id})
		return err
	})
}

// becomes waits until the leader shows these members, those without a vote in brackets, of which so many voters may fail.
func (s *masterSet) becomes(want string, tolerance int) books.Cluster {
	s.Helper()
	start := time.Now()
	var leader cluster.View
	s.must(books.Poll(s.ctx, fmt.Sprintf("the members %s, of which %d may fail", want, tolerance), func(ctx context.Context) error {
		var err error
		if leader, err = s.WaitLeader(ctx, 0); err != nil {
			return err
		}
		if leader.Quorum() != want || leader.FailureTolerance != tolerance {
			return errors.New(leader.String())
		}
		return nil
	}))
	s.Logf("%s tolerating %d after %.1f s", want, tolerance, time.Since(start).Seconds())
	return leader.Cluster
}

func (s *masterSet) follower() *cluster.Master {
	s.Helper()
	v := s.leader()
	for _, m := range s.Masters {
		if m != v.Master && m.Answering() {
			return m
		}
	}
	s.Fatal("no follower")
	return nil
}

// brackets marks one of the members as without a vote; without drops it.
func brackets(members, id string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(" "+members+" ", " "+id+" ", " ("+id+") ")), " ")
}

func without(members, id string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(" "+members+" ", " "+id+" ", " ")), " ")
}

const (
	exitRemoved = 78
	fewEntries  = 200 // after which this cluster writes a snapshot
)

var (
	removedLine = regexp.MustCompile(`an operator took this master out of the cluster`)
	foreignLine = regexp.MustCompile(`a master of another cluster is in our gossip`)
)

// gone checks that a removed master's process ends by itself, and says why.
func (s *masterSet) gone(m *cluster.Master) {
	s.Helper()
	at := time.Now()
	code, err := m.Process().Wait(s.ctx)
	s.must(err)
	if code != exitRemoved || len(m.Process().Find(removedLine)) == 0 {
		s.Errorf("the removed master %s ended with code %d, its log with\n%s", m.ID, code, m.Process().Tail(5))
	}
	s.Logf("%s ended %.1f s later", m.ID, time.Since(at).Seconds())
}

// TestQuorumChanges goes through what happens to masters in the life of a cluster, each step with what the one before left:
// one is lost for good and replaced by another, one loses its disk, one moves, one is taken out by an operator.
func TestQuorumChanges(t *testing.T) {
	s := newMasters(t, cluster.Config{MasterArgs: []string{"--snapshot-threshold", fmt.Sprint(fewEntries), "--snapshot-interval", "100ms", "--trailing-logs", "10"}})
	s.must(s.Start())
	_, err := s.WaitWhole(s.ctx)
	s.must(err)
	s.set(quick(3))
	first := s.becomes("m1 m2 m3", 1)

	// The leader is lost for good, and m4 takes its place; what it missed comes as a snapshot.
	dead, _ := s.killLeader()
	s.must(s.Wipe(dead.Master))
	s.must(s.DropMaster(dead.Master.ID))
	s.becomes("m1 m2 m3", 0) // nobody to replace it
	s.write(3 * fewEntries)
	m4, err := s.AddMaster("m4")
	s.must(err)
	s.must(m4.Start())
	members := without("m1 m2 m3 m4", dead.Master.ID)
	s.becomes(members, 1)
	if taken, _ := filepath.Glob(filepath.Join(s.DataDir(m4), "snapshots", "*", "state.bin")); len(taken) == 0 {
		t.Error("m4 was sent no snapshot")
	}
	if now := s.leader(); now.ClusterID != first.ClusterID {
		t.Errorf("the cluster is %s, and was %s", now.ClusterID, first.ClusterID)
	}

	// It counts: with another one gone, there is a leader.
	lost, _ := s.killLeader()
	s.set(quick(3))
	s.must(lost.Master.Start())
	s.becomes(members, 1)

	// One comes back with an empty disk, at its address and at another one.
	for _, moved := range []bool{false, true} {
		m := s.follower()
		s.must(m.Kill())
		s.must(s.Wipe(m))
		if moved {
			m, err = s.AddMaster(m.ID)
			s.must(err)
		}
		s.must(m.Start())
		s.admitted(m)
		s.becomes(members, 1)
	}

	// A spare waits; then the leader is taken out, and ends; on its old disk it is not wanted.
	m5, err := s.AddMaster("m5")
	s.must(err)
	s.must(m5.Start())
	s.becomes(members+" (m5)", 1)
	old := s.leader().Master
	s.remove(old.ID)
	s.gone(old)
	members = without(members+" m5", old.ID)
	s.must(s.DropMaster(old.ID))
	before := s.becomes(members, 1)
	s.must(old.Start())
	s.gone(old)
	if after := s.becomes(members, 1); after.Term != before.Term {
		t.Errorf("the removed master disturbed the quorum: term %d after %d", after.Term, before.Term)
	}
	// With an empty disk it is a new one.
	s.must(s.Wipe(old))
	again, err := s.AddMaster(old.ID)
	s.must(err)
	s.must(again.Start())
	s.becomesWith(members, old.ID)

	stop, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	s.must(s.Stop(stop))
}

// becomesWith is becomes with a further master that has no vote, wherever it stands in the list.
func (s *masterSet) becomesWith(members, spare string) {
	s.Helper()
	all := strings.Fields(members + " " + spare)
	for i := len(all) - 1; i > 0 && all[i] < all[i-1]; i-- {
		all[i], all[i-1] = all[i-1], all[i]
	}
	s.becomes(brackets(strings.Join(all, " "), spare), 1)
}

// admitted waits until a master that came with an empty disk has caught up.
func (s *masterSet) admitted(m *cluster.Master) {
	s.Helper()
	_, err := m.Process().WaitFor(s.ctx, regexp.MustCompile(`caught up: taking part in elections`))
	s.must(err)
}

// write has n commands committed.
func (s *masterSet) write(n int) {
	s.Helper()
	c, err := s.pool.Quorum(s.leader().Master.RPC())
	s.must(err)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			for range n / len(errs) {
				if _, err := c.SetAutopilot(s.ctx, &clusterpb.SetAutopilotRequest{Settings: quick(3)}); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	s.must(errors.Join(errs...))
}

// TestFiveMasters starts five masters in an order of chance, three of them first: one cluster comes of it, which loses two,
// becomes one of three, and one of five again.
func TestFiveMasters(t *testing.T) {
	s := newMasters(t, cluster.Config{Masters: 5})
	order := rand.Perm(5)
	t.Logf("order %v", order)
	for _, i := range order[:3] {
		s.must(s.Masters[i].Start())
	}
	for _, i := range order[:3] { // they serve and wait for the others
		s.must(books.Poll(s.ctx, "a page of "+s.Masters[i].ID, func(ctx context.Context) error {
			c, err := books.ReadCluster(ctx, s.Masters[i].Web())
			if err == nil && c.Leader != "" {
				t.Errorf("three masters that expect five have formed a cluster: %v", c)
			}
			return err
		}))
	}
	for _, i := range order[3:] {
		s.must(s.Masters[i].Start())
	}
	v, err := s.WaitWhole(s.ctx)
	s.must(err)
	s.set(quick(5))
	s.becomes("m1 m2 m3 m4 m5", 2)
	s.must(books.Poll(s.ctx, "one cluster", func(ctx context.Context) error { // a follower may not have the id yet
		for _, view := range s.Views(ctx) {
			if view.Err != nil || view.ClusterID == "" {
				return fmt.Errorf("%s belongs to no cluster: %w", view.Master.ID, view.Err)
			}
			if view.ClusterID != v.ClusterID {
				return fmt.Errorf("%w: %s belongs to %q, not to %q", books.ErrHopeless, view.Master.ID, view.ClusterID, v.ClusterID)
			}
		}
		return nil
	}))

	// Two at once, the leader among them: the rest goes on, and becomes a quorum of three, which may lose one more.
	s.killLeader()
	s.must(s.follower().Kill())
	s.leader()
	s.becomesTolerant(1)
	s.must(s.Start())
	s.becomes("m1 m2 m3 m4 m5", 2)

	s.set(quick(3))
	s.becomesTolerant(1)
	if n := s.votes(); n != 3 {
		t.Errorf("%d voters, not 3: %s", n, s.leader().Quorum())
	}
	s.set(quick(5))
	s.becomes("m1 m2 m3 m4 m5", 2)
	stop, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	s.must(s.Stop(stop))
}

func (s *masterSet) votes() (n int) {
	for _, m := range s.leader().Masters {
		if m.Voter {
			n++
		}
	}
	return n
}

// becomesTolerant waits until three vote, of which so many may fail.
func (s *masterSet) becomesTolerant(want int) {
	s.Helper()
	s.must(books.Poll(s.ctx, fmt.Sprintf("three voters of which %d may fail", want), func(ctx context.Context) error {
		v, err := s.WaitLeader(ctx, 0)
		if err == nil && (v.FailureTolerance != want || s.votes() != 3) {
			err = errors.New(v.String())
		}
		return err
	}))
}

// TestTwoClustersInOneGossip: the master of another cluster joins our gossip, under the name of one of ours. Neither takes the
// other's for its own, and both go on.
func TestTwoClustersInOneGossip(t *testing.T) {
	ours := newMasters(t, cluster.Config{})
	ours.must(ours.Start())
	_, err := ours.WaitWhole(ours.ctx)
	ours.must(err)
	ours.set(quick(3))
	before := ours.becomes("m1 m2 m3", 1)

	other := newMasters(t, cluster.Config{Masters: 1})
	other.must(other.Start())
	_, err = other.WaitWhole(other.ctx)
	other.must(err)
	alone := other.becomes("m1", 0)
	stranger, err := cluster.New(cluster.Config{Binary: suite.binary, Run: other.Cluster.Run, Masters: 1, MasterArgs: []string{"--join", ours.Masters[0].Gossip()}})
	other.must(err)
	other.must(other.Masters[0].Kill())
	other.Cluster = stranger // the same name and disk, and it joins the wrong gossip
	other.must(other.Start())
	for _, m := range ours.Masters {
		_, err := m.Process().WaitFor(ours.ctx, foreignLine)
		ours.must(err)
	}
	if now := other.becomes("m1", 0); now.ClusterID != alone.ClusterID {
		t.Errorf("the stranger belongs to %s, and belonged to %s", now.ClusterID, alone.ClusterID)
	}
	// Ours still tell their own members by Raft: a failover works.
	ours.killLeader()
	ours.leader()
	ours.must(ours.Start())
	if now := ours.becomes("m1 m2 m3", 1); now.ClusterID != before.ClusterID {
		t.Errorf("our cluster is %s, and was %s", now.ClusterID, before.ClusterID)
	}
}

package raftnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firesteel/firesteel/internal/delay"
)

// piloted is a cluster in virtual time whose leaders run an autopilot, and add every master that is up, as gossip would
// have them do.
type piloted struct {
	*sim
	mu       sync.Mutex
	settings AutopilotSettings
	pilots   map[string]*Autopilot // of the present or last term of a node
	added    map[string]bool       // masters that gossip shows
}

// newPiloted starts size masters, the first voters of which begin the cluster.
func newPiloted(t *testing.T, seed int64, size, voters int) *piloted {
	p := &piloted{sim: newSim(t, seed, size), settings: AutopilotSettings{Voters: voters}, pilots: make(map[string]*Autopilot), added: make(map[string]bool)}
	p.sim.duty = p.lead
	var servers []Server
	for _, id := range p.ids[:voters] {
		p.added[id] = true
		servers = append(servers, Server{ID: id, Addr: id, Voter: true})
	}
	if err := p.node("m1").Bootstrap(servers); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *piloted) lead(ctx context.Context, id string) {
	n := p.node(id)
	pilot := NewAutopilot(AutopilotConfig{
		Node: n, Logger: slog.New(slog.DiscardHandler),
		Settings: func() AutopilotSettings { p.mu.Lock(); defer p.mu.Unlock(); return p.settings },
		Ask: func(ctx context.Context, s Server) (Position, error) {
			time.Sleep(time.Millisecond)
			if other := p.reachable(id, s.ID); other != nil {
				return other.Position()
			}
			return Position{}, errors.New("unreachable")
		},
	})
	p.mu.Lock()
	p.pilots[id] = pilot
	p.mu.Unlock()
	var tasks sync.WaitGroup
	tasks.Go(func() { pilot.Run(ctx) })
	for ctx.Err() == nil {
		p.mu.Lock()
		shown := slices.DeleteFunc(slices.Clone(p.ids), func(id string) bool { return !p.added[id] })
		p.mu.Unlock()
		for _, other := range shown {
			if p.reachable(id, other) != nil {
				_ = n.AddServer(ctx, other, other) // tried again below
			}
		}
		delay.For(ctx, time.Second)
	}
	tasks.Wait()
}

// show has gossip show a master from now on, or not any more.
func (p *piloted) show(id string, shown bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.added[id] = shown
}

func (p *piloted) set(s AutopilotSettings) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settings = s
}

// leader is the node that leads now.
func (p *piloted) leader() *Node {
	for range 600 {
		for _, id := range p.ids {
			if n := p.node(id); n != nil && n.ready.Load() != nil && !p.isolated[id] {
				return n
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.t.Fatal("nobody leads" + p.describe())
	return nil
}

// describe says what each node knows, for a failure.
func (p *piloted) describe() (out string) {
	for _, id := range p.ids {
		if n := p.node(id); n == nil {
			out += fmt.Sprintf("\n%s is down", id)
		} else {
			out += fmt.Sprintf("\n%s cut off %t, %s in term %d, log to %d, servers %v", id, p.isolated[id], n.State(), n.Term(), n.raft.LastIndex(), n.Servers())
		}
	}
	return out
}

// members describes the configuration as the leader sees it, such as "m1 m2 m3 (m4)": those in brackets have no vote.
func (p *piloted) members() string {
	var words []string
	for _, s := range p.leader().Servers() {
		if s.Voter {
			words = append(words, s.ID)
		} else {
			words = append(words, "("+s.ID+")")
		}
	}
	slices.SortFunc(words, func(x, y string) int { return strings.Compare(strings.Trim(x, "()"), strings.Trim(y, "()")) })
	return strings.Join(words, " ")
}

// becomes waits for a configuration, in virtual time, and gives how long it took.
func (p *piloted) becomes(want string, limit time.Duration) time.Duration {
	p.t.Helper()
	start := time.Now()
	for p.members() != want {
		if time.Since(start) > limit {
			p.t.Fatalf("the members are %s after %s, not %s", p.members(), limit, want)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return time.Since(start)
}

// stays checks that a configuration does not change.
func (p *piloted) stays(want string, d time.Duration) {
	p.t.Helper()
	for range int(d / (500 * time.Millisecond)) {
		if got := p.members(); got != want {
			p.t.Fatalf("the members are %s, not %s", got, want)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// tolerates waits until the leader counts on so many failures.
func (p *piloted) tolerates(want int) {
	p.t.Helper()
	var last QuorumHealth
	for range 900 {
		p.mu.Lock()
		pilot := p.pilots[p.leaderID()]
		p.mu.Unlock()
		if pilot != nil {
			if h, ok := pilot.Health(); ok {
				if last = h; h.FailureTolerance == want {
					return
				}
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.t.Fatalf("the failure tolerance is not %d: %+v", want, last)
}

func (p *piloted) leaderID() string {
	for _, id := range p.ids {
		if n := p.sim.nodes[id]; n != nil && n.ready.Load() != nil {
			return id
		}
	}
	return ""
}

// write has cmd committed within a minute, however often leadership changes meanwhile.
func (p *piloted) write(cmd string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		_, _, err := p.leader().Propose(ctx, []byte(cmd))
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			p.t.Fatalf("%s is not committed: %v%s", cmd, err, p.describe())
		}
	}
}

func TestMasterReplacedForGood(t *testing.T) {
	t.Parallel()
	for _, victim := range []string{"follower", "leader"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPiloted(t, 1, 4, 3)
				defer p.close()
				p.tolerates(1)
				dead := p.leader().ID()
				if victim == "follower" {
					dead = p.ids[(slices.Index(p.ids[:3], dead)+1)%3]
				}
				p.stop(dead)
				p.stays("m1 m2 m3", 10*time.Minute) // nobody to replace it: it stays
				p.tolerates(0)
				p.show("m4", true)
				joined := p.becomes("m1 m2 m3 (m4)", 5*time.Second)
				voting := p.becomes(strings.ReplaceAll("m1 m2 m3 m4", dead+" ", ""), time.Minute)
				t.Logf("a member after %s, in its place %s later", joined, voting)
				if voting < DefaultStabilization-time.Second {
					t.Errorf("it voted after %s, before it was stable", voting)
				}
				p.tolerates(1)
				p.start(dead) // on its old disk: it is a spare now
				spare := strings.Replace("m1 m2 m3 m4", dead, "("+dead+")", 1)
				p.becomes(spare, 10*time.Second)
				p.stays(spare, time.Minute)
				p.write("done")
			})
		})
	}
}

func TestGrowAndShrink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPiloted(t, 2, 5, 3)
		defer p.close()
		p.set(AutopilotSettings{Voters: 5})
		p.show("m4", true)
		p.becomes("m1 m2 m3 (m4)", 10*time.Second)
		p.stays("m1 m2 m3 (m4)", time.Minute) // four tolerate no more than three
		p.show("m5", true)
		p.becomes("m1 m2 m3 m4 m5", time.Minute)
		p.tolerates(2)
		p.set(AutopilotSettings{Voters: 3, Off: true})
		p.stays("m1 m2 m3 m4 m5", time.Minute)
		if err := p.leader().TransferLeadershipTo(t.Context(), "m5"); err != nil {
			t.Fatal(err)
		}
		p.set(AutopilotSettings{Voters: 3})
		p.becomes("m1 m2 (m3) (m4) m5", time.Minute) // never the leader
		p.tolerates(1)
		p.write("done")
	})
}

// Of five masters two are lost, with nobody to replace them: the other three go on as three, and tolerate one more.
func TestFiveGoOnAsThree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPiloted(t, 3, 5, 5)
		defer p.close()
		p.tolerates(2)
		lead := p.leader().ID()
		rest := slices.DeleteFunc(slices.Clone(p.ids), func(id string) bool { return id == lead })
		p.stop(rest[0])
		p.isolate(rest[1], true)
		p.tolerates(0)
		p.tolerates(1) // the two have no vote
		p.stop(p.leader().ID())
		p.write("with two of three")
		p.start(lead)
		p.start(rest[0])
		p.isolate(rest[1], false)
		p.becomes("m1 m2 m3 m4 m5", 2*time.Minute)
		p.tolerates(2)
	})
}

// Masters are killed, cut off, brought back and replaced at random, never more at a time than the voters at that moment
// tolerate: there is always a leader that commits, nothing acknowledged is lost, and no configuration lasts that has an even
// number of voters.
func TestQuorumStorm(t *testing.T) {
	t.Parallel()
	seeds := int64(6) // FIRESTEEL_STORMS=500 makes a long run
	if n, err := strconv.Atoi(os.Getenv("FIRESTEEL_STORMS")); err == nil {
		seeds = int64(n)
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { quorumStorm(t, seed) })
		})
	}
}

func quorumStorm(t *testing.T, seed int64) {
	voters := 3 + 2*int(seed%2)
	p := newPiloted(t, seed, 7, voters)
	defer p.close()
	rng := rand.New(rand.NewSource(seed))
	p.set(AutopilotSettings{Voters: voters, DeadAfter: 10 * time.Second, Stabilization: 3 * time.Second})
	for _, id := range p.ids {
		p.show(id, true)
	}
	p.tolerates(voters / 2)
	var acked []string
	start := time.Now()
	for step := range 30 {
		before := p.members()
		victim := p.ids[rng.Intn(len(p.ids))]
		if p.node(victim) == nil || p.isolated[victim] {
			if p.isolate(victim, false); p.node(victim) == nil {
				p.start(victim)
			}
		} else if p.spareable(victim) {
			if rng.Intn(2) == 0 {
				p.stop(victim)
			} else {
				p.isolate(victim, true)
			}
		}
		t.Logf("step %d at %s: %s; %s", step, time.Since(start), before, victim)
		cmd := fmt.Sprint("c", step)
		p.write(cmd)
		acked = append(acked, cmd)
		time.Sleep(time.Duration(rng.Intn(20_000)) * time.Millisecond)
	}
	for _, id := range p.ids {
		if p.isolate(id, false); p.node(id) == nil {
			p.start(id)
		}
	}
	time.Sleep(time.Minute)
	p.tolerates(voters / 2)
	votes := 0
	for _, s := range p.leader().Servers() {
		if s.Voter {
			votes++
		}
	}
	if votes != voters {
		t.Errorf("%d voters in the end, not %d: %s", votes, voters, p.members())
	}
	for _, id := range p.ids {
		if _, err := p.node(id).ReadBarrier(t.Context()); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if order := p.records[id].order(); !slices.Equal(order, acked) {
			t.Errorf("%s has %v", id, order)
		}
	}
}

// spareable tells whether the voters that are up, and healthy as the leader sees it, are a majority without id.
func (p *piloted) spareable(id string) bool {
	p.mu.Lock()
	pilot := p.pilots[p.leader().ID()]
	p.mu.Unlock()
	health, ok := pilot.Health()
	for i, s := range health.Servers {
		health.Servers[i].Healthy = s.Healthy && p.node(s.ID) != nil && !p.isolated[s.ID]
	}
	return ok && health.Without(id) == nil
}

// A voter comes back under its name with an empty disk in the very moment in which the only other holder of the newest
// entries is gone. It must not help a third one, which never had them, to lead.
func TestForgetfulVoter(t *testing.T) {
	t.Parallel()
	for _, waits := range []bool{true, false} {
		t.Run(fmt.Sprint("waits for admission: ", waits), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { forgetfulVoter(t, waits) })
		})
	}
}

func forgetfulVoter(t *testing.T, waits bool) {
	s := newSim(t, 1, 3)
	defer s.close()
	s.bootstrap()
	lead, _ := s.newLeader(0)
	others := slices.DeleteFunc(slices.Clone(s.ids), func(id string) bool { return id == lead })
	late, forgetful := others[0], others[1]
	if _, err := s.node(late).ReadBarrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.isolate(late, true)
	if _, _, err := s.node(lead).Propose(t.Context(), []byte("promised")); err != nil {
		t.Fatal(err)
	}
	s.stop(forgetful)
	s.stop(lead)
	s.wipe(forgetful)
	s.joining[forgetful] = waits
	s.start(forgetful)
	s.isolate(late, false)
	time.Sleep(30 * time.Second)
	if !waits {
		// This is what would happen: the reason for all of it.
		if !s.node(late).IsLeader() {
			t.Errorf("%s does not lead: the test shows nothing", late)
		}
		return
	}
	if s.node(late).LeaderID() != "" || s.node(forgetful).LeaderID() != "" {
		t.Fatal("one that lacks an acknowledged entry leads")
	}
	s.start(lead)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	index, err := s.node(lead).ReadBarrier(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.node(forgetful).Admit(ctx, index); err != nil || s.node(forgetful).Joining() {
		t.Fatalf("not admitted: %v", err)
	}
	for _, id := range s.ids {
		if _, err := s.node(id).ReadBarrier(ctx); err != nil || !s.records[id].has("promised") {
			t.Errorf("%s: %v, %v", id, s.records[id].order(), err)
		}
	}
	s.isolate(late, true) // its vote counts again
	s.stop(lead)
	s.start(lead)
	if _, _, err := s.node(forgetful).Propose(ctx, []byte("more")); err != nil {
		t.Error(err)
	}
}

func TestRaftThatEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, 1)
		n := s.node("m1")
		ended := make(chan error, 1)
		n.cfg.Fatal = func(err error) {
			select {
			case ended <- err:
			default:
			}
		}
		s.bootstrap()
		s.newLeader(0)
		n.raft.Shutdown()
		if err := <-ended; !errors.Is(err, ErrRaftEnded) {
			t.Error(err)
		}
		s.close()
	})
}

package master

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/membership"
	"github.com/firesteel/firesteel/raftnode"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// masterSet is a cluster to which masters are added by name.
type masterSet struct {
	t       *testing.T
	dir     string
	configs map[string]Config
	open    map[string]*Master
	exits   chan string // "id code" of processes that would have ended
}

// newMasterSet starts m1, m2 and m3.
func newMasterSet(t *testing.T) *masterSet {
	t.Helper()
	s := &masterSet{t: t, dir: t.TempDir(), configs: map[string]Config{}, open: map[string]*Master{}, exits: make(chan string, 16)}
	for i, port := range freePorts(t, 3) {
		s.add("m"+strconv.Itoa(i+1), port)
	}
	for id := range s.configs {
		s.start(id)
	}
	for _, m := range s.all() {
		eventually(t, m, "it knows its cluster", func(*fsm.State) bool { return m.node.ClusterID() != "" })
	}
	s.call(s.any(), func(ctx context.Context, c clusterpb.QuorumClient) error {
		_, err := c.SetAutopilot(ctx, &clusterpb.SetAutopilotRequest{Settings: &clusterpb.AutopilotSettings{Voters: 3, StabilizationMs: 500, DeadAfterMs: 1500}})
		return err
	})
	return s
}

// add prepares a master; it joins by the gossip of m1 to m3.
func (s *masterSet) add(id string, gossipPort int) {
	cfg := testConfig(s.t, id, s.dir)
	cfg.BootstrapExpect, cfg.GossipPort = 3, gossipPort
	cfg.Profile = "normal" // leaders that change all the time begin to count anew
	cfg.RPCPort = freePorts(s.t, 1)[0]
	cfg.exit = func(code int) { s.exits <- fmt.Sprint(id, " ", code) }
	s.configs[id] = cfg
}

func (s *masterSet) start(id string) *Master {
	s.t.Helper()
	cfg := s.configs[id]
	for _, o := range s.configs {
		if o.GossipPort != 0 {
			cfg.Join = append(cfg.Join, net.JoinHostPort("127.0.0.1", strconv.Itoa(o.GossipPort)))
		}
	}
	s.open[id] = open(s.t, cfg)
	return s.open[id]
}

func (s *masterSet) stop(id string) {
	s.t.Helper()
	m := s.open[id]
	delete(s.open, id)
	if err := m.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *masterSet) all() (all []*Master) {
	for _, m := range s.open {
		all = append(all, m)
	}
	return all
}

func (s *masterSet) any() *Master { return s.all()[0] }

// call does something about the quorum at one master, again where it is only too early: nobody leads, or a master was late on
// a busy machine and is not counted on.
func (s *masterSet) call(m *Master, do func(context.Context, clusterpb.QuorumClient) error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	pool := rpc.NewPool()
	defer pool.Close()
	c, err := pool.Quorum(m.node.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	for {
		err := do(ctx, c)
		if code := status.Code(err); (code == codes.FailedPrecondition || code == codes.Unavailable) && delay.For(ctx, 50*time.Millisecond) {
			continue
		}
		if err != nil {
			s.t.Fatal(err, s.describe())
		}
		return
	}
}

// describe says what each master knows, for a failure.
func (s *masterSet) describe() (out string) {
	for id, m := range s.open {
		out += fmt.Sprintf("\n%s: leads %t, joining %t, %+v; gossip:", id, m.Leading(), m.node.Joining(), m.node.Stats())
		for _, g := range m.gossip.Masters() {
			out += fmt.Sprintf(" %s of %q at %s", g.ID, g.ClusterID, g.RaftAddr)
		}
	}
	return out
}

// becomes waits until the leader lists the members as wanted, such as "m1 m2 m3 (m4)", and counts on so many failures.
func (s *masterSet) becomes(want string, tolerance int) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	var last *clusterpb.ListMastersReply
	for {
		s.call(s.any(), func(ctx context.Context, c clusterpb.QuorumClient) (err error) {
			last, err = c.ListMasters(ctx, &clusterpb.ListMastersRequest{})
			return err
		})
		var words []string
		for _, m := range last.GetMasters() {
			if words = append(words, m.GetId()); !m.GetVoter() {
				words[len(words)-1] = "(" + m.GetId() + ")"
			}
		}
		if strings.Join(words, " ") == want && int(last.GetFailureTolerance()) == tolerance {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the members are %v, tolerance %d, not %s, %d: %v", words, last.GetFailureTolerance(), want, tolerance, last)
		}
		time.Sleep(50 * time.Millisecond) // there is no event for what the leader sees
	}
}

func (s *masterSet) exited(want string) {
	s.t.Helper()
	select {
	case got := <-s.exits:
		if got != want {
			s.t.Fatalf("exit %s, want %s", got, want)
		}
	case <-time.After(patience):
		s.t.Fatalf("no exit: want %s", want)
	}
}

func TestMasterIsReplaced(t *testing.T) {
	t.Parallel()
	s := newMasterSet(t)
	s.becomes("m1 m2 m3", 1)
	dead := follower(t, s.all()).cfg.ID
	s.stop(dead)
	s.becomes("m1 m2 m3", 0)
	s.add("m4", 0)
	s.start("m4")
	s.becomes(strings.TrimSpace(strings.ReplaceAll("m1 m2 m3 m4", dead+" ", "")), 1)
	for _, m := range s.all() { // every master shows it
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		for c := m.cluster(); c.FailureTolerance != 1 || c.Voters != 3 || !c.Healthy || len(c.Masters) != 3; c = m.cluster() {
			if !delay.For(ctx, 50*time.Millisecond) {
				t.Fatalf("%s shows %+v", m.cfg.ID, c)
			}
		}
		cancel()
	}
	s.start(dead) // with its disk: a spare
	s.becomes(strings.ReplaceAll("m1 m2 m3 m4", dead, "("+dead+")"), 1)
}

// A follower loses its disk and comes back under its name; it votes again, and only when it has caught up.
func TestMasterWithAnEmptyDisk(t *testing.T) {
	t.Parallel()
	s := newMasterSet(t)
	s.becomes("m1 m2 m3", 1)
	id := follower(t, s.all()).cfg.ID
	for _, address := range []string{"same", "new"} {
		s.stop(id)
		cfg := s.configs[id]
		if err := os.RemoveAll(cfg.DataDir); err != nil {
			t.Fatal(err)
		}
		if address == "new" {
			cfg.RPCPort = freePorts(t, 1)[0]
			s.configs[id] = cfg
		}
		m := s.start(id)
		eventually(t, m, "it is admitted", func(*fsm.State) bool { return !m.node.Joining() && m.node.ClusterID() != "" })
		s.becomes("m1 m2 m3", 1)
		if !strings.HasSuffix(m.node.Addr(), strconv.Itoa(cfg.RPCPort)) || !slices.Contains(m.node.Servers(), raftnode.Server{ID: id, Addr: m.node.Addr(), Voter: true}) {
			t.Errorf("%s address: %v", address, m.node.Servers())
		}
	}
}

func TestMasterIsRemoved(t *testing.T) {
	t.Parallel()
	s := newMasterSet(t)
	s.add("m4", 0)
	s.start("m4")
	s.becomes("m1 m2 m3 (m4)", 1)
	l := leader(t, s.all()).cfg.ID
	remove := func(id string, force bool) func(context.Context, clusterpb.QuorumClient) error {
		return func(ctx context.Context, c clusterpb.QuorumClient) error {
			_, err := c.RemoveMaster(ctx, &clusterpb.RemoveMasterRequest{Id: id, Force: force})
			return err
		}
	}
	s.call(follower(t, s.all()), remove(l, false)) // the leader itself, asked of another one
	s.exited(l + " 78")
	s.stop(l)                              // which the process has done by itself
	s.call(s.open["m4"], remove(l, false)) // a repetition
	s.becomes(strings.TrimSpace(strings.ReplaceAll("m1 m2 m3 m4", l+" ", "")), 1)
	s.start(l) // on its old disk
	s.exited(l + " 78")
	s.stop(l)
	if err := os.RemoveAll(s.configs[l].DataDir); err != nil {
		t.Fatal(err)
	}
	s.start(l)
	s.becomes(strings.ReplaceAll("m1 m2 m3 m4", l, "("+l+")"), 1)
	if len(s.exits) > 0 {
		t.Errorf("a new master of an old name has ended: %s", <-s.exits)
	}

	// What must not be.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := s.any().pool.Quorum(s.any().node.Addr())
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, want codes.Code, do func(context.Context, clusterpb.QuorumClient) error) {
		s.call(s.any(), func(ctx context.Context, c clusterpb.QuorumClient) error {
			err := do(ctx, c)
			if code := status.Code(err); code == codes.FailedPrecondition || code == codes.Unavailable {
				return err // nobody leads at the moment
			} else if code != want {
				t.Errorf("%s: %v", what, err)
			}
			return nil
		})
	}
	refused("removing nobody", codes.NotFound, remove("nobody", true))
	refused("two voters", codes.InvalidArgument, func(ctx context.Context, c clusterpb.QuorumClient) error {
		_, err := c.SetAutopilot(ctx, &clusterpb.SetAutopilotRequest{Settings: &clusterpb.AutopilotSettings{Voters: 2}})
		return err
	})
	refused("leadership for a spare", codes.NotFound, func(ctx context.Context, c clusterpb.QuorumClient) error {
		_, err := c.TransferLeadership(ctx, &clusterpb.TransferLeadershipRequest{Id: l})
		return err
	})
	if _, err := c.Position(ctx, &clusterpb.PositionRequest{Id: "another"}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("another master's position: %v", err)
	}
	alive := follower(t, slices.DeleteFunc(s.all(), func(m *Master) bool { return m.cfg.ID == l })).cfg.ID
	s.call(s.any(), func(ctx context.Context, c clusterpb.QuorumClient) error {
		r, err := c.TransferLeadership(ctx, &clusterpb.TransferLeadershipRequest{Id: alive})
		if err == nil && r.GetLeaderId() != alive {
			t.Errorf("%s leads, not %s", r.GetLeaderId(), alive)
		}
		return err
	})
	others := slices.DeleteFunc(s.all(), func(m *Master) bool { return m.cfg.ID == alive || m.cfg.ID == l })
	s.stop(others[0].cfg.ID)
	s.call(s.open[alive], func(ctx context.Context, c clusterpb.QuorumClient) error {
		for {
			list, err := c.ListMasters(ctx, &clusterpb.ListMastersRequest{})
			if err != nil || list.GetFailureTolerance() == 0 {
				break
			}
			delay.For(ctx, 20*time.Millisecond)
		}
		if err := remove(others[1].cfg.ID, false)(ctx, c); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("the quorum was given away: %v", err)
		}
		return nil
	})
}

// A master that was stopped before it learned which cluster it belongs to, and was forgotten meanwhile, is told when it comes back.
func TestMasterThatNeverLearnedItsCluster(t *testing.T) {
	t.Parallel()
	s := newMasterSet(t)
	s.becomes("m1 m2 m3", 1)
	s.add("m4", 0)
	s.start("m4")
	s.becomes("m1 m2 m3 (m4)", 1)
	early := follower(t, slices.DeleteFunc(s.all(), func(m *Master) bool { return m.cfg.ID == "m4" })).cfg.ID
	s.stop(early)
	for _, m := range s.all() {
		eventually(t, m, "gossip misses it", func(*fsm.State) bool {
			return !slices.ContainsFunc(m.gossip.Masters(), func(g membership.Member) bool { return g.ID == early })
		})
	}
	s.becomes(strings.TrimSpace(strings.ReplaceAll("m1 m2 m3 m4", early+" ", "")), 1)
	beginning(t, s.configs[early], s.configs)
	m := s.start(early)
	s.becomes(strings.ReplaceAll("m1 m2 m3 m4", early, "("+early+")"), 1)
	eventually(t, m, "it knows its cluster", func(*fsm.State) bool { return m.node.ClusterID() != "" })
}

// beginning leaves a data directory as it is when a master is stopped in the first moment of its cluster: the configuration is
// there, and nothing else.
func beginning(t *testing.T, cfg Config, others map[string]Config) {
	t.Helper()
	if err := os.RemoveAll(cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.RPCPort))
	n, err := raftnode.Open(t.Context(), raftnode.Config{ID: cfg.ID, DataDir: cfg.DataDir, Bind: addr, Machine: machine{fsm.New(fsm.Config{})}, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	servers := []raftnode.Server{{ID: cfg.ID, Addr: addr, Voter: true}}
	for _, id := range []string{"m1", "m2", "m3"} {
		if id != cfg.ID {
			servers = append(servers, raftnode.Server{ID: id, Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(others[id].RPCPort)), Voter: true})
		}
	}
	if err := errors.Join(n.Bootstrap(servers), n.Close()); err != nil {
		t.Fatal(err)
	}
}

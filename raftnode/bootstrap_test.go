package raftnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// storm starts masters at random moments, each seeing the others after random delays, and lets them bootstrap.
type storm struct {
	*sim
	mu    sync.Mutex
	boots map[string]*Bootstrapper
	seen  map[string]map[string]bool // who sees whom
}

func (s *storm) list(self string, expect int) func() []Candidate {
	return func() []Candidate {
		s.mu.Lock()
		defer s.mu.Unlock()
		var list []Candidate
		for _, id := range s.ids {
			if n := s.node(id); n != nil && s.seen[self][id] {
				list = append(list, Candidate{ID: id, Addr: n.Addr(), RPCAddr: id, Expect: expect, Bootstrapped: len(n.Servers()) > 0})
			}
		}
		return list
	}
}

// Promise implements Promiser, over a network that delays and sometimes loses a call or its answer.
func (s *storm) Promise(ctx context.Context, to Candidate, p Proposal) error {
	s.mu.Lock()
	boot := s.boots[to.RPCAddr]
	delay, lost := time.Duration(s.rng.Intn(300))*time.Millisecond, s.rng.Intn(8)
	s.mu.Unlock()
	time.Sleep(delay)
	if boot == nil || lost == 0 {
		return errors.New("connection refused")
	}
	err := boot.HandlePromise(p)
	time.Sleep(delay)
	if lost == 1 {
		return errors.New("connection reset")
	}
	return errors.Join(err, ctx.Err())
}

// begin makes id a master that starts now and becomes known to the others bit by bit.
func (s *storm) begin(ctx context.Context, id string, expect int) error {
	boot, err := NewBootstrapper(BootstrapConfig{
		Node: s.node(id), Expect: expect, RPCAddr: id, Promiser: s, List: s.list(id, expect), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.boots[id] = boot
	s.seen[id] = make(map[string]bool)
	meet := s.rng.Perm(len(s.ids))
	s.mu.Unlock()
	for _, i := range meet {
		other := s.ids[i]
		go func() {
			s.mu.Lock()
			pause := time.Duration(s.rng.Intn(1500)) * time.Millisecond
			s.mu.Unlock()
			time.Sleep(pause)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen[id][other] = true
		}()
	}
	return boot.Run(ctx)
}

// One cluster comes of five masters that expect three (and the leader adds the other two) or five, whatever the order.
func TestBootstrapStorm(t *testing.T) {
	t.Parallel()
	seeds := int64(60) // FIRESTEEL_STORMS=5000 makes a long run
	if n, err := strconv.Atoi(os.Getenv("FIRESTEEL_STORMS")); err == nil {
		seeds = int64(n)
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { bootstrapStorm(t, seed, 3+2*int(seed%2)) })
		})
	}
}

func bootstrapStorm(t *testing.T, seed int64, expect int) {
	s := &storm{sim: newFreshSim(t, seed, 5), boots: make(map[string]*Bootstrapper), seen: make(map[string]map[string]bool)}
	defer s.close()
	s.sim.lead = func(id string) { go s.addOthers(id) }
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	var masters sync.WaitGroup
	for _, i := range rand.New(rand.NewSource(seed)).Perm(5) {
		s.mu.Lock()
		pause := time.Duration(s.rng.Intn(2000)) * time.Millisecond
		s.mu.Unlock()
		masters.Go(func() {
			time.Sleep(pause)
			if err := s.begin(ctx, s.ids[i], expect); err != nil {
				t.Errorf("%s: %v", s.ids[i], err)
			}
		})
	}
	masters.Wait()
	t.Logf("all belong to a cluster after %s", time.Since(start))
	formed := 0
	for _, b := range s.boots {
		if b.formed {
			formed++
		}
	}
	if formed != 1 {
		t.Fatalf("%d clusters were bootstrapped", formed)
	}
	if _, _, err := s.node("m5").Propose(ctx, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, id := range s.ids {
		if _, err := s.node(id).ReadBarrier(ctx); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		order = s.records[id].order()
		if !slices.Equal(order, []string{"hello"}) || len(s.node(id).Servers()) != 5 || len(s.node(id).voters()) != expect {
			t.Errorf("%s: commands %v, servers %v", id, order, s.node(id).Servers())
		}
	}
}

// addOthers is the leader's duty in the real thing: gossip shows masters, the leader makes them members.
func (s *storm) addOthers(leader string) {
	n := s.node(leader)
	for range 200 {
		for _, id := range s.ids {
			s.mu.Lock()
			started := s.boots[id] != nil
			s.mu.Unlock()
			if started && n.IsLeader() {
				_ = n.AddServer(context.Background(), id, id) // tried again below
			}
		}
		if !n.IsLeader() || len(n.Servers()) == len(s.ids) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// quiet is a bootstrapper that sees what it is given.
func quiet(t *testing.T, expect int, list func(self *Node) []Candidate) (*Bootstrapper, *Node) {
	t.Helper()
	n := emptyGroup(t, 1, nil).find("m1")
	b, err := NewBootstrapper(BootstrapConfig{
		Node: n, Expect: expect, Promiser: refuser{}, List: func() []Candidate { return list(n) }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, n
}

type refuser struct{}

func (refuser) Promise(context.Context, Candidate, Proposal) error { return ErrPromised }

func TestPromiseRules(t *testing.T) {
	t.Parallel()
	b, n := quiet(t, 3, func(*Node) []Candidate { return nil })
	own := Server{"m1", n.Addr(), true}
	first := Proposal{"m0", 3, []Server{{"m0", "a", true}, own, {"m2", "b", true}}}
	second := Proposal{"m0", 3, []Server{{"m0", "a", true}, own, {"m3", "c", true}}}
	for name, p := range map[string]Proposal{
		"other expect": {"m0", 2, []Server{{"m0", "a", true}, own}},
		"too few":      {"m0", 3, []Server{{"m0", "a", true}, own}},
		"without us":   {"m0", 3, []Server{{"m0", "a", true}, {"m2", "b", true}, {"m3", "c", true}}},
		"old address":  {"m0", 3, []Server{{"m0", "a", true}, {"m1", "x", true}, {"m2", "b", true}}},
	} {
		if err := b.HandlePromise(p); !errors.Is(err, ErrBadProposal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 { // the same configuration again is fine
		if err := b.HandlePromise(first); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.HandlePromise(second); !errors.Is(err, ErrPromised) {
		t.Fatalf("second configuration: %v", err)
	}
	b.mu.Lock()
	b.expires = time.Now() // as after its time
	b.mu.Unlock()
	if err := b.HandlePromise(second); err != nil {
		t.Fatalf("after the first promise has expired: %v", err)
	}
	if err := n.Bootstrap([]Server{own}); err != nil {
		t.Fatal(err)
	}
	if err := b.HandlePromise(second); !errors.Is(err, ErrAlreadyBootstrapped) {
		t.Fatalf("with a log: %v", err)
	}
}

func TestNothingToBootstrap(t *testing.T) {
	t.Parallel()
	peers := func(change func(*Candidate)) func(*Node) []Candidate {
		return func(*Node) []Candidate {
			list := []Candidate{{ID: "m2", Addr: "b", Expect: 3}, {ID: "m3", Addr: "c", Expect: 3}}
			change(&list[1])
			return list
		}
	}
	for name, list := range map[string]func(*Node) []Candidate{
		"alone":          func(*Node) []Candidate { return nil },
		"another expect": peers(func(c *Candidate) { c.Expect = 5 }),
		"a cluster":      peers(func(c *Candidate) { c.Bootstrapped = true }),
		"a joiner":       peers(func(c *Candidate) { c.Expect = 0 }),
		"a lower id":     peers(func(c *Candidate) { c.ID = "m0" }),
		"the same id":    peers(func(c *Candidate) { c.ID = "m2" }),
		"no promise":     peers(func(*Candidate) {}),
	} {
		b, n := quiet(t, 3, list)
		if err := b.round(t.Context()); err == nil || n.HasState() {
			t.Errorf("%s: bootstrapped, %v", name, err)
		}
		b.mu.Lock()
		if b.promise != "" {
			t.Errorf("%s: still promised to %s", name, b.promise)
		}
		b.mu.Unlock()
	}
}

func TestBootstrapAlone(t *testing.T) {
	t.Parallel()
	b, n := quiet(t, 1, func(*Node) []Candidate { return nil })
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.Propose(t.Context(), []byte("c")); err != nil {
		t.Fatal(err)
	}
}

func TestStalePromisesAreNotUsed(t *testing.T) {
	t.Parallel()
	b, n := quiet(t, 1, func(*Node) []Candidate { return nil })
	p := Proposal{"m1", 1, []Server{{"m1", n.Addr(), true}}}
	if err := b.HandlePromise(p); err != nil {
		t.Fatal(err)
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.bootstrap(late, p); err == nil || n.HasState() {
		t.Fatalf("used promises that took too long: %v", err)
	}
	other := Proposal{"m1", 1, []Server{{"m1", "elsewhere", true}}}
	if err := b.bootstrap(t.Context(), other); !errors.Is(err, ErrPromised) {
		t.Fatalf("used a promise for another configuration: %v", err)
	}
}

package virtual

import (
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// number is a setting from the environment.
func number(t *testing.T, name string, otherwise int64) int64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestQuorums runs whole quorums under seeded faults. FIRESTEEL_SEED is the first seed, FIRESTEEL_SEEDS how many, and
// FIRESTEEL_FAULTS the faults of each.
func TestQuorums(t *testing.T) {
	seed := number(t, "FIRESTEEL_SEED", 1)
	for _, size := range []int{3, 5} {
		t.Run(fmt.Sprintf("%d masters", size), func(t *testing.T) {
			t.Parallel()
			for s := range number(t, "FIRESTEEL_SEEDS", 1) {
				faults := number(t, "FIRESTEEL_FAULTS", shortFaults)
				t.Run(fmt.Sprint("seed ", seed+s), func(t *testing.T) {
					cfg := config{size: size, seed: seed + s, faults: int(faults), only: os.Getenv("FIRESTEEL_FAULT")}
					r := run(t, cfg)
					t.Log(r)
					if t.Failed() || len(r.violations) > 0 {
						for _, v := range r.violations {
							t.Error(v.text)
						}
						t.Errorf("to replay: FIRESTEEL_SEED=%d FIRESTEEL_FAULTS=%d go test -count=5 -run '^TestQuorums$/^%d_masters$' ./chaos/virtual", cfg.seed, cfg.faults, size)
					}
					r.enough(t, cfg)
				})
			}
		})
	}
}

// report is what a run came to.
type report struct {
	violations                   []violation
	rounds, leaderFaults, terms  int
	acked, repeats, reads, loads int
	failovers                    []time.Duration // virtual: from the fault to a new leader that is ready
	slowest                      string
	virtual, wall                time.Duration
}

func (r *report) String() string {
	slices.Sort(r.failovers)
	at := func(p float64) time.Duration {
		if len(r.failovers) == 0 {
			return 0
		}
		return r.failovers[int(p*float64(len(r.failovers)-1))].Round(time.Millisecond)
	}
	return fmt.Sprintf("%d rounds, %d leader faults in %s of virtual and %s of wall time (%.0f a second); %d terms, %d commands acknowledged, %d repeated, %d linearizable reads, %d snapshots loaded; new leader after p50 %s, p99 %s, max %s (%s)",
		r.rounds, r.leaderFaults, r.virtual.Round(time.Second), r.wall.Round(time.Millisecond), float64(r.leaderFaults)/r.wall.Seconds(),
		r.terms, r.acked, r.repeats, r.reads, r.loads, at(.5), at(.99), at(1), r.slowest)
}

// enough fails a run that proves nothing.
func (r *report) enough(t *testing.T, cfg config) {
	if cfg.only != "" {
		return
	}
	if n := cfg.faults; n >= 20 && (r.leaderFaults < n/3 || r.acked < 5*n || r.reads < 5*n || r.loads == 0 || r.terms < n/3) {
		t.Errorf("too little to prove anything: %s", r)
	}
}

// run carries out the plan of a seed. It stops at the first round after which a promise is broken.
func run(t *testing.T, cfg config) *report {
	out := &report{}
	begin := time.Now()
	synctest.Test(t, func(*testing.T) { plan(cfg, out) })
	out.wall = time.Since(begin)
	return out
}

func plan(cfg config, out *report) {
	begin := time.Now()
	c := newCluster(cfg)
	l := startLoad(c)
	for i := 0; i < cfg.faults && !c.ledger.broken(); i++ {
		step(c, i, out)
		if i%10 == 9 {
			c.settle(l)
		}
	}
	c.mend()
	c.settle(l)
	l.stop()
	finish(c, l)
	out.rounds, out.terms, out.virtual = max(out.rounds, 1), len(c.ledger.leaders), time.Since(begin)
	out.acked, out.repeats, out.reads, out.loads = len(c.ledger.acks), c.ledger.repeats, c.ledger.reads, c.ledger.restores
	c.close()
	out.violations = c.ledger.violations
}

// step is one round: a fault, its time, its repair.
func step(c *cluster, i int, out *report) {
	leader := c.awaitLeader(settleLimit)
	if leader == nil {
		c.ledger.violate("no progress", "no leader within %s of the last repair, before round %d", settleLimit, i)
		return
	}
	r := &round{c: c, rng: rand.New(rand.NewSource(c.cfg.seed<<20 + int64(i))), leader: leader}
	for _, m := range c.all() {
		if m != leader {
			r.others = append(r.others, m)
		}
	}
	r.rng.Shuffle(len(r.others), func(a, b int) { r.others[a], r.others[b] = r.others[b], r.others[a] })
	f := draw(r.rng, c.cfg.only)
	begin := time.Now()
	c.ledger.round(i, f.name)
	f.make(r)
	out.rounds++
	if f.leader {
		out.leaderFaults++
	}
	// One time in four the fault is over before the others can have noticed.
	if f.replaced && r.rng.Intn(4) > 0 {
		if !c.replaced(leader, leaderLimit) {
			c.ledger.violate("no progress", "no new leader within %s", leaderLimit)
		}
		took := time.Since(begin)
		if len(out.failovers) == 0 || took > slices.Max(out.failovers) {
			out.slowest = f.name
		}
		out.failovers = append(out.failovers, took)
	}
	time.Sleep(r.between(0, 1500*time.Millisecond)) // virtual: the fault lasts, beside its successor
	c.mend()
	if r.rng.Intn(2) == 0 {
		time.Sleep(r.between(0, time.Second)) // virtual: or the next fault comes at once
	}
}

// finish compares what is left in the end on all masters.
func finish(c *cluster, l *load) {
	c.settle(l)
	for _, m := range c.all() {
		p := m.running()
		if p == nil {
			continue
		}
		c.ledger.digest(m.id, p.state.State())
	}
}

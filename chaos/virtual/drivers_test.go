package virtual

import (
	"context"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// fleet is the workers that run drivers, and who submits those, beside a quorum under faults. The rule of the lease is the
// real one (internal/lease), the state machine and the scheduler too; sessions, liveness and processes are played.
type fleet struct {
	c      *cluster
	links  *network // between workers and masters
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	broken string        // what is broken on purpose
	lives  time.Duration // of every run; 0: drawn for each

	mu      sync.Mutex
	keepers map[string][]*keeper // by worker, oldest life first
	alive   map[string]*run1     // by supervised driver
	asked   map[string]string    // tag of a submission -> driver id, "" while no answer has come
	begun   int
	moved   map[string]bool // drivers that had a second run
	keys    int
}

// What may be broken.
const (
	noHold          = "the leader does not wait for the lease"
	leaseIgnored    = "the worker ignores its lease"
	lateLaunches    = "a launch that comes after the lease is obeyed"
	holdsMixed      = "one hold is taken for another"
	acksUnconfirmed = "heartbeats are acknowledged without asking who leads"
	newLifeFrees    = "a new life of a worker frees what the old one may run"
	keysForgotten   = "submissions have no keys"
)

const fleetSize = 4

// begins and ends hold the processes of drivers against one another.
func (f *fleet) begins(r *run1) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun++
	if !r.supervise {
		return
	}
	if other := f.alive[r.driver]; other != nil {
		f.c.ledger.violate("two runs", "run %s of %s begins on %s while %s lives on %s", r.run, r.driver, r.at, other.run, other.at)
	}
	f.alive[r.driver] = r
	if r.run != r.driver {
		f.moved[r.driver] = true
	}
}

func (f *fleet) ends(r *run1) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.alive[r.driver] == r {
		delete(f.alive, r.driver)
	}
}

func (f *fleet) find(id, life string) *keeper {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.keepers[id] {
		if k.life == life {
			return k
		}
	}
	return nil
}

// present is the newest life of a worker.
func (f *fleet) present(id string) *keeper {
	f.mu.Lock()
	defer f.mu.Unlock()
	lives := f.keepers[id]
	return lives[len(lives)-1]
}

func (f *fleet) next(id string) *keeper {
	f.mu.Lock()
	n := len(f.keepers[id]) + 1
	f.mu.Unlock()
	return f.startKeeper(id, n)
}

// submit is a client that submits a driver under a key, through any master, as a new request each time, until it is answered
// or the storm is over.
func (f *fleet) submit(ctx context.Context) {
	f.mu.Lock()
	f.keys++
	tag := fmt.Sprintf("driver-of-key-%d", f.keys)
	f.asked[tag] = ""
	f.mu.Unlock()
	cmd := &fsm.SubmitDriver{
		ID: fsm.IDParts{Prefix: "driver-", Width: 4}, Key: tag, KeepMS: (24 * time.Hour).Milliseconds(),
		Driver: fsm.Driver{Cores: 1, MemoryMB: 128, Build: build, MainClass: tag, Supervise: !f.c.dice.oneIn(5), Submitted: now()},
	}
	if f.broken == keysForgotten {
		cmd.Key = ""
	}
	for try := 0; ctx.Err() == nil; try++ {
		if p := f.c.any(); p != nil {
			out, ok := f.ask(ctx, p, cmd, fmt.Sprintf("%s-%d", tag, try))
			if ok {
				f.mu.Lock()
				f.asked[tag] = out.DriverID
				f.mu.Unlock()
				if f.c.dice.oneIn(4) {
					_ = rest(ctx, f.c.dice.upTo(40*time.Second))
					f.killDriver(ctx, out.DriverID)
				}
				return
			}
		}
		_ = rest(ctx, f.c.dice.upTo(100*time.Millisecond))
	}
}

func (f *fleet) ask(ctx context.Context, p *process, cmd fsm.Command, request string) (out fsm.DriverSubmittedResult, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond+f.c.dice.upTo(3*time.Second))
	defer cancel()
	_ = rest(ctx, f.c.dice.upTo(normalLatency))
	if p.awakeWithin(ctx) != nil {
		return out, false
	}
	result, _, err := p.node.Propose(ctx, fsm.Encode(cmd, request))
	if err != nil || p.dead() || p.awakeWithin(ctx) != nil {
		return out, false
	}
	if err := fsm.DecodeResult(result, &out); err != nil {
		f.c.ledger.violate("lost", "submission %s is refused: %v", request, err)
	}
	return out, true
}

func (f *fleet) killDriver(ctx context.Context, id string) {
	for ctx.Err() == nil {
		if p := f.c.any(); p != nil && p.awakeWithin(ctx) == nil {
			one, cancel := context.WithTimeout(ctx, 3*time.Second)
			_, _, err := p.node.Propose(one, fsm.Encode(&fsm.KillDriver{ID: id, At: now(), Retained: keepAll}, ""))
			cancel()
			if err == nil {
				return
			}
		}
		_ = rest(ctx, f.c.dice.upTo(200*time.Millisecond))
	}
}

// trouble is what happens to workers.
var trouble = []struct {
	name string
	make func(f *fleet, rng *rand.Rand, k *keeper)
}{
	{"cut off for a while", func(f *fleet, rng *rand.Rand, k *keeper) {
		f.cut(k.addr, true, f.c.all()...)
		f.sleep(rng, 0, 35*time.Second)
		f.cut(k.addr, false, f.c.all()...)
	}},
	{"cut off again and again", func(f *fleet, rng *rand.Rand, k *keeper) {
		for range 2 + rng.Intn(3) {
			f.cut(k.addr, true, f.c.all()...)
			f.sleep(rng, 3*time.Second, 9*time.Second)
			f.cut(k.addr, false, f.c.all()...)
			f.sleep(rng, 200*time.Millisecond, 4*time.Second)
		}
		f.cut(k.addr, true, f.c.all()...)
		f.sleep(rng, 10*time.Second, 35*time.Second)
		f.cut(k.addr, false, f.c.all()...)
	}},
	{"frozen", func(f *fleet, rng *rand.Rand, k *keeper) {
		f.links.change(func() { f.links.frozen[k.addr] = true })
		f.sleep(rng, 0, 35*time.Second)
		f.links.change(func() { delete(f.links.frozen, k.addr) })
	}},
	{"killed", func(f *fleet, rng *rand.Rand, k *keeper) {
		k.kill()
		f.sleep(rng, 200*time.Millisecond, 10*time.Second)
		f.next(k.id)
	}},
	{"cut off, and started elsewhere", func(f *fleet, rng *rand.Rand, k *keeper) {
		f.cut(k.addr, true, f.c.all()...)
		f.sleep(rng, 0, 12*time.Second)
		f.next(k.id)
		f.sleep(rng, 0, 30*time.Second)
		f.cut(k.addr, false, f.c.all()...)
	}},
	{"sees only a leader that sleeps", func(f *fleet, rng *rand.Rand, k *keeper) {
		leader := f.c.leader()
		if leader == nil {
			return
		}
		for _, m := range f.c.all() {
			if m != leader {
				f.cut(k.addr, true, m)
			}
		}
		leader.freeze()
		f.sleep(rng, 8*time.Second, 12500*time.Millisecond)
		leader.thaw()
		f.sleep(rng, 15*time.Second, 30*time.Second)
		f.cut(k.addr, false, f.c.all()...)
	}},
}

func (f *fleet) cut(addr string, cut bool, masters ...*master) {
	f.links.change(func() {
		for _, m := range masters {
			f.links.cut[[2]string{addr, m.id}], f.links.cut[[2]string{m.id, addr}] = cut, cut
		}
	})
}

func (f *fleet) sleep(rng *rand.Rand, from, to time.Duration) {
	_ = rest(f.ctx, from+time.Duration(rng.Int63n(int64(to-from)+1))) // virtual
}

// driverReport is what a run of a fleet came to.
type driverReport struct {
	violations             []violation
	submitted, runs, moved int
	troubles               map[string]int
	masterFaults           int
	virtual, wall          time.Duration
}

func (r *driverReport) String() string {
	return fmt.Sprintf("%d submissions, %d runs, %d supervised drivers moved, %d faults of masters, of workers %v; %s of virtual and %s of wall time",
		r.submitted, r.runs, r.moved, r.masterFaults, r.troubles, r.virtual.Round(time.Second), r.wall.Round(time.Millisecond))
}

type driverPlan struct {
	seed   int64
	rounds int
	only   string // of trouble
	broken string
}

func runFleet(t *testing.T, plan driverPlan) *driverReport {
	out := &driverReport{troubles: map[string]int{}}
	begin := time.Now()
	synctest.Test(t, func(*testing.T) { playFleet(plan, out) })
	out.wall = time.Since(begin)
	return out
}

func playFleet(plan driverPlan, out *driverReport) {
	begin := time.Now()
	f := newFleet(plan.seed, plan.broken, fleetSize)
	load, stop := context.WithCancel(f.ctx)
	f.tasks.Go(func() {
		for load.Err() == nil {
			if rest(load, f.c.dice.upTo(4*time.Second)) == nil {
				f.tasks.Go(func() { f.submit(load) })
			}
		}
	})
	for i := 0; i < plan.rounds && !f.c.ledger.broken(); i++ {
		f.round(i, plan, out)
	}
	stop()
	f.calm()
	f.judge(out)
	out.virtual = time.Since(begin)
	f.close()
	out.violations = f.c.ledger.violations
}

func newFleet(seed int64, broken string, workers int) *fleet {
	f := &fleet{broken: broken, keepers: map[string][]*keeper{}, alive: map[string]*run1{}, asked: map[string]string{}, moved: map[string]bool{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.c = newCluster(config{size: 3, seed: seed, fleet: f})
	f.links = newNetwork(f.c.dice)
	for i := range workers {
		f.startKeeper(fmt.Sprintf("w%d", i+1), 1)
	}
	return f
}

func (f *fleet) close() {
	f.cancel()
	f.c.close()
	f.tasks.Wait()
}

// round is trouble of one or two workers, and faults of masters meanwhile.
func (f *fleet) round(i int, plan driverPlan, out *driverReport) {
	rng := rand.New(rand.NewSource(plan.seed<<20 + int64(i)))
	var pair sync.WaitGroup
	workers := slices.Sorted(maps.Keys(f.keepers))
	rng.Shuffle(len(workers), func(a, b int) { workers[a], workers[b] = workers[b], workers[a] })
	for _, id := range workers[:1+rng.Intn(2)] {
		x := trouble[rng.Intn(len(trouble))]
		for plan.only != "" && x.name != plan.only {
			x = trouble[rng.Intn(len(trouble))]
		}
		out.troubles[x.name]++
		f.c.ledger.round(i, x.name)
		own := rand.New(rand.NewSource(rng.Int63()))
		pair.Go(func() { x.make(f, own, f.present(id)) })
	}
	if rng.Intn(2) == 0 && plan.only == "" {
		f.sleep(rng, 0, 10*time.Second)
		if leader := f.c.awaitLeader(settleLimit); leader != nil {
			r := &round{c: f.c, rng: rng, leader: leader}
			for _, m := range f.c.all() {
				if m != leader {
					r.others = append(r.others, m)
				}
			}
			x := draw(rng, "")
			for x.name == "master is replaced for good" || x.name == "master leaves the quorum and returns" { // the cuts know three names
				x = draw(rng, "")
			}
			out.masterFaults++
			x.make(r)
			f.sleep(rng, 0, 3*time.Second)
		}
	}
	pair.Wait()
	f.c.mend()
	f.sleep(rng, 0, 5*time.Second)
}

// calm mends everything and ends every driver.
func (f *fleet) calm() {
	f.c.mend()
	f.links.change(func() { clear(f.links.cut); clear(f.links.frozen) })
	const limit = 5 * time.Minute
	ctx, cancel := context.WithTimeout(f.ctx, limit)
	defer cancel()
	var left []string
	for {
		p := f.c.any()
		if p == nil {
			f.c.mend()
			continue
		}
		if s := f.c.read(ctx, p); s != nil {
			left = nil
			for d := range s.Drivers() {
				left = append(left, fmt.Sprintf("%+v", *d))
				if !d.KillAsked {
					f.killDriver(ctx, d.ID)
				}
			}
			f.mu.Lock()
			alive := len(f.alive)
			f.mu.Unlock()
			if len(left) == 0 && alive == 0 {
				return
			}
		}
		if ctx.Err() != nil {
			f.c.ledger.violate("no progress", "after %s of calm drivers are still there that were killed: %v; %d processes", limit, left, len(f.alive))
			return
		}
		_ = rest(ctx, 500*time.Millisecond)
	}
}

// judge counts.
func (f *fleet) judge(out *driverReport) {
	m := f.c.awaitLeader(settleLimit)
	if m == nil {
		f.c.ledger.violate("no progress", "no leader in the end")
		return
	}
	p := m.running()
	ctx, cancel := context.WithTimeout(f.ctx, settleLimit)
	defer cancel()
	s := f.c.read(ctx, p)
	if s == nil {
		f.c.ledger.violate("no progress", "no read in the end")
		return
	}
	if err := s.Invariants(); err != nil {
		f.c.ledger.violate("invariants", "%v", err)
	}
	there := records(s)[1]
	f.mu.Lock()
	defer f.mu.Unlock()
	for tag, id := range f.asked {
		got := there[tag]
		switch {
		case len(got) > 1:
			f.c.ledger.violate("applied twice", "of %s came %v", tag, got)
		case id != "" && (len(got) == 0 || got[0] != id):
			f.c.ledger.violate("lost", "%s was accepted as %s; there is %v", tag, id, got)
		}
	}
	out.submitted, out.runs, out.moved = len(f.asked), f.begun, len(f.moved)
}

// TestDriverRuns: workers with supervised drivers are cut off, stopped, killed and started elsewhere, while masters suffer all
// that they can. No driver ever has two live runs, every submission that was accepted is one driver, and every driver ends.
func TestDriverRuns(t *testing.T) {
	t.Parallel()
	seed := number(t, "FIRESTEEL_SEED", 1)
	for s := range number(t, "FIRESTEEL_SEEDS", 1) {
		plan := driverPlan{seed: seed + s, rounds: int(number(t, "FIRESTEEL_FAULTS", shortFleet))}
		r := runFleet(t, plan)
		t.Logf("seed %d: %s", plan.seed, r)
		for _, v := range r.violations {
			t.Errorf("seed %d: %s", plan.seed, v.text)
		}
		if len(r.violations) == 0 && plan.rounds >= 20 && (r.submitted < 4*plan.rounds || r.moved < plan.rounds/3) {
			t.Errorf("too little to prove anything: %s", r)
		}
	}
}

// TestDriverSabotage breaks one part of the rule at a time, each of which must be seen.
func TestDriverSabotage(t *testing.T) {
	for broken, x := range map[string]struct{ caught, only string }{
		noHold:        {"two runs", ""},
		leaseIgnored:  {"two runs", ""},
		holdsMixed:    {"two runs", "cut off again and again"},
		newLifeFrees:  {"two runs", "cut off, and started elsewhere"},
		keysForgotten: {"applied twice", ""},
	} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			for seed := int64(1); seed <= 10; seed++ {
				r := runFleet(t, driverPlan{seed: seed, rounds: 40, only: x.only, broken: broken})
				if i := slices.IndexFunc(r.violations, func(v violation) bool { return v.kind == x.caught }); i >= 0 {
					t.Logf("seed %d: %s", seed, r.violations[i].text)
					return
				}
			}
			t.Error("not caught in 10 seeds")
		})
	}
}

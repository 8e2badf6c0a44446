package storm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of fault; its text is what --faults takes.
type Kind string

// The kinds. A master or worker that is struck comes back after the fault's hold.
const (
	KillLeader     Kind = "kill-leader"     // SIGKILL
	KillFollower   Kind = "kill-follower"   //
	KillWorker     Kind = "kill-worker"     //
	StopLeader     Kind = "stop-leader"     // SIGSTOP, then SIGCONT
	StopFollower   Kind = "stop-follower"   //
	StopWorker     Kind = "stop-worker"     //
	TermLeader     Kind = "term-leader"     // SIGTERM
	TermFollower   Kind = "term-follower"   //
	TermWorker     Kind = "term-worker"     //
	KillTwo        Kind = "kill-two"        // the leader and a follower: no quorum until they are back
	KillAll        Kind = "kill-all"        // every master
	Bounce         Kind = "bounce"          // three leaders in a row, each as soon as it leads, started again at once
	KillExecutor   Kind = "kill-executor"   // of a real job
	KillDriver     Kind = "kill-driver"     // of a real job; another is started
	KillSubmitted  Kind = "kill-submitted"  // the process of a driver in cluster mode
	LoseWorker     Kind = "lose-worker"     // SIGSTOP for so long that its supervised drivers begin elsewhere
	PartWorker     Kind = "part-worker"     // cut from all masters, likewise
	CutLeader      Kind = "cut-leader"      // from the other masters; clients still reach it
	CutFollower    Kind = "cut-follower"    // from the other masters
	IsolateLeader  Kind = "isolate-leader"  // from everything
	LeaderDeaf     Kind = "leader-deaf"     // it hears no master, and all hear it
	LeaderMute     Kind = "leader-mute"     // no master hears it, and it hears all
	CutWorker      Kind = "cut-worker"      // from all masters
	SplitFollowers Kind = "split-followers" // from each other; both still have the leader
)

// needs says what a kind of fault takes.
type needs struct {
	network, jobs bool
	weight        int // how often it is drawn, beside the others
}

var kinds = map[Kind]needs{
	KillLeader: {weight: 4}, KillFollower: {weight: 2}, KillWorker: {weight: 1},
	StopLeader: {weight: 4}, StopFollower: {weight: 2}, StopWorker: {weight: 1},
	TermLeader: {weight: 3}, TermFollower: {weight: 1}, TermWorker: {weight: 1},
	KillTwo: {weight: 1}, KillAll: {weight: 1}, Bounce: {weight: 2},
	KillExecutor: {jobs: true, weight: 2}, KillDriver: {jobs: true, weight: 1}, KillSubmitted: {weight: 2}, LoseWorker: {weight: 1},
	CutLeader: {network: true, weight: 4}, CutFollower: {network: true, weight: 2}, IsolateLeader: {network: true, weight: 3},
	LeaderDeaf: {network: true, weight: 2}, LeaderMute: {network: true, weight: 2}, CutWorker: {network: true, weight: 2},
	SplitFollowers: {network: true, weight: 1}, PartWorker: {network: true, weight: 1},
}

// Kinds are all kinds of faults, by name.
func Kinds() []Kind {
	var all []Kind
	for k := range kinds {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// ParseKinds reads names separated by commas; "" is all of them.
func ParseKinds(list string) ([]Kind, error) {
	if list == "" {
		return Kinds(), nil
	}
	var all []Kind
	for name := range strings.SplitSeq(list, ",") {
		k := Kind(strings.TrimSpace(name))
		if _, ok := kinds[k]; !ok {
			return nil, fmt.Errorf("there is no fault %q; there are %v", name, Kinds())
		}
		all = append(all, k)
	}
	return all, nil
}

// Fault is one fault of a schedule.
type Fault struct {
	Kind Kind
	// Hold is how long it lasts before what it did is undone.
	Hold time.Duration
	// Pause is how long the cluster is left alone afterwards.
	Pause time.Duration
	// Pick chooses among several that could be struck.
	Pick int
}

// schedule draws faults, the same ones for the same seed and kinds.
type schedule struct {
	rng   *rand.Rand
	bag   []Kind // each as often as its weight
	drawn map[Kind]int
	queue []Kind // each kind once, before chance rules: a short run shall have seen many
}

func newSchedule(seed uint64, allowed []Kind) *schedule {
	s := &schedule{rng: rand.New(rand.NewPCG(seed, 1)), drawn: map[Kind]int{}}
	for _, k := range allowed {
		for range kinds[k].weight {
			s.bag = append(s.bag, k)
		}
	}
	s.queue = slices.Clone(allowed)
	slices.Sort(s.queue)
	s.rng.Shuffle(len(s.queue), func(i, j int) { s.queue[i], s.queue[j] = s.queue[j], s.queue[i] })
	return s
}

func (s *schedule) next() Fault {
	f := Fault{
		Hold:  between(s.rng, 300*time.Millisecond, 5*time.Second),
		Pause: between(s.rng, 0, 3*time.Second),
		Pick:  s.rng.IntN(1 << 20),
	}
	if s.rng.IntN(4) == 0 {
		f.Pause = 0 // right into the repair of the one before
	}
	if len(s.queue) > 0 {
		f.Kind, s.queue = s.queue[0], s.queue[1:]
	} else {
		f.Kind = s.bag[s.rng.IntN(len(s.bag))]
	}
	s.drawn[f.Kind]++
	return f
}

func between(rng *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(rng.Int64N(int64(high-low)))
}

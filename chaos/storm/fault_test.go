package storm

import (
	"slices"
	"testing"
)

func draw(seed uint64, n int, allowed []Kind) []Fault {
	s := newSchedule(seed, allowed)
	var all []Fault
	for range n {
		all = append(all, s.next())
	}
	return all
}

func TestScheduleIsItsSeed(t *testing.T) {
	t.Parallel()
	a, b, other := draw(7, 200, Kinds()), draw(7, 200, Kinds()), draw(8, 200, Kinds())
	if !slices.Equal(a, b) {
		t.Error("one seed, two schedules")
	}
	if slices.Equal(a, other) {
		t.Error("two seeds, one schedule")
	}
	for _, f := range a {
		if f.Hold <= 0 || f.Pause < 0 || f.Pick < 0 {
			t.Errorf("%+v", f)
		}
	}
}

// A short run has seen as many kinds as it has faults; chance rules from then on, by weight.
func TestEveryKindComesFirst(t *testing.T) {
	t.Parallel()
	all := Kinds()
	drawn := draw(3, len(all)+5000, all)
	seen := map[Kind]bool{}
	for _, f := range drawn[:len(all)] {
		seen[f.Kind] = true
	}
	if len(seen) != len(all) {
		t.Errorf("%d of %d kinds in the first %d faults", len(seen), len(all), len(all))
	}
	count := map[Kind]int{}
	for _, f := range drawn[len(all):] {
		count[f.Kind]++
	}
	if count[KillLeader] < 2*count[KillAll] {
		t.Errorf("weights do not count: %v", count)
	}
	if len(draw(3, 10, []Kind{KillAll})) != 10 {
		t.Error("one kind alone")
	}
}

func TestParseKinds(t *testing.T) {
	t.Parallel()
	if all, err := ParseKinds(""); err != nil || len(all) != len(kinds) {
		t.Errorf("all: %v, %v", all, err)
	}
	if two, err := ParseKinds("kill-leader, cut-leader"); err != nil || !slices.Equal(two, []Kind{KillLeader, CutLeader}) {
		t.Errorf("two: %v, %v", two, err)
	}
	if _, err := ParseKinds("kill-leader,tickle-leader"); err == nil {
		t.Error("a kind that is none was taken")
	}
}

// Each kind has an entry, and says truly whether it needs the network: strike must not be asked to cut on loopback.
func TestOnLoopbackNothingIsCut(t *testing.T) {
	t.Parallel()
	s := &storm{Config: Config{Faults: Kinds()}}
	for _, k := range s.possible() {
		if kinds[k].network || kinds[k].jobs {
			t.Errorf("%s, without a network and without jobs", k)
		}
	}
	if !slices.Contains(s.possible(), KillLeader) {
		t.Errorf("possible: %v", s.possible())
	}
}

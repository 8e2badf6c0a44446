package raftnode

import "testing"

// The terms go on above what was asked for, whoever leads then; nothing that was committed is lost, and a second call with
// the same floor disturbs nobody.
func TestRaiseTerm(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 3} {
		g := newGroup(t, size, nil)
		old := g.leader()
		g.propose(old, "before")
		const floor = 1000
		if err := old.RaiseTerm(t.Context(), floor); err != nil {
			t.Fatal(err)
		}
		g.eventually(old, "a leader above the floor", func() bool {
			for _, n := range g.all() {
				if s := n.Stats(); s.Ready && s.Term > floor {
					return true
				}
			}
			return false
		})
		leader := g.leader()
		term := leader.Term()
		if term > floor+20 {
			t.Errorf("the term is %d", term)
		}
		g.propose(leader, "after")
		if err := leader.RaiseTerm(t.Context(), floor); err != nil || leader.Term() != term {
			t.Errorf("raised again: term %d, then %d, %v", term, leader.Term(), err)
		}
		if got := g.same(); len(got) != 2 {
			t.Errorf("%v", got)
		}
	}
}

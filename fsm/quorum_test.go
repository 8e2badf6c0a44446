package fsm

import (
	"fmt"
	"testing"
)

func TestQuorumCommands(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.do(&SetCluster{ID: "c", Voters: 3}, nil)
	h.do(&SetCluster{ID: "other", Voters: 5}, nil)
	if a := h.m.State().Autopilot(); a.Voters != 3 {
		t.Errorf("the first naming counts: %+v", a)
	}
	for _, bad := range []Autopilot{{Voters: 2}, {Voters: -1}, {Voters: 11}, {StabilizationMs: -1}, {DeadAfterMs: -1}} {
		if err := h.try(&SetAutopilot{bad}); RefusalCode(err) != CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	want := Autopilot{Voters: 5, StabilizationMs: 1, DeadAfterMs: 2, Off: true}
	h.do(&SetAutopilot{want}, nil)
	before := h.m.State()
	h.do(&RemoveMaster{ID: "m1", At: 7}, nil)
	h.do(&RemoveMaster{ID: "m1", At: 8}, nil)
	h.do(&RemoveMaster{ID: "m2", At: 9}, nil)
	if before.MasterRemoved("m1") {
		t.Error("an earlier state has changed")
	}
	h.do(&AdmitMaster{ID: "m1"}, nil)
	h.do(&AdmitMaster{ID: "nobody"}, nil)
	for _, s := range []*State{h.m.State(), h.restored().m.State()} {
		if s.Autopilot() != want || s.MasterRemoved("m1") || !s.MasterRemoved("m2") {
			t.Errorf("%+v", s.c.Quorum)
		}
	}
	for _, id := range []string{"", string(make([]byte, 64))} {
		if err := h.try(&RemoveMaster{ID: id}); RefusalCode(err) != CodeInvalid {
			t.Errorf("id %q: %v", id, err)
		}
	}
	for i := range maxRemovedMasters + 5 {
		h.do(&RemoveMaster{ID: fmt.Sprint("x", i)}, nil)
	}
	if q := h.m.State().c.Quorum; len(q.Removed) != maxRemovedMasters || h.m.State().MasterRemoved("m2") {
		t.Errorf("%d removed masters are remembered", len(q.Removed))
	}
}

package raftnode

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

// members makes a state of words such as "m1:leader m2 m3:dead m4:spare": voters that are healthy, unless a word says
// otherwise (sick: not for long enough; new: a spare that is not stable yet; lost: a dead member without a vote).
func members(now time.Time, text string) *autopilot.State {
	s := &autopilot.State{Servers: map[raft.ServerID]*autopilot.ServerState{}}
	for word := range strings.FieldsSeq(text) {
		id, kind, _ := strings.Cut(word, ":")
		m := &autopilot.ServerState{State: autopilot.RaftVoter, Health: autopilot.ServerHealth{Healthy: true, StableSince: now.Add(-time.Hour)}}
		switch kind {
		case "leader":
			m.State, s.Leader = autopilot.RaftLeader, raft.ServerID(id)
		case "dead":
			m.Health.Healthy = false
		case "sick":
			m.Health = autopilot.ServerHealth{StableSince: now.Add(-DefaultDeadAfter / 2)}
		case "spare", "silent-spare":
			m.State = autopilot.RaftNonVoter
		case "new":
			m.State, m.Health.StableSince = autopilot.RaftNonVoter, now.Add(-DefaultStabilization/2)
		case "lost":
			m.State, m.Health.Healthy = autopilot.RaftNonVoter, false
		}
		s.Servers[raft.ServerID(id)] = m
	}
	return s
}

func ids(text string) []raft.ServerID {
	var out []raft.ServerID
	for word := range strings.FieldsSeq(text) {
		out = append(out, raft.ServerID(word))
	}
	return out
}

func TestPlan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, members   string
		wanted          int
		promote, demote string
	}{
		{"all well", "m1:leader m2 m3", 3, "", ""},
		{"a spare waits", "m1:leader m2 m3 m4:spare", 3, "", ""},
		{"a dead one without replacement stays", "m1:leader m2 m3:dead", 3, "", ""},
		{"a dead one with a replacement", "m1:leader m2 m3:dead m4:spare", 3, "m4", "m3"},
		{"the replacement did not answer just now", "m1:leader m2 m3:dead m4:silent-spare", 3, "", ""},
		{"another voter did not answer just now", "m1:leader m2:silent m3 m4:dead m5:dead", 5, "", "m4 m5"},
		{"too many did not answer just now", "m1:leader m2:silent m3:silent m4:dead m5:dead", 5, "", ""},
		{"the replacement is not stable yet", "m1:leader m2 m3:dead m4:new", 3, "", ""},
		{"not dead for long enough", "m1:leader m2 m3:sick m4:spare", 3, "", ""},
		{"two dead of five, one spare: one at a time", "m1:leader m2 m3 m4:dead m5:dead m6:spare", 5, "m6", "m4"},
		{"two dead of five, no spare: they only raise the quorum", "m1:leader m2 m3 m4:dead m5:dead", 5, "", "m4 m5"},
		{"one dead of five, no spare", "m1:leader m2 m3 m4 m5:dead", 5, "", ""},
		{"two dead and one sick of five: the sick one is needed", "m1:leader m2 m3:sick m4:dead m5:dead", 5, "", "m4 m5"},
		{"they are back", "m1:leader m2 m3 m4:spare m5:spare", 5, "m4 m5", ""},
		{"grow by one: no gain", "m1:leader m2 m3 m4:spare", 5, "", ""},
		{"grow by two", "m1:leader m2 m3 m4:spare m5:spare m6:spare", 5, "m4 m5", ""},
		{"one to three takes two", "m1:leader m2:spare", 3, "", ""},
		{"one to three", "m1:leader m2:spare m3:spare", 3, "m2 m3", ""},
		{"after a removal", "m1:leader m2 m4:spare", 3, "m4", ""},
		{"after a removal, and nobody said how many", "m1:leader m2 m4:spare", 0, "m4", ""},
		{"shrink", "m1:leader m2 m3 m4 m5", 3, "", "m4 m5"},
		{"shrink: the leader stays", "m5:leader m1 m2 m3 m4", 3, "", "m3 m4"},
		{"shrink: the sick go first", "m1:leader m2:sick m3 m4:dead m5", 3, "", "m2 m4"},
		{"shrink to one", "m1:leader m2 m3", 1, "", "m2 m3"},
		{"four, one dead, no spare", "m1:leader m2 m3 m4:dead", 5, "", "m4"},
		{"four of three wanted", "m1:leader m2 m3 m4", 3, "", "m4"},
		{"a minority must not decide", "m1:leader m2:dead m3:dead m4:spare", 3, "", ""},
		{"nothing that would lose the quorum", "m1:leader m2:dead m3:dead", 1, "", "m2 m3"},
	} {
		now := time.Now()
		settings := AutopilotSettings{Voters: c.wanted}
		settings.setDefaults()
		got := newCensus(now, settings, members(now, c.members), func(id raft.ServerID) bool { return strings.Contains(c.members, string(id)+":silent") }).plan()
		if !slices.Equal(got.Promotions, ids(c.promote)) || !slices.Equal(got.Demotions, ids(c.demote)) || got.Leader != "" {
			t.Errorf("%s: promote %v, demote %v", c.what, got.Promotions, got.Demotions)
		}
	}
}

// Only a member without a vote is ever forgotten, and only when all votes are in good hands.
func TestForgotten(t *testing.T) {
	t.Parallel()
	settings := AutopilotSettings{Voters: 3}
	a := NewAutopilot(AutopilotConfig{Settings: func() AutopilotSettings { return settings }})
	dead := &autopilot.Server{ID: "m4"}
	failed := &autopilot.FailedServers{
		FailedNonVoters: []*autopilot.Server{dead}, FailedVoters: []*autopilot.Server{{ID: "m3"}},
		StaleVoters: ids("m5"), StaleNonVoters: ids("m6"),
	}
	for text, want := range map[string]int{
		"m1:leader m2 m3 m4:lost":      1,
		"m1:leader m2 m3:sick m4:lost": 0,
		"m1:leader m2 m4:lost":         0,
	} {
		got := (*promoter)(a).FilterFailedServerRemovals(nil, members(time.Now(), text), failed)
		if len(got.FailedNonVoters) != want || len(got.FailedVoters)+len(got.StaleVoters)+len(got.StaleNonVoters) != 0 {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	voter := func(id string, healthy bool) Health {
		return Health{Server: Server{ID: id, Voter: true}, Healthy: healthy}
	}
	spare := Health{Server: Server{ID: "m9"}, Healthy: true}
	three := QuorumHealth{Servers: []Health{voter("m1", true), voter("m2", true), voter("m3", false), spare}}
	for id, safe := range map[string]bool{"m3": true, "m2": false, "m9": true, "m1": false} {
		if err := three.Without(id); (err == nil) != safe || err != nil && !errors.Is(err, ErrUnsafe) {
			t.Errorf("without %s: %v", id, err)
		}
	}
	if (QuorumHealth{Servers: []Health{voter("m1", true)}}).Without("m1") == nil {
		t.Error("the last one may go")
	}
}

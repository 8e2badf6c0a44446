package raftnode

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

// promoter is the autopilot where the library asks who should vote.
type promoter Autopilot

var _ autopilot.Promoter = (*promoter)(nil)

// CalculatePromotionsAndDemotions implements autopilot.Promoter.
func (p *promoter) CalculatePromotionsAndDemotions(_ *autopilot.Config, s *autopilot.State) autopilot.RaftChanges {
	a := (*Autopilot)(p)
	settings := a.settings()
	if settings.Off || !a.present(s) {
		return autopilot.RaftChanges{}
	}
	return newCensus(time.Now(), settings, s, a.isSilent).plan()
}

// present tells whether a state shows the members as they are now: one from before the last change would have it made again,
// beside another one that time has made possible.
func (a *Autopilot) present(s *autopilot.State) bool {
	servers := a.cfg.Node.Servers()
	for _, now := range servers {
		seen, ok := s.Servers[raft.ServerID(now.ID)]
		if !ok || seen.HasVotingRights() != now.Voter || string(seen.Server.Address) != now.Addr {
			return false
		}
	}
	return len(servers) == len(s.Servers)
}

// isSilent tells whether a member did not answer when it was last asked. It may still be healthy, for a while, and yet nothing
// must be built on it.
func (a *Autopilot) isSilent(id raft.ServerID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, silent := a.silent[id]
	return silent
}

// FilterFailedServerRemovals implements autopilot.Promoter. A voter is never removed, only ever demoted first; a member
// without a vote is forgotten when it is not needed: all the votes are in good hands.
func (p *promoter) FilterFailedServerRemovals(_ *autopilot.Config, s *autopilot.State, failed *autopilot.FailedServers) *autopilot.FailedServers {
	c := newCensus(time.Now(), (*Autopilot)(p).settings(), s, (*Autopilot)(p).isSilent)
	if len(c.voters) < c.wanted || c.healthy < len(c.voters) {
		return &autopilot.FailedServers{}
	}
	return &autopilot.FailedServers{FailedNonVoters: failed.FailedNonVoters}
}

// GetNodeTypes implements autopilot.Promoter; the delegate has said it.
func (*promoter) GetNodeTypes(*autopilot.Config, *autopilot.State) map[raft.ServerID]autopilot.NodeType {
	return nil
}

// IsPotentialVoter implements autopilot.Promoter.
func (*promoter) IsPotentialVoter(t autopilot.NodeType) bool { return t == autopilot.NodeVoter }

// GetServerExt implements autopilot.Promoter.
func (*promoter) GetServerExt(*autopilot.Config, *autopilot.ServerState) any { return nil }

// GetStateExt implements autopilot.Promoter.
func (*promoter) GetStateExt(*autopilot.Config, *autopilot.State) any { return nil }

// census is the members, sorted into those who matter for a decision.
type census struct {
	wanted  int             // voters
	voters  []raft.ServerID // all of them, the leader first, then the healthy ones, by id
	healthy int             // voters that are, and answered last
	dead    []raft.ServerID // voters that have been unhealthy for long enough
	spares  []raft.ServerID // members that could vote, longest healthy first
}

func newCensus(now time.Time, settings AutopilotSettings, s *autopilot.State, silent func(raft.ServerID) bool) census {
	sound := func(id raft.ServerID) bool { return s.Servers[id].Health.Healthy && !silent(id) }
	c := census{wanted: settings.Voters}
	for id, m := range s.Servers {
		since := now.Sub(m.Health.StableSince)
		switch {
		case m.HasVotingRights():
			c.voters = append(c.voters, id)
			if sound(id) {
				c.healthy++
			} else if !m.Health.Healthy && since >= settings.DeadAfter && m.State != autopilot.RaftLeader {
				c.dead = append(c.dead, id)
			}
		case m.State == autopilot.RaftNonVoter && sound(id) && since >= settings.Stabilization:
			c.spares = append(c.spares, id)
		}
	}
	rank := func(id raft.ServerID) int {
		switch m := s.Servers[id]; {
		case m.State == autopilot.RaftLeader:
			return 0
		case sound(id):
			return 1
		}
		return 2
	}
	slices.SortFunc(c.voters, func(x, y raft.ServerID) int {
		return cmp.Or(rank(x)-rank(y), strings.Compare(string(x), string(y)))
	})
	slices.Sort(c.dead)
	slices.SortFunc(c.spares, func(x, y raft.ServerID) int {
		return cmp.Or(s.Servers[x].Health.StableSince.Compare(s.Servers[y].Health.StableSince), strings.Compare(string(x), string(y)))
	})
	if c.wanted == 0 {
		c.wanted = len(c.voters) | 1
	}
	return c
}

// plan gives the next step, one at a time; the library looks again in a second. No step makes the quorum depend on a member
// that is not healthy now, and none ends at an even number of voters: it tolerates no more than the odd number below it.
//
// The library demotes a dead voter before it promotes a spare where the number of voters is odd, so the quorum is never
// larger than before while one is missing.
func (c census) plan() autopilot.RaftChanges {
	switch voters := len(c.voters); {
	case voters > c.wanted:
		// The operators want fewer, or a larger quorum was joined: the unhealthy ones go first, the leader never.
		return c.demote(c.voters[c.wanted:])
	case len(c.dead) > 0 && len(c.spares) > 0:
		swap := c.demote(c.dead[:1])
		if len(swap.Demotions) > 0 {
			swap.Promotions = c.spares[:1]
		}
		return swap
	case voters < c.wanted && len(c.spares) > 0:
		n := min(len(c.spares), c.wanted-voters)
		if (voters+n)%2 == 0 {
			n-- // it waits for another one
		}
		return autopilot.RaftChanges{Promotions: c.spares[:n]}
	}
	return c.demote(c.dead[:c.needless()])
}

// needless is how many dead voters do nothing but raise the quorum: of five, two; of four, one. They get their votes back
// when they are well again, as spares.
func (c census) needless() int {
	n := max(0, min(len(c.dead), len(c.voters)-leastVoters))
	if n > 0 && (len(c.voters)-n)%2 == 0 {
		n--
	}
	return n
}

// demote takes votes away, unless the healthy ones among the rest were no majority of it.
func (c census) demote(ids []raft.ServerID) autopilot.RaftChanges {
	rest := len(c.voters) - len(ids)
	healthy := c.healthy
	for _, id := range ids {
		if slices.Index(c.voters, id) < c.healthy {
			healthy--
		}
	}
	if len(ids) == 0 || healthy < rest/2+1 {
		return autopilot.RaftChanges{}
	}
	return autopilot.RaftChanges{Demotions: ids}
}

package web

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/scheduler"
	"github.com/firesteel/firesteel/spark/releases"
)

// Waiting is the answer to GET /v1/waiting: which applications have no executor though they want one, which drivers wait,
// and what each waits for. Spark's /json/ says no more of them than WAITING.
type Waiting struct {
	Index   uint64 `json:"index"`
	Waiting []Wait `json:"waiting"` // drivers first, then applications in the order of their registration
}

// Wait is one of them.
type Wait struct {
	App     string `json:"app,omitempty"`
	Name    string `json:"name,omitempty"` // of the application
	Profile int    `json:"profile"`        // the resource profile of the executors that are missing
	Driver  string `json:"driver,omitempty"`
	Release string `json:"release"` // of Spark, that it needs
	Needs   string `json:"-"`       // of a worker, besides
	Cause   string `json:"cause"`   // a name of scheduler.Cause: NO_RELEASE, TOO_LARGE, ...
	// Nowhere: it can run on no worker that the cluster has, not even on an empty one.
	Nowhere bool   `json:"nowhere"`
	Reason  string `json:"reason"` // for a person to read
}

// WaitingOf looks at a state. Excluded workers get nothing for now; nil excludes none.
func WaitingOf(s *fsm.State, exclude func(workerID string) bool) Waiting {
	return waitingOf(s, scheduler.Stuck(s, exclude))
}

// WaitingKinds is WaitingOf with only the first of the drivers that wait for the same (scheduler.StuckKinds).
func WaitingKinds(s *fsm.State, exclude func(workerID string) bool) Waiting {
	return waitingOf(s, scheduler.StuckKinds(s, exclude))
}

func waitingOf(s *fsm.State, stuck []scheduler.Unplaced) Waiting {
	out := Waiting{Index: s.Index(), Waiting: []Wait{}}
	there := ""
	for _, u := range stuck {
		w := waitOf(u)
		if a, ok := s.App(u.AppID); ok {
			w.Name = a.Name
		}
		if u.Cause == scheduler.NoRelease {
			if there == "" {
				there = releasesOf(s)
			}
			w.Reason = noRelease(w.Release, there)
		}
		out.Waiting = append(out.Waiting, w)
	}
	return out
}

// DriverWaits says what a waiting driver waits for, for a person to read, and whether it could run on no worker at all.
func DriverWaits(s *fsm.State, set scheduler.Settings, d *fsm.Driver) (reason string, nowhere bool) {
	u := scheduler.ExplainDriver(s, set, d)
	if u.Cause == scheduler.NoRelease {
		return noRelease(releases.DescribeLabel(u.Build), releasesOf(s)), true
	}
	return u.Reason, u.Cause.Nowhere()
}

func waitOf(u scheduler.Unplaced) Wait {
	return Wait{
		App: u.AppID, Profile: u.Profile, Driver: u.DriverID, Release: releases.DescribeLabel(u.Build), Needs: u.Needs,
		Cause: u.Cause.String(), Nowhere: u.Cause.Nowhere(), Reason: u.Reason,
	}
}

func noRelease(needs, there string) string {
	return fmt.Sprintf("no worker runs %s; the ALIVE ones run %s", needs, there)
}

// releasesOf names what the ALIVE workers run, as exactly as it is known.
func releasesOf(s *fsm.State) string {
	names := map[string]bool{}
	var last []string
	for w := range s.Workers() {
		if w.State != fsm.WorkerAlive || slices.Equal(w.Builds, last) { // most are as their neighbours
			continue
		}
		last = w.Builds
		for _, label := range releases.MostExact(w.Builds) {
			names[releases.DescribeLabel(label)] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), ", ")
}

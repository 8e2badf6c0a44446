package web

import (
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// WorkerHealth is what the leader has found out about the health of workers that are not dead: whom it suspects, whom it
// holds back because they come and go, and whether it holds verdicts because so many are suspects. Times are milliseconds
// since the epoch. It is replicated, so every master shows it.
//
// Spark's /json/ has no word for a suspect: it is ALIVE there until it is DEAD.
type WorkerHealth struct {
	Suspects []SuspectInfo `json:"suspects"` // by id
	HeldBack []HeldInfo    `json:"heldBack"` // by id
	Brake    *BrakeInfo    `json:"brake"`    // null while verdicts are given
}

// SuspectInfo is a worker that left a question unanswered: nothing new is placed there.
type SuspectInfo struct {
	ID     string `json:"id"`
	Since  int64  `json:"since"`
	Reason string `json:"reason"`
}

// HeldInfo is a worker that comes and goes: nothing new is placed there until then, unless most workers are held back.
type HeldInfo struct {
	ID    string `json:"id"`
	Until int64  `json:"until"`
	Flaps int    `json:"flaps"` // a death counts 2, a suspicion that passed 1; they wear off
}

// BrakeInfo says that verdicts on workers are held.
type BrakeInfo struct {
	Since    int64 `json:"since"`
	Until    int64 `json:"until"`
	Suspects int   `json:"suspects"` // when it began
	Workers  int   `json:"workers"`
}

// WorkerHealthOf reads it from a state.
func WorkerHealthOf(s *fsm.State, at time.Time) WorkerHealth {
	out := WorkerHealth{Suspects: []SuspectInfo{}, HeldBack: []HeldInfo{}}
	for w := range s.Workers() {
		if w.State == fsm.WorkerDead {
			continue
		}
		watch := w.Watched()
		if watch.Suspected != 0 {
			out.Suspects = append(out.Suspects, SuspectInfo{ID: w.ID, Since: watch.Suspected, Reason: watch.Reason})
		}
		if watch.HeldUntil > at.UnixMilli() {
			out.HeldBack = append(out.HeldBack, HeldInfo{ID: w.ID, Until: watch.HeldUntil, Flaps: watch.Flaps})
		}
	}
	if b := s.Brake(); b.Since != 0 {
		out.Brake = &BrakeInfo{Since: b.Since, Until: b.Until, Suspects: b.Suspects, Workers: b.Workers}
	}
	return out
}

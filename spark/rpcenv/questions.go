package rpcenv

import (
	"sync"

	"github.com/firesteel/firesteel/spark/releases"
)

// questions are answers of the endpoint verifier. Every connection begins with the same question, and all processes of a
// build ask it with the same bytes, so it is read once and not with each of a thousand drivers a second.
type questions struct {
	mu      sync.Mutex
	answers map[string]answer
}

// answer is what a question came to.
type answer struct {
	table *releases.Table // that the peer was spoken to with
	reply []byte
}

const (
	maxQuestions = 64
	maxQuestion  = 1 << 10 // bytes
)

// get gives the answer for a peer whose table is known, or not yet (nil).
func (q *questions) get(payload []byte, table *releases.Table) (answer, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a, ok := q.answers[string(payload)]
	return a, ok && (table == nil || table == a.table)
}

func (q *questions) put(payload []byte, a answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.answers) >= maxQuestions || len(payload) > maxQuestion {
		return
	}
	if q.answers == nil {
		q.answers = map[string]answer{}
	}
	q.answers[string(payload)] = a
}

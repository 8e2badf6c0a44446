package fsm

import (
	"errors"
	"slices"
)

// keptRequests is how many results of recent requests are remembered. A retry follows its first try within seconds; this
// is minutes of the highest load that was measured.
const keptRequests = 1 << 15

// The remembered requests of a State are a slice in the order in which they were answered, their numbers (request.Seq)
// without a gap. Later states share its memory: they only append behind what this state sees, and drop from the front by
// beginning later. What finds a request by its id is not part of the state, since only Apply looks there, and it looks
// at the newest state only.

// answered finds remembered requests: request id -> Seq.
type answered map[string]uint64

func indexRequests(kept []request) answered {
	a := make(answered, len(kept))
	for i := range kept {
		a[kept[i].ID] = kept[i].Seq
	}
	return a
}

// answer gives the result of a request that is remembered.
func (t *txn) answer(id string) ([]byte, bool) {
	seq, ok := t.answered[id]
	if !ok || len(t.requests) == 0 {
		return nil, false
	}
	i := seq - t.requests[0].Seq
	if i >= uint64(len(t.requests)) || t.requests[i].ID != id {
		return nil, false
	}
	return t.requests[i].Result, true
}

// remember keeps the result of a request, and forgets the oldest one where there are too many.
func (t *txn) remember(id string, result []byte) {
	t.c.RequestSeq++
	t.requests = append(t.requests, request{ID: id, Seq: t.c.RequestSeq, Result: result})
	t.answered[id] = t.c.RequestSeq
	if over := len(t.requests) - keptRequests; over > 0 {
		for i := range t.requests[:over] {
			delete(t.answered, t.requests[i].ID)
		}
		t.requests = t.requests[over:]
	}
}

var errRequestGap = errors.New("the numbers of the remembered requests have a gap")

func (t *txn) restoreRequest(r *request) error {
	if n := len(t.requests); n > 0 && r.Seq != t.requests[n-1].Seq+1 || r.Seq > t.c.RequestSeq {
		return errRequestGap
	}
	t.requests = append(t.requests, *r)
	return nil
}

// checkRequests is for what remember goes on from.
func (t *txn) checkRequests() error {
	if n := len(t.requests); n > 0 && t.requests[n-1].Seq != t.c.RequestSeq {
		return errRequestGap
	}
	t.requests = slices.Clip(t.requests)
	return nil
}

func (s *State) visitRequests(visit func(kind byte, record any) error) error {
	for i := range s.requests {
		if err := visit(recordRequest, &s.requests[i]); err != nil {
			return err
		}
	}
	return nil
}

package web

import (
	"encoding/json"
	"net/http"

	"github.com/firesteel/firesteel/fsm"
)

// Digest is the answer to GET /v1/digest: masters that stand at the same index have the same digest, or one of them is
// wrong. It costs a walk over the whole state.
type Digest struct {
	Index  uint64 `json:"index"`
	Term   uint64 `json:"term"` // of the entry at the index
	Digest string `json:"digest"`
}

func digestOf(s *fsm.State) Digest {
	return Digest{Index: s.Index(), Term: s.Term(), Digest: s.Digest()}
}

// Executors is the answer to GET /v1/executors: every executor that has not ended, and where it is. Spark's /json/ has
// only sums of them.
type Executors struct {
	Index     uint64     `json:"index"`
	Executors []Executor `json:"executors"` // by worker, then application
}

// Executor is one of them.
type Executor struct {
	App      string `json:"app"`
	ID       int    `json:"id"`
	Worker   string `json:"worker"`
	Cores    int    `json:"cores"`
	MemoryMB int    `json:"memory"`
	State    string `json:"state"`
}

func executorsOf(s *fsm.State) Executors {
	out := Executors{Index: s.Index(), Executors: []Executor{}}
	for w := range s.Workers() {
		for e := range s.ExecutorsOn(w.ID) {
			out.Executors = append(out.Executors, Executor{e.AppID, e.ID, e.WorkerID, e.Cores, e.MemoryMB, e.State.String()})
		}
	}
	return out
}

// stateHandler serves a view of the replicated state, with ?consistency=linearizable as GET /json/ has it.
func stateHandler(m Master, view func(*fsm.State) any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("consistency") == linearizable {
			if err := m.ReadBarrier(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate")
		_ = json.NewEncoder(w).Encode(view(m.State())) // a client that has gone away is told nothing
	})
}

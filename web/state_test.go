package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/firesteel/firesteel/fsm"
)

func getInto(t *testing.T, h http.Handler, path string, into any) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatalf("%s: %d %s: %v", path, w.Code, w.Body, err)
	}
}

// Two masters that applied the same have the same digest, and one that applied something else has not.
func TestDigest(t *testing.T) {
	t.Parallel()
	worker := func(id string) fsm.Command {
		return &fsm.RegisterWorker{Worker: fsm.Worker{ID: id, Host: id, Port: 1, Cores: 1, MemoryMB: 1024, Kind: fsm.WorkerGo, Incarnation: "i"}}
	}
	digest := func(cmds ...fsm.Command) (d Digest) {
		f := newFake(t, false)
		f.do(t, cmds...)
		getInto(t, Handler(f, Actions{}), "/v1/digest", &d)
		return d
	}
	a, b, other := digest(worker("w1"), worker("w2")), digest(worker("w1"), worker("w2")), digest(worker("w1"), worker("w3"))
	if a != b || a.Index != 2 || a.Term != 1 || len(a.Digest) != 64 {
		t.Errorf("%+v, %+v", a, b)
	}
	if a.Digest == other.Digest {
		t.Errorf("other state, same digest: %+v", other)
	}
}

func TestExecutors(t *testing.T) {
	t.Parallel()
	var none, got Executors
	getInto(t, Handler(newFake(t, false), Actions{}), "/v1/executors?consistency=linearizable", &none)
	if none.Executors == nil || len(none.Executors) != 0 {
		t.Errorf("an empty cluster: %+v", none)
	}
	f := busy(t, false)
	getInto(t, Handler(f, Actions{}), "/v1/executors", &got)
	want := Executor{App: "app-20260102030500-0000", ID: 0, Worker: "worker-1", Cores: 4, MemoryMB: 1024, State: "RUNNING"}
	if len(got.Executors) != 1 || got.Executors[0] != want || got.Index != f.State().Index() {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

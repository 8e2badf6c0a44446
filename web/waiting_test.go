package web

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/fsm"
)

func TestWaiting(t *testing.T) {
	t.Parallel()
	f := newFake(t, true)
	app := func(name, build string, port, cores int) *fsm.RegisterApplication {
		return &fsm.RegisterApplication{
			App: fsm.App{Name: name, MaxCores: 8, Build: build, DriverHost: "d", DriverPort: port, Profiles: []fsm.Profile{{Cores: cores, MemoryMB: 512, Target: 1}}},
			ID:  fsm.IDParts{Prefix: "app-", Width: 4}, Retained: 10,
		}
	}
	f.do(t,
		&fsm.RegisterWorker{Worker: fsm.Worker{ID: "go", Host: "h1", Port: 1, Cores: 4, MemoryMB: 4096, Kind: fsm.WorkerGo, Incarnation: "i",
			Builds: []string{"3.4/2.12", "3.4/2.12=3.5.9", "3.4/2.12@3.5", "3.4/2.12@3.5=3.5.9"}}},
		&fsm.RegisterWorker{Worker: fsm.Worker{ID: "jvm", Host: "h2", Port: 1, Cores: 4, MemoryMB: 4096, Kind: fsm.WorkerJVM, Incarnation: "i", Builds: []string{"4.3/2.13", "4.3/2.13@4.3"}}},
		app("old", "3.4/2.12@3.4", 1, 1), app("wide", "3.4/2.12@3.5", 2, 5), app("fits", "4.3/2.13@4.3", 3, 1), app("wish", "3.4/2.12@3.5=3.5.7", 4, 1),
	)
	r := httptest.NewRecorder()
	Handler(f, Actions{}).ServeHTTP(r, httptest.NewRequest("GET", "/v1/waiting", nil))
	var got Waiting
	if err := json.Unmarshal(r.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
	const there = "the ALIVE ones run Spark 3.5.9 (Scala 2.12), Spark 4.3 (Scala 2.13)"
	want := []Wait{
		{App: "app-0000", Name: "old", Release: "Spark 3.4 (Scala 2.12)", Cause: "NO_RELEASE", Nowhere: true, Reason: "no worker runs Spark 3.4 (Scala 2.12); " + there},
		{App: "app-0001", Name: "wide", Release: "Spark 3.5 (Scala 2.12)", Cause: "TOO_LARGE", Nowhere: true, Reason: "asks for 5 cores"},
		{App: "app-0002", Name: "fits", Release: "Spark 4.3 (Scala 2.13)", Cause: "WAITS_FOR_ROOM", Reason: "waits for room"},
		{App: "app-0003", Name: "wish", Release: "Spark 3.5.7 (Scala 2.12)", Cause: "NO_RELEASE", Nowhere: true, Reason: "no worker runs Spark 3.5.7 (Scala 2.12); " + there},
	}
	if len(got.Waiting) != len(want) || got.Index != f.State().Index() {
		t.Fatalf("got %+v", got)
	}
	for i, w := range want {
		g := got.Waiting[i]
		if !strings.HasPrefix(g.Reason, w.Reason) {
			t.Errorf("%s: %q, want %q", w.Name, g.Reason, w.Reason)
		}
		g.Reason, w.Reason = "", ""
		if g != w {
			t.Errorf("got %+v, want %+v", g, w)
		}
	}
}

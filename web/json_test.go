package web

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

var update = flag.Bool("update", false, "write the golden files; then read what changed in them against Spark's JsonProtocol")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant the bytes of %s\n%s", got, path, want)
	}
}

func ask(h http.Handler, path string) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Result()
}

func body(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Errorf("%s: %d", path, w.Code)
	}
	return w.Body.String()
}

func pages(m Master) http.Handler {
	return JSONHandler(m, func() time.Time { return time.UnixMilli(now) })
}

func TestMasterDocument(t *testing.T) {
	t.Parallel()
	golden(t, "busy.json", body(t, pages(busy(t, true)), "/json/"))
}

func TestEmptyMasterDocument(t *testing.T) {
	t.Parallel()
	got := body(t, pages(newFake(t, false)), "/json/")
	const want = `{
  "url" : "spark://m1.example:7077",
  "workers" : [ ],
  "aliveworkers" : 0,
  "cores" : 0,
  "coresused" : 0,
  "memory" : 0,
  "memoryused" : 0,
  "resources" : [ ],
  "resourcesused" : [ ],
  "activeapps" : [ ],
  "completedapps" : [ ],
  "activedrivers" : [ ],
  "completeddrivers" : [ ],
  "status" : "STANDBY"
}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A follower has the same state; only its status differs, and what it has heard itself.
func TestAFollowerShowsTheState(t *testing.T) {
	t.Parallel()
	var leader, follower map[string]any
	for doc, m := range map[*map[string]any]*fakeMaster{&leader: busy(t, true), &follower: busy(t, false)} {
		if err := json.Unmarshal([]byte(body(t, pages(m), "/json/")), doc); err != nil {
			t.Fatal(err)
		}
	}
	if leader["status"] != "ALIVE" || follower["status"] != "STANDBY" {
		t.Errorf("the leader is %v, the follower %v", leader["status"], follower["status"])
	}
	delete(leader, "status")
	delete(follower, "status")
	a, _ := json.Marshal(leader)
	b, _ := json.Marshal(follower)
	if string(a) != string(b) {
		t.Errorf("the leader shows\n%s\nthe follower\n%s", a, b)
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	h := pages(busy(t, true))
	const status = "{\n  \"status\" : \"ALIVE\"\n}"
	for path, want := range map[string]string{
		"/json/status":       status,
		"/json/status/":      status,
		"/json/status?x=1":   status,
		"/json/status123":    status,
		"/json/aliveworkers": "{\n  \"aliveworkers\" : 1\n}",
		"/json/nope":         "{\n  \"nope\" : \"\"\n}",
		"/json/Status":       "{\n  \"Status\" : \"\"\n}",
		"/json/resources": "{\n  \"resources\" : [ {\n    \"fpga\" : {\n      \"name\" : \"fpga\",\n      \"addresses\" : [ \"f\" ]\n    },\n" +
			"    \"gpu\" : {\n      \"name\" : \"gpu\",\n      \"addresses\" : [ \"0\", \"1\" ]\n    }\n  } ]\n}",
	} {
		if got := body(t, h, path); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
		}
	}
	whole := body(t, h, "/json/")
	for _, path := range []string{"/json/123", "/json/1/json/status"} {
		if got := body(t, h, path); got != whole {
			t.Errorf("%s: got\n%s\nwant the whole document", path, got)
		}
	}
}

func TestUtilization(t *testing.T) {
	t.Parallel()
	const format = `{
  "waitingDrivers" : 1,
  "cores" : 16,
  "coresused" : 5,
  "coresutilization" : 31,
  "memory" : 64512,
  "memoryused" : 2048,
  "memoryutilization" : 3
}`
	if got := body(t, pages(busy(t, true)), "/json/clusterutilization"); got != format {
		t.Errorf("got\n%s\nwant\n%s", got, format)
	}
	var empty map[string]int
	if err := json.Unmarshal([]byte(body(t, pages(newFake(t, true)), "/json/clusterutilization/")), &empty); err != nil {
		t.Fatal(err)
	}
	if empty["coresutilization"] != 100 || empty["memoryutilization"] != 100 || empty["cores"] != 0 {
		t.Errorf("nothing at all is used by %v", empty)
	}
}

// A worker that this master has not heard of itself shows when it registered.
func TestLastHeartbeat(t *testing.T) {
	t.Parallel()
	f := newFake(t, true)
	f.do(t, &fsm.RegisterWorker{Worker: fsm.Worker{ID: "w", Host: "h", Port: 1, Cores: 1, MemoryMB: 1024, Kind: fsm.WorkerGo, Registered: 1000, Incarnation: "i"}})
	for beat, want := range map[int64]int64{0: 1000, 999: 1000, 2000: 2000, time.Time{}.UnixMilli(): 1000} {
		f.beats = map[string]int64{"w": beat}
		var doc struct {
			Workers []struct{ LastHeartbeat int64 }
		}
		if err := json.Unmarshal([]byte(body(t, pages(f), "/json/workers")), &doc); err != nil || doc.Workers[0].LastHeartbeat != want {
			t.Errorf("heard at %d: %+v, %v; want %d", beat, doc, err, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	h := Handler(newFake(t, true), Actions{})
	for _, path := range []string{"/json/", "/json/status", "/json/nope"} {
		got := ask(h, path).Header
		for key, want := range map[string]string{
			"Content-Type": "text/json;charset=utf-8", "Cache-Control": "no-cache, no-store, must-revalidate",
			"X-Frame-Options": "SAMEORIGIN", "X-XSS-Protection": "1; mode=block", "X-Content-Type-Options": "nosniff",
		} {
			if got.Get(key) != want {
				t.Errorf("%s: %s is %q, want %q", path, key, got.Get(key), want)
			}
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	h := Handler(newFake(t, true), Actions{})
	if r := ask(h, "/json"); r.StatusCode != http.StatusFound || r.Header.Get("Location") != "/json/" {
		t.Errorf("/json: %s to %q", r.Status, r.Header.Get("Location"))
	}
	if got := body(t, h, "/app/json/?appId=app-1"); got != "" {
		t.Errorf("/app/json/: %q", got)
	}
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/json/", nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s /json/: %d", method, w.Code)
		}
	}
	if r := ask(RPCPortHandler(newFake(t, true), nil), "/json/"); r.StatusCode != http.StatusNotFound {
		t.Errorf("the RPC port serves /json/: %s", r.Status)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	const want = `{
  "clusterId": "c-1",
  "leader": "m1",
  "term": 7,
  "masters": [
    {
      "id": "m1",
      "spark": "h1:7077",
      "web": "http://h1:8080",
      "rpc": "h1:7078",
      "gossip": "h1:7946",
      "raft": "h1:7078",
      "leader": true,
      "alive": true,
      "member": true,
      "voter": true,
      "healthy": true
    },
    {
      "id": "m2",
      "spark": "",
      "web": "",
      "rpc": "h2:7078",
      "gossip": "",
      "raft": "h2:7078",
      "leader": false,
      "alive": false,
      "member": true,
      "voter": true,
      "healthy": false,
      "lag": 3,
      "problem": "it does not answer"
    }
  ],
  "gossipKey": true,
  "healthy": false,
  "failureTolerance": 1,
  "voters": 3,
  "workerHealth": {
    "suspects": null,
    "heldBack": null,
    "brake": null
  }
}
`
	f := newFake(t, false)
	for name, h := range map[string]http.Handler{"web": Handler(f, Actions{}), "rpc": RPCPortHandler(f, nil)} {
		if got := body(t, h, "/v1/cluster"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
		if got := ask(h, "/v1/cluster").Header.Get("Content-Type"); got != "application/json;charset=utf-8" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// ?consistency=linearizable waits for the barrier; without a leader there is no such answer, and none that looks like one.
func TestLinearizableReads(t *testing.T) {
	t.Parallel()
	f := newFake(t, false)
	waited := 0
	f.barrier = func(context.Context) error {
		waited++
		f.do(t, &fsm.RegisterWorker{Worker: fsm.Worker{ID: "late", Host: "h", Port: 1, Cores: 1, MemoryMB: 1024, Kind: fsm.WorkerGo, Incarnation: "i"}})
		return nil
	}
	h := Handler(f, Actions{})
	if got := body(t, h, "/json/aliveworkers?consistency=other"); got != "{\n  \"aliveworkers\" : 0\n}" || waited != 0 {
		t.Errorf("got %s after %d waits", got, waited)
	}
	if got := body(t, h, "/json/aliveworkers?consistency=linearizable"); got != "{\n  \"aliveworkers\" : 1\n}" || waited != 1 {
		t.Errorf("got %s after %d waits", got, waited)
	}
	f.barrier = func(context.Context) error { return errors.New("nobody leads") }
	r := ask(h, "/json/?consistency=linearizable")
	text, _ := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusServiceUnavailable || string(text) != "nobody leads\n" {
		t.Errorf("without a leader: %s, %s", r.Status, text)
	}
}

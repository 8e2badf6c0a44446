package load

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// restMaster answers as a master does, and refuses every tenth driver.
type restMaster struct {
	*httptest.Server
	mu     sync.Mutex
	bodies map[string]int
	conns  map[string]bool
	taken  int
}

func newRESTMaster(t *testing.T, name string) *restMaster {
	t.Helper()
	m := &restMaster{bodies: map[string]int{}, conns: map[string]bool{}}
	var n atomic.Int64
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"success": true, "driverState": "SUBMITTED"}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		i := n.Add(1)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.bodies[string(body)]++
		m.conns[r.RemoteAddr] = true
		if i%10 == 0 {
			_, _ = io.WriteString(w, `{"success": false, "message": "no"}`)
			return
		}
		m.taken++
		_ = json.NewEncoder(w).Encode(map[string]any{"success": true, "submissionId": fmt.Sprintf("driver-%s-%d", name, i)})
	}))
	t.Cleanup(m.Close)
	return m
}

func TestSubmitCountsWhatMastersTook(t *testing.T) {
	t.Parallel()
	for _, fresh := range []bool{false, true} {
		a, b := newRESTMaster(t, "a"), newRESTMaster(t, "b")
		r, err := Submit(t.Context(), SubmitConfig{
			REST: []string{a.URL, b.URL}, Scala: "2.13", Version: "4.3.0", InFlight: 4, Fresh: fresh,
			Warm: time.Minute, WarmMost: 50, Measure: time.Minute, Most: 200,
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Before < 50 || r.Drivers < 200 || r.Failed == 0 || r.First == nil {
			t.Errorf("%+v", r)
		}
		// What was on its way at the ends counts as a driver or not, and never as a latency.
		if n := len(r.All()); n > r.Drivers || n < r.Drivers-8 {
			t.Errorf("%d latencies of %d drivers", n, r.Drivers)
		}
		for i, m := range []*restMaster{a, b} {
			m.mu.Lock() // requests that were given up at the end may still be served
			if m.taken < 50 || len(r.Latency[i]) < 20 {
				t.Errorf("master %d took %d drivers and answered %d", i, m.taken, len(r.Latency[i]))
			}
			for body, n := range m.bodies {
				if n > 1 {
					t.Errorf("%d submissions are one: %s", n, body)
				}
			}
			if kept := len(m.conns) <= 2; kept == fresh {
				t.Errorf("fresh %t: %d connections for %d requests", fresh, len(m.conns), len(m.bodies))
			}
			m.mu.Unlock()
		}
	}
}

func TestStatusAsksAllMasters(t *testing.T) {
	t.Parallel()
	a, b := newRESTMaster(t, "a"), newRESTMaster(t, "b")
	r, err := Status(t.Context(), StatusConfig{REST: []string{a.URL, b.URL}, Scala: "2.13", Version: "4.3.0", Waiting: 6, InFlight: 2, Measure: 50 * time.Millisecond})
	if err != nil || r.Failed > 0 || len(r.Latency[0]) == 0 || len(r.Latency[1]) == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A launch may be seen before the answer with the driver's id, or after it.
func TestLaunches(t *testing.T) {
	t.Parallel()
	l := newLaunches()
	l.came("early")
	if _, err := l.wait(t.Context(), "early"); err != nil {
		t.Error(err)
	}
	go l.came("late")
	if _, err := l.wait(t.Context(), "late"); err != nil {
		t.Error(err)
	}
	if len(l.at)+len(l.waiting) != 0 {
		t.Error("something is kept")
	}
}

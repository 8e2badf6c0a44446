package fsm

import "testing"

func (h *harness) completed() (apps, drivers int) {
	return h.m.State().completedApps.Len(), h.m.State().completedDrivers.Len()
}

// Master.removeApplication: at `retained` or more, the oldest max(retained/10, 1) are dropped before one is added.
func TestRetention(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ retained, ends, want, oldest int }{
		{2, 10, 2, 8}, {5, 5, 5, 0}, {5, 6, 5, 1}, {30, 30, 30, 0}, {30, 31, 28, 3}, {30, 33, 30, 3}, {30, 34, 28, 6},
	} {
		h := newHarness(t)
		for i := range tc.ends {
			a := h.app(i + 1)
			h.do(&FinishApplication{AppID: a.ID, State: AppFinished, Retained: tc.retained}, nil)
			h.do(&KillDriver{ID: h.driver(), Retained: tc.retained}, nil)
		}
		if apps, drivers := h.completed(); apps != tc.want || drivers != tc.want {
			t.Errorf("retained %d, %d ends: %d applications and %d drivers kept, want %d", tc.retained, tc.ends, apps, drivers, tc.want)
		}
		for c := range h.m.State().CompletedApps() {
			if c.App.Seq != uint64(tc.oldest+1) {
				t.Errorf("retained %d, %d ends: the oldest kept is number %d, want %d", tc.retained, tc.ends, c.App.Seq-1, tc.oldest)
			}
			break
		}
	}
}

// A lower setting takes hold with the next end, in one step.
func TestRetentionLowered(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for range 50 {
		h.do(&KillDriver{ID: h.driver(), Retained: 100}, nil)
	}
	h.do(&KillDriver{ID: h.driver(), Retained: 10}, nil)
	if _, drivers := h.completed(); drivers != 10 {
		t.Errorf("%d drivers kept, want 10", drivers)
	}
}

// A worker that registers anew ends drivers, and brings no setting: it must not trim by the default.
func TestRegistrationDoesNotTrim(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for range 300 {
		h.do(&KillDriver{ID: h.driver(), Retained: 1000}, nil)
	}
	h.worker("w")
	h.placeDriver(h.driver(), "w")
	h.worker("w", func(w *Worker) { w.Incarnation = "second" })
	if _, drivers := h.completed(); drivers != 301 {
		t.Errorf("%d drivers kept, want 301", drivers)
	}
}

func TestClearCompleted(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for i := range 3 {
		h.do(&FinishApplication{AppID: h.app(i + 1).ID, State: AppFinished}, nil)
		h.do(&KillDriver{ID: h.driver()}, nil)
	}
	live := h.app(9)
	h.do(&ClearCompleted{}, nil)
	if apps, drivers := h.completed(); apps != 0 || drivers != 0 {
		t.Errorf("%d applications and %d drivers are left", apps, drivers)
	}
	h.getApp(live.ID)
	for range 12 {
		h.do(&KillDriver{ID: h.driver(), Retained: 10}, nil)
	}
	if _, drivers := h.completed(); drivers != 10 {
		t.Errorf("after clearing, the count is off: %d drivers kept", drivers)
	}
}

func TestSetCluster(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.do(&SetCluster{ID: "one"}, nil)
	h.do(&SetCluster{ID: "two"}, nil)
	if got := h.restored().m.State().ClusterID(); got != "one" {
		t.Errorf("cluster id %q: it is set once", got)
	}
}

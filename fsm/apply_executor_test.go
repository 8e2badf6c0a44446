package fsm

import (
	"strings"
	"testing"
)

func (h *harness) startAndFail(a *App, s ExecutorState, exit ...int) {
	h.t.Helper()
	h.report(a, h.place(a, "w")[0], s, exit...)
}

// Spark's rule: an application whose executors fail spark.deploy.maxExecutorRetries times in a row, with none RUNNING,
// is FAILED (case 10: exactly 10 are tried).
func TestExecutorFailuresEndTheApplication(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	for i := range 9 {
		if i%2 == 0 {
			h.startAndFail(a, ExecutorFailed)
		} else {
			h.startAndFail(a, ExecutorExited, 1)
		}
	}
	if got := h.getApp(a.ID).Failures; got != 9 {
		t.Fatalf("%d failures counted, want 9", got)
	}
	h.startAndFail(a, ExecutorExited, 137)
	done := h.lastApp()
	if done == nil || done.App.State != AppFailed || !strings.Contains(done.App.Message, "10 executors") || len(done.Executors) != 10 {
		t.Errorf("after the tenth: %+v", done)
	}
}

func TestExecutorFailuresThatDoNotCount(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		after func(h *harness, a *App) // after 9 failures
		want  int                      // failures counted
	}{
		{"a RUNNING executor resets the row", func(h *harness, a *App) { h.report(a, h.place(a, "w")[0], ExecutorRunning) }, 0},
		{"exit 0 is not counted", func(h *harness, a *App) { h.startAndFail(a, ExecutorExited, 0) }, 9},
		{"a decommissioned one is not counted", func(h *harness, a *App) {
			id := h.place(a, "w2")[0]
			h.report(a, id, ExecutorRunning) // which ends the row
			h.do(&DecommissionWorker{ID: "w2"}, nil)
			h.report(a, id, ExecutorExited, 1)
		}, 0},
		{"one that its worker was drained under is not counted", func(h *harness, a *App) {
			h.place(a, "w2")
			h.do(&DecommissionWorker{ID: "w2"}, nil)
		}, 9},
		{"a lost worker is not counted", func(h *harness, a *App) {
			h.place(a, "w2")
			h.do(&WorkerLost{ID: "w2"}, nil)
		}, 9},
		{"a killed one is not reported any more", func(h *harness, a *App) {
			h.do(&KillExecutors{AppID: a.ID, IDs: h.place(a, "w")}, nil)
		}, 9},
		{"a negative setting disables the limit", func(h *harness, a *App) {
			c := stateReport(a, h.place(a, "w")[0], ExecutorFailed)
			c.MaxRetries = -1
			h.do(c, nil)
		}, 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.worker("w")
			h.worker("w2")
			a := h.app(1)
			for range 9 {
				h.startAndFail(a, ExecutorFailed)
			}
			tc.after(h, a)
			if got := h.getApp(a.ID).Failures; got != tc.want {
				t.Errorf("%d failures counted, want %d", got, tc.want)
			}
		})
	}
}

// Spark's rule: as long as one executor is RUNNING, failures do not end the application.
func TestFailuresBesideARunningExecutor(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	running := h.place(a, "w")[0]
	h.report(a, running, ExecutorRunning)
	for range 12 {
		h.startAndFail(a, ExecutorFailed)
	}
	if got := h.getApp(a.ID).Failures; got != 12 {
		t.Errorf("%d failures counted, want 12", got)
	}
	h.report(a, running, ExecutorExited, 1)
	if done := h.lastApp(); done == nil || done.App.State != AppFailed {
		t.Error("the last RUNNING executor failed too, and the application lives")
	}
}

func TestExecutorReports(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	id := h.place(a, "w")[0]
	if h.getApp(a.ID).State != AppRunning {
		t.Error("an application with an executor is RUNNING (Master.launchExecutor)")
	}
	for _, s := range []ExecutorState{0, ExecutorLaunching, ExecutorDecommissioned, 99} {
		h.refused(CodeInvalid, stateReport(a, id, s))
	}
	wrong := stateReport(a, id, ExecutorRunning)
	wrong.WorkerID = "another"
	h.refused(CodeUnknownExecutor, wrong)
	h.refused(CodeUnknownExecutor, stateReport(a, 5, ExecutorRunning))
	h.report(a, id, ExecutorRunning)
	if e := h.executor(a, id); e.State != ExecutorRunning || h.getApp(a.ID).Running != 1 {
		t.Errorf("executor %+v", e)
	}
	before := h.m.State().withoutPosition()
	h.report(a, id, ExecutorRunning)
	if h.m.State().withoutPosition() != before {
		t.Error("a second RUNNING changed something")
	}
	h.report(a, id, ExecutorExited, 52)
	e := h.executor(a, id)
	if e.State != ExecutorExited || e.ExitStatus == nil || *e.ExitStatus != 52 || e.HostLost {
		t.Errorf("executor %+v", e)
	}
	a = h.getApp(a.ID)
	if a.Cores != 0 || a.Running != 0 || a.Profiles[0].Live != 0 || h.getWorker("w").CoresUsed != 0 {
		t.Errorf("application %+v", a)
	}
	h.refused(CodeUnknownExecutor, stateReport(a, id, ExecutorRunning)) // late
	h.refused(CodeUnknownExecutor, stateReport(a, id, ExecutorFailed))  // twice
	if next := h.place(a, "w")[0]; next != 1 {
		t.Errorf("the next executor has id %d", next)
	}
}

// A live application keeps its last finished executors; what is older goes, and live ones never do.
func TestRemovedExecutorsAreBounded(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	live := h.place(a, "w")[0]
	for range keptRemoved + 5 {
		h.startAndFail(a, ExecutorExited, 0)
	}
	a = h.getApp(a.ID)
	n := 0
	for range h.m.State().Executors(a) {
		n++
	}
	if n != keptRemoved+1 || len(a.Removed) != keptRemoved || a.Removed[0] != 6 {
		t.Errorf("%d executors kept, %d removed from id %d on", n, len(a.Removed), a.Removed[0])
	}
	h.executor(a, live)
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	a := h.app(1)
	c := stateReport(a, h.place(a, "w")[0], ExecutorFailed)
	c.Message = strings.Repeat("é", maxMessage)
	h.do(c, nil)
	if m := h.executor(a, 0).Message; len(m) > maxMessage || !strings.HasSuffix(m, "é") {
		t.Errorf("kept %d bytes, which end in %q", len(m), m[len(m)-2:])
	}
}

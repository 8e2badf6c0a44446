package master

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"github.com/firesteel/firesteel/fsm"
)

// A worker's id comes back at another address, as when its machine was cut off and it was started elsewhere: what the old
// life runs is held, unless its process is seen to be gone.
func TestNewLifeAtAnotherAddress(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		answer func(ctx context.Context) error
		held   bool
	}{
		"silent": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, true},
		"gone":   {func(context.Context) error { return fmt.Errorf("dial: %w", syscall.ECONNREFUSED) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := openOne(t)
			live := m.duties.Load().live
			live.mu.Lock()
			live.ask = func(ctx context.Context, w *fsm.Worker) error {
				if w.Incarnation == "life-2" {
					return nil
				}
				return x.answer(ctx)
			}
			live.mu.Unlock()
			side, elsewhere := workerSide(t), workerSide(t)
			old := helloOf(side, "w1")
			old.DriverLeaseMs = 3_600_000
			w := session(t, m, side, old)
			w.welcome()
			eventually(t, m, "attached", attached(m, "w1"))
			id := restOf(t, m).ask("POST", "create", submissionBody("spark.driver.supervise", "true")).SubmissionID
			if l := w.next().GetLaunchDriver(); l.GetRunId() != id {
				t.Fatalf("launched: %v", l)
			}
			next := helloOf(elsewhere, "w1")
			next.Incarnation = "life-2"
			w2 := session(t, m, elsewhere, next)
			w2.welcome()
			if x.held {
				eventually(t, m, "it is held", func(s *fsm.State) bool {
					d, ok := s.Driver(id)
					return ok && d.State == fsm.DriverRelaunching && d.HoldMS > 0 && attached(m, "w1")(s)
				})
				return
			}
			if l := w2.next().GetLaunchDriver(); l.GetDriverId() != id || l.GetRunId() == id {
				t.Errorf("launched: %v", l)
			}
		})
	}
}

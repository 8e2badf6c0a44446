package worker

import (
	"testing"
	"time"

	"github.com/firesteel/firesteel/internal/lease"
	"github.com/firesteel/firesteel/rpc/clusterpb"
)

// A launch that has waited for longer than the lease, in a socket of a worker that was stopped, starts no supervised driver:
// it may be running elsewhere.
func TestLateLaunch(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		term             time.Duration
		supervise, start bool
	}{{time.Minute, true, true}, {0, true, false}, {0, false, true}} {
		d := newDrivers(t, "exec sleep 600", nil)
		w := &Worker{log: quiet(), drivers: d.Drivers, outbox: newOutbox(), lease: lease.New(x.term, nil)}
		spec := driverSpec(t)
		spec.Supervise = x.supervise
		w.startDriver(spec)
		if running := len(w.drivers.Running()) > 0; running != x.start {
			t.Errorf("%+v: running: %t", x, running)
		}
		var said []clusterpb.DriverState
		for _, m := range w.outbox.take() {
			said = append(said, m.GetDriver().GetState())
		}
		if late := len(said) == 1 && said[0] == clusterpb.DriverState_DRIVER_STATE_RELAUNCHING; late == x.start {
			t.Errorf("%+v: said %v", x, said)
		}
	}
}

package worker

import (
	"testing"
	"time"

	"github.com/firesteel/firesteel/internal/lease"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/worker/guard"
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

// One that was fetched for longer than the lease is not started either.
func TestLateStart(t *testing.T) {
	t.Parallel()
	g, err := guard.New(guard.Config{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	g.RenewUntil(guard.Now().Add(-time.Second))
	d := newDrivers(t, "exec sleep 600", func(c *DriversConfig) { c.Spawner = guardedSpawner(t, g) })
	spec := driverSpec(t)
	spec.Supervise = true
	d.Start(spec)
	d.expect(DriverRunning)
	if r := d.expect(DriverRelaunching); r.Message != errLease.Error() {
		t.Errorf("%+v", r)
	}
}

func guardedSpawner(t *testing.T, g *guard.Guard) *Spawner {
	s := NewGuardedSpawner(g)
	t.Cleanup(s.Close)
	return s
}

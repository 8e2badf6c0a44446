package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/firesteel/firesteel/config"
)

// drainSignal is the signal that drains a worker (spark.worker.decommission.signal); 0 for a name that is no signal, or that
// of one which cannot be caught. Then the worker runs without it, as Spark's does.
func drainSignal(c config.Worker) syscall.Signal {
	sig := unix.SignalNum("SIG" + c.DecommissionSignal)
	if sig == 0 || slices.Contains([]syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGSEGV, syscall.SIGQUIT}, sig) {
		slog.Warn("no signal drains this worker: spark.worker.decommission.signal names none that can be taken", "signal", c.DecommissionSignal)
		return 0
	}
	return sig
}

// drainOn calls drain at every sig until ctx ends. Where spark.decommission.enabled is false it says so and does nothing;
// the signal would end Spark's own Worker then.
func drainOn(ctx context.Context, sig syscall.Signal, enabled bool, drain func()) {
	if sig == 0 {
		return
	}
	came := make(chan os.Signal, 1)
	signal.Notify(came, sig)
	go func() {
		defer signal.Stop(came)
		for {
			select {
			case <-ctx.Done():
				return
			case <-came:
			}
			if !enabled {
				slog.Warn("asked to drain this worker by a signal, which spark.decommission.enabled does not allow: nothing is done", "signal", unix.SignalName(sig))
				continue
			}
			drain()
		}
	}()
}

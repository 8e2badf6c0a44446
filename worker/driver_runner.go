package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/firesteel/firesteel/worker/workdir"
)

// driverRunner carries one run of a driver from its launch to its one final report (Spark: DriverRunner). It lives in
// one goroutine.
type driverRunner struct {
	spec  DriverSpec
	cfg   *DriversConfig
	spawn *Spawner
	log   *slog.Logger
	// ctx ends when the driver is to end; its cause says why.
	ctx context.Context
	// start runs the driver's process to its end and gives its exit code; run's, but for tests.
	start func(launch Launch, dir string) (code int, err error)
}

// Supervision of a driver (DriverRunner.runCommandWithRetry).
const (
	firstBackOff = time.Second
	// goodRun is how long a run must last to start the back-off anew.
	goodRun = 5 * time.Second
)

func (r *driverRunner) run() (DriverState, string) {
	code, err := r.prepareAndRun()
	cause := context.Cause(r.ctx)
	switch {
	case errors.Is(cause, errLease) && (err != nil || code != 0), errors.Is(err, errLease):
		return DriverRelaunching, errLease.Error()
	case err != nil && cause != nil:
		return DriverKilled, cause.Error()
	case err != nil:
		r.log.Error("driver cannot be run", "error", err)
		return DriverError, err.Error()
	case code == 0:
		return DriverFinished, ""
	case cause != nil:
		return DriverKilled, cause.Error()
	}
	return DriverFailed, fmt.Sprintf("exit code %d", code)
}

func (r *driverRunner) prepareAndRun() (code int, err error) {
	if err := r.spec.validate(); err != nil {
		return 0, err
	}
	dir, err := claimDir(r.cfg.Life, workdir.Driver, r.cfg.WorkDir, r.spec.RunID)
	if err != nil {
		return 0, fmt.Errorf("Failed to create directory %s: %w", filepath.Join(r.cfg.WorkDir, r.spec.RunID), err) //nolint:staticcheck // Spark's text
	}
	userJar := dir // what the original gives a driver without a jar
	if r.spec.Resource != "" {
		if userJar, err = r.cfg.Fetch(r.ctx, r.spec.Resource, dir, r.spec.Command.properties()); err != nil {
			return 0, err
		}
	}
	resources, err := writeResourcesFile(dir, driverComponent, r.spec.Resources)
	if err != nil {
		return 0, err
	}
	launch, err := BuildDriverCommand(r.spec, userJar, CommandConfig{
		Identity: r.cfg.Identity, Env: r.cfg.Env, ResourcesFile: resources, AuthSecret: r.cfg.AuthSecret, NodeSSL: r.cfg.NodeSSL,
	})
	if err != nil {
		return 0, err
	}
	return r.supervise(launch, dir)
}

// supervise runs the driver, again and again if it is to be supervised, until it ends well or is to end.
func (r *driverRunner) supervise(launch Launch, dir string) (code int, err error) {
	wait := firstBackOff
	for {
		began := time.Now()
		if code, err = r.start(launch, dir); err != nil || code == 0 || !r.spec.Supervise || r.ctx.Err() != nil {
			return code, err
		}
		if time.Since(began) > goodRun {
			wait = firstBackOff
		}
		r.log.Info("the driver failed and is run again", "code", code, "after", wait)
		select {
		case <-time.After(wait):
		case <-r.ctx.Done():
			return code, nil
		}
		wait = min(2*wait, r.cfg.MaxBackOff)
	}
}

// process is one run of the driver's JVM.
func (r *driverRunner) process(launch Launch, dir string) (code int, err error) {
	quoted := quoteArgs(redactArgs(r.cfg.Redaction, launch.Args))
	r.log.Info("launching driver", "command", quoted)
	// A driver that is run again goes on in the same files.
	logs, err := openLogs(dir, launchHeader("Launch Command", quoted), r.cfg.Logs, true, r.log)
	if err != nil {
		return 0, err
	}
	start := startProcess
	if r.spec.Supervise {
		start = startSupervised
	}
	p, err := start(r.spawn, &exec.Cmd{Path: launch.Args[0], Args: launch.Args, Env: launch.Env, Dir: dir, Stdout: logs.stdout, Stderr: logs.stderr})
	logs.closeChildEnds()
	if err != nil {
		logs.drain()
		return 0, err
	}
	r.log.Info("driver started", "pid", p.pid, "dir", dir)
	select {
	case <-p.exited:
	case <-r.ctx.Done():
		r.log.Info("driver is being killed", "reason", context.Cause(r.ctx))
		if err := p.terminate(r.cfg.KillGrace); err != nil {
			r.log.Warn("driver could not be signalled", "error", err)
		}
	}
	logs.drain()
	r.log.Info("driver exited", "code", p.code)
	return p.code, nil
}

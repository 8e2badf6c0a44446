package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/firesteel/firesteel/worker/workdir"
)

// runner carries one executor from its launch to its one final report
// (Spark: ExecutorRunner). It lives in one goroutine.
type runner struct {
	spec   ExecutorSpec
	cfg    *ExecutorsConfig
	dirs   *scratch
	spawn  *Spawner
	log    *slog.Logger
	report func(state ExecutorState, message string, exitCode *int)

	kill chan string // receives the reason, once; buffered
	logs *logFiles   // set by start
}

func (r *runner) run() {
	dir, err := r.makeDir()
	if err != nil {
		r.report(Failed, err.Error(), nil)
		return
	}
	select {
	case reason := <-r.kill:
		r.report(Killed, reason, nil)
		return
	default:
	}
	p, err := r.start(dir)
	if err != nil {
		r.log.Error("executor cannot be started", "err", err)
		r.report(Failed, fmt.Sprintf("Error running executor: %v", err), nil)
		return
	}
	r.log.Info("executor started", "pid", p.pid, "dir", dir)
	r.report(Running, "", nil)
	r.await(p)
}

func (r *runner) await(p *process) {
	select {
	case <-p.exited:
		r.logs.drain()
		code := p.code
		r.log.Info("executor exited", "code", code)
		r.report(Exited, fmt.Sprintf("Command exited with code %d", code), &code)
	case reason := <-r.kill:
		r.log.Info("executor is being killed", "reason", reason)
		if err := p.terminate(r.cfg.KillGrace); err != nil {
			r.log.Warn("executor could not be signalled", "err", err)
		}
		r.logs.drain()
		code := p.code
		r.report(Killed, reason, &code)
	}
}

// makeDir makes <work>/<app>/<executor>, which must not be there yet: an
// executor directory belongs to one run only.
func (r *runner) makeDir() (string, error) {
	if err := r.spec.validate(); err != nil {
		return "", err
	}
	app, err := claimDir(r.cfg.Life, workdir.Application, r.cfg.WorkDir, r.spec.AppID)
	if err != nil {
		return "", fmt.Errorf("Failed to create directory %s: %w", app, err) //nolint:staticcheck // Spark's text
	}
	dir := filepath.Join(app, fmt.Sprint(r.spec.ExecID))
	err = os.Mkdir(dir, 0o755)
	switch {
	case errors.Is(err, fs.ErrExist):
		return "", fmt.Errorf("Failed to create directory %s: it exists already, so this executor ran here before", dir) //nolint:staticcheck
	case err != nil:
		return "", fmt.Errorf("Failed to create directory %s: %w", dir, err) //nolint:staticcheck
	}
	return dir, nil
}

// claimDir makes <work>/<name> if it is not there, and records that this worker uses it.
func claimDir(life *workdir.Life, kind workdir.Kind, work, name string) (string, error) {
	if life != nil {
		return life.Claim(kind, name)
	}
	dir := filepath.Join(work, name)
	return dir, os.MkdirAll(dir, 0o755)
}

func (r *runner) start(dir string) (*process, error) {
	local, err := r.dirs.forApp(r.spec.AppID)
	if err != nil {
		return nil, err
	}
	resources, err := writeResourcesFile(dir, executorComponent, r.spec.Resources)
	if err != nil {
		return nil, err
	}
	launch, err := BuildCommand(r.spec, CommandConfig{
		Identity: r.cfg.Identity, Env: r.cfg.Env, LocalDirs: local, ResourcesFile: resources,
		AuthSecret: r.cfg.AuthSecret, NodeSSL: r.cfg.NodeSSL,
	})
	if err != nil {
		return nil, err
	}
	quoted := quoteArgs(redactArgs(r.cfg.Redaction, launch.Args))
	r.log.Info("launching executor", "command", quoted)

	r.logs, err = openLogs(dir, launchHeader("Spark Executor Command", quoted), r.cfg.Logs, false, r.log)
	if err != nil {
		return nil, err
	}
	defer r.logs.closeChildEnds()
	cmd := &exec.Cmd{
		Path: launch.Args[0], Args: launch.Args, Env: launch.Env, Dir: dir,
		Stdout: r.logs.stdout, Stderr: r.logs.stderr,
	}
	p, err := startProcess(r.spawn, cmd)
	if err != nil {
		r.logs.closeChildEnds() // so that nobody waits for more text
		r.logs.drain()
	}
	return p, err
}

// launchHeader is what Spark writes on top of stderr.
func launchHeader(title, quoted string) string {
	return fmt.Sprintf("%s: %s\n%s\n\n", title, quoted, strings.Repeat("=", 40))
}

const defaultKillGrace = 10 * time.Second // Spark: EXECUTOR_TERMINATE_TIMEOUT_MS

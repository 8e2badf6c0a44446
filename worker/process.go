package worker

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/worker/guard"
	"golang.org/x/sys/unix"
)

// process is a running child that leads a session and process group of its
// own. Until wait has reaped it, its pid cannot be reused, so signals to its
// group always reach its own people.
type process struct {
	cmd   *exec.Cmd
	pid   int
	guard *guard.Guard // nil without one
	kin   guard.Kin    // its descendants

	mu     sync.Mutex
	reaped bool

	exited chan struct{} // closed once code is set
	code   int
}

// startProcess starts cmd through the spawner: in a session of its own, killed
// by the kernel if this worker dies, with all its descendants by the guardian.
func startProcess(s *Spawner, cmd *exec.Cmd) (*process, error) { return start(s, cmd, false) }

// startSupervised is for a process that must end when the worker's lease does,
// even if the worker is frozen then, see [guard.Guard.Renew].
func startSupervised(s *Spawner, cmd *exec.Cmd) (*process, error) { return start(s, cmd, true) }

func start(s *Spawner, cmd *exec.Cmd, supervised bool) (*process, error) {
	if supervised && s.guard != nil && s.guard.Lapsed() { // the guardian would end it at once
		return nil, errLease
	}
	p := &process{cmd: cmd, guard: s.guard, exited: make(chan struct{})}
	if p.guard != nil {
		p.kin.Mark = p.guard.NewMark()
		cmd.Env = append([]string{p.kin.Mark.Env()}, cmd.Environ()...)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.Start(cmd); err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	p.kin.Session, p.kin.Spared = p.pid, p.pid
	p.kin.Since, _ = guard.Start(p.pid) // 0 if that cannot be read, which spares nobody of its kin
	if p.guard != nil {
		p.guard.Watch(p.pid, p.kin.Mark, supervised)
	}
	go p.wait()
	return p, nil
}

// wait learns of the leader's end without reaping it, kills what is left of its
// session, and only then lets the pid go.
func (p *process) wait() {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, p.pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.killRest()
	p.mu.Lock()
	_ = p.cmd.Wait() // its error only repeats the exit code
	p.reaped = true
	p.code = exitCode(p.cmd.ProcessState.Sys().(syscall.WaitStatus))
	p.mu.Unlock()
	close(p.exited)
	if p.guard != nil {
		p.guard.Unwatch(p.pid) // after the rest: it removes a file, and the disk may hang
	}
}

// exitCode gives the number java.lang.Process would: 128+n after signal n.
func exitCode(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// signalGroup sends sig to the process group; it does nothing once the process
// is reaped.
func (p *process) signalGroup(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return nil
	}
	if err := syscall.Kill(-p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %v to process group %d: %w", sig, p.pid, err)
	}
	return nil
}

// terminate asks the group to end, waits for grace, then forces it. It returns
// when the process is gone.
func (p *process) terminate(grace time.Duration) error {
	errTerm := p.signalGroup(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.exited:
		return errTerm
	case <-timer.C:
	}
	errKill := p.signalGroup(syscall.SIGKILL)
	<-p.exited
	return errors.Join(errTerm, errKill)
}

// killRest kills every process of the dead leader's group and session, and its
// other descendants: PySpark's daemon moves to a group of its own, and what a
// user's program starts may move to a session of its own.
func (p *process) killRest() {
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	const limit = 5 * time.Second // what hangs in the kernel does not hold up the report of the end
	p.kin.KillAll(limit)
}

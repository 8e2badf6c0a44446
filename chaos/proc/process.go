package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Config says what to start.
type Config struct {
	// Name names the process in messages and its log file. It may be used again.
	Name string
	// Path and Args are the command; Path is looked up in $PATH if it has no slash.
	Path string
	Args []string
	// Env is added to this process's environment and wins over it. A variable without "=" is removed from it.
	Env []string
	// Dir is the working directory; "" is the run's.
	Dir string
	// Outlive lets the process live on when we are gone. Without it the kernel sends it SIGTERM when we die, however.
	Outlive bool
	// Namespace is the network namespace to start in, an open /proc/<pid>/ns/net; nil is ours. Package netns makes them.
	Namespace *os.File
}

// Process is a started process. Its methods may be called at any time, also after its end.
type Process struct {
	Name    string
	LogPath string
	Started time.Time

	cmd  *exec.Cmd
	log  *follower
	done chan struct{}
	end  time.Time // set before done is closed
}

// Line is one line of a process's output.
type Line struct {
	At   time.Time // when we read it; within a millisecond or so of its writing
	Text string
	N    int // 0 for the first line of the process

	Match []string // the groups of the expression that was waited for
}

// ErrEnded says that a process ended before it printed what was waited for.
var ErrEnded = errors.New("the process ended")

// Start starts a process of the run.
func (r *Run) Start(c Config) (*Process, error) {
	path := r.logPath(c.Name)
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	defer out.Close()
	p := &Process{Name: c.Name, LogPath: path, done: make(chan struct{})}
	p.cmd = exec.Command(c.Path, c.Args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = environment(append(c.Env, Marker+"="+r.ID))
	p.cmd.Dir = c.Dir
	if c.Dir == "" {
		p.cmd.Dir = r.Dir
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if !c.Outlive {
		p.cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	}
	if p.log, err = follow(path); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	p.Started = time.Now()
	if err := startOnForeverThread(p.cmd, c.Namespace); err != nil {
		p.log.finish()
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	go func() {
		_ = p.cmd.Wait() // the state is read from cmd.ProcessState
		p.end = time.Now()
		p.log.finish()
		close(p.done)
	}()
	r.mu.Lock()
	r.procs = append(r.procs, p)
	r.mu.Unlock()
	return p, nil
}

// environment is ours with the changes, of which the last one wins.
func environment(changes []string) []string {
	var env []string
	drop := map[string]bool{}
	for _, c := range changes {
		name, _, _ := strings.Cut(c, "=")
		drop[name] = true
	}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !drop[name] {
			env = append(env, v)
		}
	}
	last := map[string]string{}
	var order []string
	for _, c := range changes {
		if name, _, set := strings.Cut(c, "="); set {
			if _, seen := last[name]; !seen {
				order = append(order, name)
			}
			last[name] = c
		}
	}
	for _, name := range order {
		env = append(env, last[name])
	}
	return env
}

// starts carries commands to the one thread that starts them all. The parent-death signal is tied to the thread that
// forked, not to the process, so that thread must live as long as we do.
var starts = sync.OnceValue(func() chan<- func() {
	ch := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range ch {
			f()
		}
	}()
	return ch
})

func startOnForeverThread(cmd *exec.Cmd, namespace *os.File) error {
	result := make(chan error, 1)
	starts() <- func() {
		if namespace == nil {
			result <- cmd.Start()
		} else {
			result <- startIn(cmd, namespace)
		}
	}
	return <-result
}

// PID is the process id; it means nothing after the end.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and its log is read to the end.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running tells whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to this one process; to an ended one it does nothing.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to %s (pid %d): %w", s, p.Name, p.PID(), err)
	}
	return nil
}

// SignalGroup sends a signal to the process group: the process and the children that stayed in it.
func (p *Process) SignalGroup(s syscall.Signal) error {
	if err := syscall.Kill(-p.PID(), s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %v to the group of %s (pid %d): %w", s, p.Name, p.PID(), err)
	}
	return nil
}

// Wait waits for the end and returns the exit code; a process ended by a signal has 128 + its number, as in a shell.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for the end of %s: %w", p.Name, p.explain(ctx.Err()))
	}
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

// Ended is when the process ended; zero while it runs.
func (p *Process) Ended() time.Time {
	if p.Running() {
		return time.Time{}
	}
	return p.end
}

// WaitFor waits for the first line of the process's whole life that matches.
func (p *Process) WaitFor(ctx context.Context, re *regexp.Regexp) (Line, error) {
	return p.WaitNext(ctx, 0, re)
}

// WaitNext waits for the first line that matches, from line number from on.
func (p *Process) WaitNext(ctx context.Context, from int, re *regexp.Regexp) (Line, error) {
	line, err := p.log.wait(ctx, from, re)
	if err != nil {
		return line, fmt.Errorf("%s: wait for a line like %q: %w", p.Name, re, p.explain(err))
	}
	return line, nil
}

// Find gives all lines so far that match.
func (p *Process) Find(re *regexp.Regexp) []Line {
	var found []Line
	for _, l := range p.log.since(0) {
		if l.Match = re.FindStringSubmatch(l.Text); l.Match != nil {
			found = append(found, l)
		}
	}
	return found
}

// Mark is the number of the next line: what WaitNext takes to see only what comes from now on.
func (p *Process) Mark() int { return len(p.log.since(0)) }

// Tail gives the last n lines, for messages.
func (p *Process) Tail(n int) string {
	lines := p.log.since(0)
	var b strings.Builder
	for _, l := range lines[max(0, len(lines)-n):] {
		b.WriteString("    " + l.Text + "\n")
	}
	return b.String()
}

// explain adds to an error what the process said last.
func (p *Process) explain(err error) error {
	return fmt.Errorf("%w\n  log %s ends with\n%s", err, p.LogPath, p.Tail(15))
}

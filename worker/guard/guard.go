package guard

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Config of a Guard.
type Config struct {
	// Life names this life of the worker: letters, digits and dashes; "" makes up one.
	Life string
	// Records is a directory that is there, for one small file for each child that lives, see Sweep; "" for none.
	Records string
	Logger  *slog.Logger
}

// Guard is the worker's side of the guardian. The guardian is started with the first child and started again if it dies.
// The methods are for any goroutine.
type Guard struct {
	cfg  Config
	log  *slog.Logger
	self uint64 // this process's start time

	mu      sync.Mutex
	closed  bool
	n       uint64
	watched map[int]watch
	until   Instant
	proc    *exec.Cmd // the guardian, nil before the first child and while there is none
	pipe    *os.File
	wg      sync.WaitGroup
	over    chan struct{} // closed by Close
}

// ErrClosed says that the worker is stopping.
var ErrClosed = errors.New("the guard is closed")

// New makes a Guard. Nothing is started yet.
func New(cfg Config) (*Guard, error) {
	cfg.Life = cmp.Or(cfg.Life, rand.Text())
	if strings.ContainsFunc(cfg.Life, func(r rune) bool { return r <= ' ' || r == '/' || r > '~' }) {
		return nil, fmt.Errorf("life %q: use letters, digits and dashes", cfg.Life)
	}
	self, err := Start(os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("this process's start time: %w", err)
	}
	return &Guard{cfg: cfg, log: cmp.Or(cfg.Logger, slog.Default()), self: self, watched: map[int]watch{}, over: make(chan struct{})}, nil
}

// NewMark makes the mark of a child that is about to be started; its Env belongs into the child's environment.
func (g *Guard) NewMark() Mark {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n++
	return markOf(g.cfg.Life, g.n)
}

// Watch puts a child, which leads a session of its own, under the guardian; supervised ones are killed when the lease
// passes. Until the first Renew there is no lease. What goes wrong is logged and mended: a child is never kept
// from running by its guard.
func (g *Guard) Watch(pid int, mark Mark, supervised bool) {
	start, err := Start(pid)
	if err != nil {
		return // it is gone already, with its session; others of its kin are found by the mark
	}
	number, _ := strings.CutPrefix(string(mark), g.cfg.Life+"/")
	n, _ := strconv.ParseUint(number, 10, 64)
	w := watch{n: n, start: start, supervised: supervised}
	g.record(pid, w)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.watched[pid] = w
	if g.proc == nil {
		g.start() // it is told of all that are watched
		return
	}
	lines := watchLine(pid, w)
	if supervised && g.until != 0 { // it may not have been told while there were none
		lines = untilLine(g.until) + lines
	}
	g.send(lines)
}

// Unwatch says that a child and all of its session have ended.
func (g *Guard) Unwatch(pid int) {
	g.mu.Lock()
	w, ok := g.watched[pid]
	delete(g.watched, pid)
	if ok && g.proc != nil {
		g.send(fmt.Sprintf("unwatch %d %d\n", pid, w.n))
	}
	g.mu.Unlock()
	if ok && g.cfg.Records != "" {
		if err := os.Remove(recordPath(g.cfg.Records, pid, w)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			g.log.Warn("the record of an ended process stays", "pid", pid, "error", err)
		}
	}
}

// Renew extends the lease of the supervised children to d from now.
func (g *Guard) Renew(d time.Duration) { g.RenewUntil(Now().Add(d)) }

// RenewUntil extends the lease to an instant; an earlier one than it has changes nothing. Whoever was granted a lease of
// some length counts it from when it asked, not from when the answer came: Now().Add(length), taken before asking.
func (g *Guard) RenewUntil(at Instant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at <= g.until || g.closed {
		return
	}
	g.until = at
	if g.proc != nil && g.anySupervised() { // the guardian sleeps while there is nothing to keep
		g.send(untilLine(at))
	}
}

// anySupervised needs mu.
func (g *Guard) anySupervised() bool {
	for _, w := range g.watched {
		if w.supervised {
			return true
		}
	}
	return false
}

// Lapsed tells whether there was a lease and it has passed: the guardian has killed the supervised children or is about
// to, and none may be started.
func (g *Guard) Lapsed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.until != 0 && Now() >= g.until
}

// Close ends the guardian, which kills whatever is left of the children. It waits for that.
func (g *Guard) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	close(g.over)
	if g.pipe != nil {
		g.pipe.Close()
	}
	g.mu.Unlock()
	g.wg.Wait()
	return nil
}

// PID is the guardian's, 0 while there is none.
func (g *Guard) PID() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.proc == nil {
		return 0
	}
	return g.proc.Process.Pid
}

func watchLine(pid int, w watch) string {
	return fmt.Sprintf("watch %d %d %d %t\n", pid, w.n, w.start, w.supervised)
}

func untilLine(at Instant) string { return fmt.Sprintf("until %d\n", at) }

// start needs mu. It starts a guardian and tells it everything.
func (g *Guard) start() {
	if err := g.tryStart(); err != nil {
		g.log.Error("no guardian: if this worker is killed now, some of what it runs may stay behind", "error", err)
		g.again()
	}
}

func (g *Guard) tryStart() error {
	in, out, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make the guardian's pipe: %w", err)
	}
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{name, g.cfg.Life, strconv.FormatUint(g.self, 10)},
		Env: []string{"GOMAXPROCS=1", "GOGC=10"}, Dir: "/", Stdin: in, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return fmt.Errorf("start the guardian: %w", err)
	}
	g.proc, g.pipe = cmd, out
	g.wg.Go(func() { g.await(cmd, out) })
	var all strings.Builder
	if g.until != 0 {
		all.WriteString(untilLine(g.until))
	}
	for pid, w := range g.watched {
		all.WriteString(watchLine(pid, w))
	}
	g.send(all.String())
	return nil
}

// writeLimit is how long a guardian may not read before another one takes its place.
const writeLimit = 2 * time.Second

// send needs mu. A guardian that does not read is replaced.
func (g *Guard) send(lines string) {
	_ = g.pipe.SetWriteDeadline(time.Now().Add(writeLimit))
	if _, err := g.pipe.WriteString(lines); err != nil && !g.closed {
		g.log.Warn("the guardian does not listen and is replaced", "pid", g.proc.Process.Pid, "error", err)
		_ = g.proc.Process.Kill() // await sees its end
	}
}

// await reaps a guardian, and starts another if it should still be there.
func (g *Guard) await(cmd *exec.Cmd, pipe *os.File) {
	err := cmd.Wait()
	pipe.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.proc, g.pipe = nil, nil
	if g.closed {
		return
	}
	g.log.Warn("the guardian ended and is started again", "pid", cmd.Process.Pid, "end", err)
	g.start()
}

// again needs mu. It tries to start a guardian in a second.
func (g *Guard) again() {
	g.wg.Go(func() {
		select {
		case <-g.over:
			return
		case <-time.After(time.Second):
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.proc == nil && !g.closed {
			g.start()
		}
	})
}

func (g *Guard) record(pid int, w watch) {
	if g.cfg.Records == "" {
		return
	}
	if err := os.WriteFile(recordPath(g.cfg.Records, pid, w), nil, 0o600); err != nil {
		g.log.Warn("a process has no record: it is found by its mark alone if this worker and its guardian are killed", "pid", pid, "error", err)
	}
}

// recordPath is the file of a child. All is in its name: a file without content needs no disk block and is never half written.
func recordPath(dir string, pid int, w watch) string {
	return filepath.Join(dir, fmt.Sprintf("%d-%d-%d", pid, w.start, w.n))
}

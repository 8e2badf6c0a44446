package proc

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Marker is the environment variable that every process of a run carries.
const Marker = "FIRESTEEL_RUN_ID"

// Run is one experiment: a directory, and all processes that were started for it.
type Run struct {
	// ID is the value of Marker.
	ID string
	// Dir holds the logs and the working files of everything in the run.
	Dir string

	mu    sync.Mutex
	procs []*Process
	names map[string]int
}

// NewRun makes a run with a fresh directory under parent ("" is the machine's temporary directory).
func NewRun(parent string) (*Run, error) {
	dir, err := os.MkdirTemp(parent, "firesteel-run-")
	if err != nil {
		return nil, fmt.Errorf("make the directory of a run: %w", err)
	}
	return &Run{ID: rand.Text(), Dir: dir, names: map[string]int{}}, nil
}

// Info is a process as /proc shows it.
type Info struct {
	PID     int
	Command string // its arguments, joined by blanks
}

func (i Info) String() string {
	const most = 300
	c := i.Command
	if len(c) > most {
		c = c[:most] + "..."
	}
	return fmt.Sprintf("%d %s", i.PID, c)
}

// Alive lists the processes of this run that live, children of children included, by pid. Zombies do not count: they
// have ended, and who must reap them is not always us.
func (r *Run) Alive() ([]Info, error) {
	want := []byte(Marker + "=" + r.ID)
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []Info
	for _, dir := range dirs {
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || len(env) == 0 { // ended meanwhile, a zombie, or somebody else's
			continue
		}
		if !slices.ContainsFunc(bytes.Split(env, []byte{0}), func(v []byte) bool { return bytes.Equal(v, want) }) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(dir))
		args, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if pid == os.Getpid() || errors.Is(err, fs.ErrNotExist) || zombie(dir) {
			continue
		}
		found = append(found, Info{pid, strings.TrimSpace(strings.ReplaceAll(string(args), "\x00", " "))})
	}
	slices.SortFunc(found, func(a, b Info) int { return a.PID - b.PID })
	return found, nil
}

// zombie reads the state in /proc/<pid>/stat, which stands behind the name in parentheses.
func zombie(dir string) bool {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return true
	}
	i := bytes.LastIndexByte(stat, ')')
	return i >= 0 && i+2 < len(stat) && (stat[i+2] == 'Z' || stat[i+2] == 'X')
}

// Others lists what Alive lists, without the processes started through this run that still should live: those are
// ended by who started them. What remains is what they left behind.
func (r *Run) Others(keep ...*Process) ([]Info, error) {
	all, err := r.Alive()
	return slices.DeleteFunc(all, func(i Info) bool {
		return slices.ContainsFunc(keep, func(p *Process) bool { return p.PID() == i.PID })
	}), err
}

// WaitGone waits until the run has no process but those in keep that match (nil: any). /proc has no events to wait
// on for processes that are not our children, so this looks every 20 ms.
func (r *Run) WaitGone(ctx context.Context, match func(Info) bool, keep ...*Process) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := r.Others(keep...)
		if err != nil {
			return err
		}
		if match != nil {
			left = slices.DeleteFunc(left, func(i Info) bool { return !match(i) })
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d processes are still there: %v: %w", len(left), left, ctx.Err())
		case <-tick.C:
		}
	}
}

// Started gives all processes that were started under a name, in that order.
func (r *Run) Started(name string) []*Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*Process
	for _, p := range r.procs {
		if p.Name == name {
			found = append(found, p)
		}
	}
	return found
}

// Sweep kills all that lives of this run and returns what it had to kill. It is the last resort of a run that is torn
// down: an orderly run has nothing to sweep.
func (r *Run) Sweep() []Info {
	var killed []Info
	for range 50 { // a process may start another between the look and the kill
		left, err := r.Alive()
		if err != nil || len(left) == 0 {
			break
		}
		for _, i := range left {
			if syscall.Kill(i.PID, syscall.SIGKILL) == nil && !slices.ContainsFunc(killed, func(k Info) bool { return k.PID == i.PID }) {
				killed = append(killed, i)
			}
		}
		time.Sleep(10 * time.Millisecond) // the kernel needs a moment to end them, and tells nobody
	}
	r.mu.Lock()
	procs := slices.Clone(r.procs)
	r.mu.Unlock()
	for _, p := range procs {
		<-p.done
	}
	return killed
}

// logPath gives every start of a name a log of its own: m1.log, m1.2.log, ...
func (r *Run) logPath(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[name]++
	if n := r.names[name]; n > 1 {
		return filepath.Join(r.Dir, fmt.Sprintf("%s.%d.log", name, n))
	}
	return filepath.Join(r.Dir, name+".log")
}

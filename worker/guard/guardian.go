package guard

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// name is the guardian's argv[0], by which this binary knows that it is to be one.
const name = "firesteel-guardian"

// init takes the process over where it was started as a guardian. It does so before main and before most packages are
// initialised, so that the guardian has not the memory of a worker; and so any program with a worker in it can be its own
// guardian.
func init() {
	if len(os.Args) == 3 && os.Args[0] == name {
		since, err := strconv.ParseUint(os.Args[2], 10, 64)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: start time %q: %v\n", name, os.Args[2], err)
			os.Exit(2)
		}
		g := &guardian{life: os.Args[1], since: since, watched: map[int]watch{}}
		os.Exit(g.run(int(os.Stdin.Fd())))
	}
}

// watch is a child that the guardian was told of.
type watch struct {
	n          uint64 // its number in this life
	start      uint64
	supervised bool
}

// guardian is the process on the other end of the worker's pipe. It runs in one thread.
type guardian struct {
	life    string
	since   uint64 // the worker's start time
	watched map[int]watch
	until   Instant // of the lease; 0 while there was none yet
	rest    []byte  // of a line that is not complete
}

// How long the guardian goes on killing what does not die, as a process that hangs in the kernel.
const (
	lastLimit  = 20 * time.Second
	leaseLimit = 5 * time.Second
)

// run serves the pipe until the worker is gone, and then kills what it left.
func (g *guardian) run(pipe int) int {
	// What is meant for the worker, or for its terminal, is not meant for the guardian: it ends with the worker.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPWR, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE)
	timer, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		g.say("no timer, so leases cannot be kept: %v", err)
		return 1
	}
	shed()
	for g.serve(pipe, timer) {
	}
	if n := g.killAll(); n > 0 {
		g.say("the worker is gone; killed %d processes that it left", n)
	}
	return 0
}

// serve waits for the pipe or the lease. It tells whether the worker is still there.
func (g *guardian) serve(pipe, timer int) bool {
	g.arm(timer)
	fds := []unix.PollFd{{Fd: int32(pipe), Events: unix.POLLIN}, {Fd: int32(timer), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, -1); err != nil {
		return err == unix.EINTR
	}
	// The pipe first: a renewal that came in time, but is read late, counts.
	if fds[0].Revents != 0 && !g.read(pipe) {
		return false
	}
	if g.lapsed() {
		g.killSupervised()
	}
	return true
}

// arm sets the timer to the end of the lease. One that has passed is over for those that are watched now; it is looked at
// again when something comes.
func (g *guardian) arm(timer int) {
	at := g.until
	if at <= Now() {
		at = 0 // disarmed
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(at))}
	_ = unix.TimerfdSettime(timer, unix.TFD_TIMER_ABSTIME, &spec, nil) // fails for bad arguments only
}

func (g *guardian) lapsed() bool { return g.until != 0 && Now() >= g.until }

// read takes what the pipe has. It tells whether the worker is still there.
func (g *guardian) read(pipe int) bool {
	var buf [4096]byte
	n, err := unix.Read(pipe, buf[:])
	if err == unix.EINTR || err == unix.EAGAIN {
		return true
	}
	if err != nil || n <= 0 {
		return false
	}
	g.rest = append(g.rest, buf[:n]...)
	for {
		line, rest, ok := bytes.Cut(g.rest, []byte{'\n'})
		if !ok {
			return true
		}
		g.rest = bytes.Clone(rest)
		g.take(string(line))
	}
}

// take carries out one line of the worker.
func (g *guardian) take(line string) {
	var pid int
	var w watch
	var until int64
	switch verb, rest, _ := strings.Cut(line, " "); verb {
	case "watch":
		if _, err := fmt.Sscanf(rest, "%d %d %d %t", &pid, &w.n, &w.start, &w.supervised); err == nil {
			g.watched[pid] = w
			return
		}
	case "unwatch":
		if _, err := fmt.Sscanf(rest, "%d %d", &pid, &w.n); err == nil {
			if g.watched[pid].n == w.n {
				delete(g.watched, pid)
			}
			return
		}
	case "until":
		if _, err := fmt.Sscanf(rest, "%d", &until); err == nil {
			g.until = max(g.until, Instant(until))
			return
		}
	}
	g.say("a line that is not understood: %q", line)
}

// killSupervised ends the supervised children, whose lease has passed.
func (g *guardian) killSupervised() {
	for pid, w := range g.watched {
		if !w.supervised {
			continue
		}
		delete(g.watched, pid)
		n := g.kin(pid, w).KillAll(leaseLimit)
		g.say("the lease has passed; killed %d processes of supervised child %d", n, pid)
	}
}

func (g *guardian) kin(pid int, w watch) Kin {
	return Kin{Mark: markOf(g.life, w.n), Session: ownSession(pid, w.start), Since: w.start}
}

// killAll ends everything that carries a mark of this worker's life, and the sessions of the children that it knows.
func (g *guardian) killAll() int {
	all := Kin{Mark: markOf(g.life, 0), Since: g.since}
	return killRounds(lastLimit, func() []int {
		pids := all.Kill()
		for pid, w := range g.watched {
			pids = append(pids, Kin{Session: ownSession(pid, w.start), Since: w.start}.Kill()...)
		}
		return pids
	})
}

// ownSession gives the session that a child leads, or led: 0 if its pid is somebody else's by now. A session's number is
// given to nobody while one of its members lives.
func ownSession(pid int, start uint64) int {
	if s, err := readStat(pid); err == nil && s.start != start {
		return 0
	}
	return pid
}

func (g *guardian) say(format string, args ...any) {
	buf := bufio.NewWriter(os.Stderr)
	fmt.Fprintf(buf, "%s: worker life %s: %s\n", name, g.life, fmt.Sprintf(format, args...))
	_ = buf.Flush() // there is nobody to tell
}

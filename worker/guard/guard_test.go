package guard

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/firesteel/firesteel/worker/internal/pidpipe"
)

// patience bounds waits for events; it is not a delay.
const patience = time.Minute

const helperVariable = "FIRESTEEL_GUARD_TEST_WORKER"

// TestMain lets the test binary play a worker that is killed or frozen.
func TestMain(m *testing.M) {
	if dir := os.Getenv(helperVariable); dir != "" {
		playWorker(dir)
	}
	goleak.VerifyTestMain(m)
}

// playWorker starts children as it is told to on stdin, and prints the guardian's pid for each; the child announces its
// own processes in the test's pipe.
func playWorker(dir string) {
	_ = os.Unsetenv(helperVariable)
	g, err := New(Config{Life: filepath.Base(dir), Records: dir, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		verb, rest, _ := strings.Cut(in.Text(), " ")
		switch verb {
		case "lease":
			d, _ := time.ParseDuration(rest)
			g.Renew(d)
			fmt.Println(g.PID())
		case "run", "supervise":
			runChild(g, rest, verb == "supervise")
		}
	}
	g.Close()
	os.Exit(0)
}

func runChild(g *Guard, script string, supervised bool) {
	mark := g.NewMark()
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), mark.Env())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no death signal here: the guardian has to do it all
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	g.Watch(cmd.Process.Pid, mark, supervised)
	fmt.Println(g.PID())
	go func() {
		_ = cmd.Wait()
		fmt.Println("ended")
	}()
}

// worker is a helper process.
type worker struct {
	*exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	records string
}

func newWorker(t *testing.T) *worker {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	life := filepath.Join(dir, rand.Text())
	if err := os.Mkdir(life, 0o700); err != nil {
		t.Fatal(err)
	}
	w := &worker{Cmd: exec.Command(exe), records: life}
	w.Env = append(os.Environ(), helperVariable+"="+life)
	w.Stderr = os.Stderr
	if w.in, err = w.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := w.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.out = bufio.NewScanner(out)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.Process.Kill()
		_ = w.Wait()
		_, _ = Sweep(life, filepath.Base(life))
	})
	return w
}

// tell gives the worker an order and returns the guardian's pid.
func (w *worker) tell(t *testing.T, order string) int {
	t.Helper()
	if _, err := io.WriteString(w.in, order+"\n"); err != nil {
		t.Fatal(err)
	}
	if !w.out.Scan() {
		t.Fatal("the worker does not answer")
	}
	pid, err := strconv.Atoi(w.out.Text())
	if err != nil {
		t.Fatalf("the worker says %q", w.out.Text())
	}
	return pid
}

// family is a child, one of its group, one in a group of its own, one in a session of its own whose parent is gone,
// and one that wiped its environment.
func family(path string) string {
	say := " 'echo $$ >> " + path + "; exec sleep 1000' "
	return strings.Join([]string{
		"echo $$ >> " + path,
		"sh -c" + say + "&",
		"perl -e 'setpgrp(0,0); exec @ARGV' -- sh -c" + say + "&",
		"(setsid sh -c" + say + "&)",
		"env -i PATH=$PATH sh -c" + say + "&",
		"trap '' TERM INT HUP; wait",
	}, "\n")
}

const familySize = 5

func startFamily(t *testing.T, w *worker, verb string) (guardian int, pids []int) {
	t.Helper()
	path, next := pidpipe.Open(t, patience)
	guardian = w.tell(t, verb+" "+oneLine(t, family(path)))
	for range familySize {
		pids = append(pids, next())
	}
	return guardian, pids
}

// oneLine puts a script into a file and gives the command that runs it.
func oneLine(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(script+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "exec sh " + path
}

func gone(t *testing.T, pids ...int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(fds, max(0, int(time.Until(deadline).Milliseconds())))
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if n == 0 {
				t.Errorf("process %d lives on", pid)
			}
			break
		}
		unix.Close(fd)
	}
}

func lives(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if s, err := readStat(pid); err != nil || !s.live() {
			t.Errorf("process %d should live: %v", pid, err)
		}
	}
}

func send(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

// stopped spins until a process has stopped; nothing announces that to one who is not its parent.
func stopped(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		s, err := readStat(pid)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("process %d does not stop: %v", pid, err)
		}
		if s.state == 'T' {
			return
		}
	}
}

// deaf spins until a process ignores SIGTERM, as a guardian does once it is at work.
func deaf(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("process %d does not ignore SIGTERM: %v", pid, err)
		}
		_, mask, _ := strings.Cut(string(raw), "SigIgn:\t")
		mask, _, _ = strings.Cut(mask, "\n")
		if bits, err := strconv.ParseUint(mask, 16, 64); err == nil && bits&(1<<(syscall.SIGTERM-1)) != 0 {
			return
		}
	}
}

func TestKilledWorkerLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	guardian, pids := startFamily(t, w, "run")
	lives(t, pids...)
	deaf(t, guardian)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		send(t, guardian, sig) // for the worker, not for it
	}
	send(t, w.Process.Pid, syscall.SIGKILL)
	gone(t, append(pids, guardian)...)
}

func TestGuardianEndsWithItsWorker(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	guardian := w.tell(t, "run exec sleep 1000")
	if guardian == 0 {
		t.Fatal("no guardian")
	}
	w.in.Close() // the worker closes its guard and ends
	gone(t, guardian)
	if err := w.Wait(); err != nil {
		t.Error(err)
	}
}

func TestKilledGuardianIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	first, pids := startFamily(t, w, "run")
	send(t, first, syscall.SIGKILL)
	gone(t, first)
	second := first
	for deadline := time.Now().Add(patience); second == first || second == 0; second = w.tell(t, "lease 1h") {
		if time.Now().After(deadline) {
			t.Fatal("no new guardian")
		}
	}
	lives(t, pids...)
	send(t, w.Process.Pid, syscall.SIGKILL)
	gone(t, append(pids, second)...)
}

func TestFrozenWorkerLosesItsSupervisedChildren(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	_, kept := startFamily(t, w, "run")
	guardian, leased := startFamily(t, w, "supervise") // without a lease yet, so that they can take their time
	w.tell(t, "lease 1s")
	send(t, w.Process.Pid, syscall.SIGSTOP)
	gone(t, leased...)
	lives(t, append(kept, guardian)...)
	send(t, w.Process.Pid, syscall.SIGCONT)
	if !w.out.Scan() || w.out.Text() != "ended" {
		t.Errorf("the worker says %q, not that its child ended", w.out.Text())
	}
	// One that is started though the lease has passed would be ended, too; the worker renews it first.
	w.tell(t, "lease 1h")
	_, later := startFamily(t, w, "supervise")
	lives(t, later...)
}

func TestNothingSupervisedWithoutALease(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	w.tell(t, "lease 1ns")
	// The child may be killed before it has said anything, so its death is all there is to see.
	w.tell(t, "supervise exec sleep 1000")
	if !w.out.Scan() || w.out.Text() != "ended" {
		t.Errorf("got %q", w.out.Text())
	}
}

func TestSweepAfterWorkerAndGuardianWereKilled(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	guardian, pids := startFamily(t, w, "run")
	other := newWorker(t)
	_, others := startFamily(t, other, "run")
	send(t, guardian, syscall.SIGSTOP) // so that it cannot act
	stopped(t, guardian)
	send(t, w.Process.Pid, syscall.SIGKILL)
	_ = w.Wait()
	send(t, guardian, syscall.SIGKILL)
	gone(t, guardian)
	lives(t, pids...)
	n, err := Sweep(w.records, filepath.Base(w.records))
	if err != nil || n < familySize {
		t.Errorf("killed %d of %d, %v", n, familySize, err)
	}
	gone(t, pids...)
	lives(t, others...)
}

func TestSweepSparesStrangers(t *testing.T) {
	t.Parallel()
	path, next := pidpipe.Open(t, patience)
	stranger := exec.Command("sh", "-c", "echo $$ > "+path+"; exec sleep 1000")
	stranger.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	pid := next()
	start, err := Start(pid)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{recordPath(dir, pid, watch{n: 1, start: start - 1}), filepath.Join(dir, "junk")} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := Sweep(dir, "no-such-life"); n != 0 || err != nil {
		t.Errorf("killed %d, %v", n, err)
	}
	lives(t, pid)
	if ownSession(pid, start-1) != 0 || ownSession(pid, start) != pid {
		t.Error("a session is known by its leader's start time")
	}
}

func TestKinSparesOthersAndTheSpared(t *testing.T) {
	t.Parallel()
	g, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	start := func(m Mark) *exec.Cmd {
		c := exec.Command("sleep", "1000")
		c.Env = []string{m.Env()}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		return c
	}
	one, twelve := g.NewMark(), Mark(g.cfg.Life+"/12")
	a, b, c := start(one), start(one), start(twelve)
	got := Kin{Mark: one, Spared: a.Process.Pid}.Kill()
	if len(got) != 1 || got[0] != b.Process.Pid {
		t.Errorf("killed %v, want only %d", got, b.Process.Pid)
	}
	gone(t, b.Process.Pid)
	lives(t, a.Process.Pid, c.Process.Pid) // child 12 is not a part of child 1
}

func TestLapsed(t *testing.T) {
	t.Parallel()
	g, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if g.Lapsed() {
		t.Error("there was no lease yet")
	}
	g.RenewUntil(Now().Add(-time.Second))
	if !g.Lapsed() {
		t.Error("the lease has passed")
	}
	g.Renew(time.Hour)
	g.Renew(time.Minute)
	if g.Lapsed() {
		t.Error("renewed")
	}
	if g.PID() != 0 {
		t.Error("a guardian without a child")
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	raw := "42 (a) b (c) S 1 42 40 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1000 10 18446744073709551615"
	s, err := parseStat(42, raw)
	if err != nil || s.session != 40 || s.start != 12345 || s.state != 'S' {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, bad := range []string{"", "42", "42 (a) S 1 2", strings.Replace(raw, "12345", "x", 1), strings.Replace(raw, " 40 ", " y ", 1)} {
		if _, err := parseStat(42, bad); !errors.Is(err, errStat) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

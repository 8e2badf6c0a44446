package worker

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firesteel/firesteel/worker/internal/pidpipe"
)

func newSpawner(t *testing.T) *Spawner {
	s := NewSpawner()
	t.Cleanup(s.Close)
	return s
}

// The tree: a leader, a child of its group, and one that made a group of its
// own as PySpark's daemon does. All must be gone when the leader is.
const tree = `
sleep 1000 & echo $! > $PIDS
perl -e 'setpgrp(0,0); open F,">>$ENV{PIDS}"; print F "$$\n"; close F; $SIG{TERM}="IGNORE"; sleep 1000' &
wait_for_it() { %s; }
wait_for_it`

func startTree(t *testing.T, end string) (p *process, child, loner func() int) {
	t.Helper()
	fifo, next := pidpipe.Open(t, patience)
	cmd := exec.Command("sh", "-c", strings.Replace(tree, "%s", end, 1))
	cmd.Env = append(os.Environ(), "PIDS="+fifo)
	p, err := startProcess(newSpawner(t), cmd)
	if err != nil {
		t.Fatal(err)
	}
	return p, next, next
}

func TestNothingOutlivesTheLeader(t *testing.T) {
	t.Parallel()
	fifo := "read line < $PIDS.go; exit 7"
	p, child, loner := startTree(t, "mkfifo $PIDS.go; echo 0 > $PIDS; "+fifo)
	a, b, c := child(), loner(), child()
	pids := []int{a, b, c} // one of them is the 0 that says that the pipe is there
	path := ""
	for _, kv := range p.cmd.Env {
		if v, ok := strings.CutPrefix(kv, "PIDS="); ok {
			path = v
		}
	}
	if err := os.WriteFile(path+".go", []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	waitExit(t, p)
	if p.code != 7 {
		t.Errorf("exit code %d, want 7", p.code)
	}
	for _, pid := range pids {
		if pid != 0 {
			gone(t, pid)
		}
	}
}

func TestTerminateEndsTheWholeTree(t *testing.T) {
	t.Parallel()
	p, child, loner := startTree(t, "wait")
	pids := []int{child(), loner()}
	if err := p.terminate(patience); err != nil {
		t.Error(err)
	}
	if p.code != 128+int(syscall.SIGTERM) {
		t.Errorf("exit code %d, want 143", p.code)
	}
	for _, pid := range pids {
		gone(t, pid)
	}
	if err := p.signalGroup(syscall.SIGTERM); err != nil {
		t.Errorf("signal after the end: %v", err)
	}
}

func TestTerminateForcesTheStubborn(t *testing.T) {
	t.Parallel()
	fifo, next := pidpipe.Open(t, patience)
	cmd := exec.Command("sh", "-c", `trap "" TERM; echo $$ > $PIDS; while :; do sleep 1000; done`)
	cmd.Env = append(os.Environ(), "PIDS="+fifo)
	p, err := startProcess(newSpawner(t), cmd)
	if err != nil {
		t.Fatal(err)
	}
	next()
	if err := p.terminate(10 * time.Millisecond); err != nil {
		t.Error(err)
	}
	if p.code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d, want 137", p.code)
	}
}

func waitExit(t *testing.T, p *process) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatal("process did not end")
	}
}

func TestWorkerDeathTakesTheExecutorAlong(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	worker := exec.Command(exe)
	worker.Env = append(os.Environ(), helperVariable+"=1")
	out, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("helper says %q", line)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the executor should live: %v", err)
	}
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = worker.Wait()
	gone(t, pid)
}

// The death of the thread that asked must not hurt the child: only the
// spawner's thread may be its parent.
func TestChildSurvivesTheCallersThread(t *testing.T) {
	t.Parallel()
	s := newSpawner(t)
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var startErr error
	tid := onDyingThread(func() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		startErr = s.Start(cmd)
	})
	if startErr != nil {
		t.Fatal(startErr)
	}
	threadGone(t, tid)
	if _, err := io.WriteString(in, "alive\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "alive\n" {
		t.Errorf("got %q, %v: the child died with the caller's thread", line, err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// onDyingThread runs f on a thread that ends afterwards, and names it. The
// process's first thread never ends, so it is passed over.
func onDyingThread(f func()) int {
	tid := make(chan int)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			tid <- onDyingThread(f) // on another thread, as this one is taken
			runtime.UnlockOSThread()
			return
		}
		f()
		tid <- unix.Gettid() // returning locked ends the thread
	}()
	return <-tid
}

// threadGone spins until the thread has ended; nothing announces that.
func threadGone(t *testing.T, tid int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for unix.Tgkill(os.Getpid(), tid, 0) == nil {
		if time.Now().After(deadline) {
			t.Fatal("the caller's thread lives on")
		}
		runtime.Gosched()
	}
}

func TestSpawnerAfterClose(t *testing.T) {
	t.Parallel()
	s := NewSpawner()
	s.Close()
	s.Close()
	if err := s.Start(exec.Command("true")); err != errSpawnerClosed {
		t.Errorf("got %v", err)
	}
}

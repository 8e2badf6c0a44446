package worker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/firesteel/firesteel/config"
)

// patience bounds waits for events; it is not a delay.
const patience = 20 * time.Second

const helperVariable = "FIRESTEEL_WORKER_TEST_HELPER"

// TestMain lets the test binary play a worker that dies, see TestWorkerDeathTakesTheExecutorAlong.
func TestMain(m *testing.M) {
	switch what := os.Getenv(helperVariable); what {
	case "":
	case "1":
		playWorker()
	default:
		playUpkeep(what)
	}
	goleak.VerifyTestMain(m)
}

// playWorker starts a process, prints its pid, and waits to be killed.
func playWorker() {
	cmd := exec.Command("sleep", "1000")
	p, err := startProcess(NewSpawner(), cmd)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.pid)
	select {}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// fakeJava makes a JAVA_HOME whose java runs a shell script, to test the
// supervision of process trees without a JVM.
func fakeJava(t *testing.T, script string) string {
	t.Helper()
	home := t.TempDir()
	writeFile(t, filepath.Join(home, "bin", "java"), "#!/bin/sh\n"+script+"\n", 0o755)
	return home
}

// fakeHome makes a directory with the jars of a Spark release, all empty.
func fakeHome(t *testing.T, jars ...string) string {
	t.Helper()
	home := t.TempDir()
	for _, jar := range append(jars, "x.jar") {
		writeFile(t, filepath.Join(home, "jars", jar), "", 0o644)
	}
	return home
}

func writeFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	// Written by a child, not by us: a parallel test that forks while we hold
	// the file open for writing would make its execution fail with ETXTBSY.
	cmd := exec.Command("sh", "-c", `cat > "$0" && chmod "$1" "$0"`, path, strconv.FormatUint(uint64(mode), 8))
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

type fixture struct {
	*Executors
	reports chan Report
	work    string
	local   string
}

func newFixture(t *testing.T, script string, change func(*ExecutorsConfig)) *fixture {
	t.Helper()
	f := &fixture{reports: make(chan Report, 100), work: t.TempDir(), local: t.TempDir()}
	cfg := ExecutorsConfig{
		WorkDir: f.work, LocalDirs: []string{f.local},
		Identity: Identity{WorkerID: "worker-1", WorkerURL: WorkerURL("w1", 4000), Host: "w1", PublicHost: "w1.example", WebUIPort: 8081},
		Env:      config.Env{"PATH": os.Getenv("PATH"), "JAVA_HOME": fakeJava(t, script)},
		OnReport: func(r Report) { f.reports <- r },
		Logger:   quiet(),
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if f.Executors, err = NewExecutors(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func (f *fixture) next(t *testing.T) Report {
	t.Helper()
	select {
	case r := <-f.reports:
		return r
	case <-time.After(patience):
		t.Fatal("no report came")
		return Report{}
	}
}

func (f *fixture) expect(t *testing.T, state ExecutorState) Report {
	t.Helper()
	r := f.next(t)
	if r.State != state {
		t.Fatalf("got %s %q, want %s", r.State, r.Message, state)
	}
	return r
}

func (f *fixture) wait(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := f.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

func spec(t *testing.T, id int) ExecutorSpec {
	t.Helper()
	return ExecutorSpec{
		AppID: "app-1", ExecID: id, Cores: 2, MemoryMiB: 64, SparkHome: fakeHome(t),
		Command: Command{MainClass: "Main", Arguments: []string{"{{EXECUTOR_ID}}"}},
	}
}

// gone waits until the process ended: a pidfd becomes readable then.
func gone(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	deadline := time.Now().Add(patience)
	for {
		n, err := unix.Poll(fds, int(time.Until(deadline).Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			t.Fatalf("process %d lives on (%v)", pid, err)
		}
		return
	}
}

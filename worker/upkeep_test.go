package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/worker/internal/pidpipe"
)

// newUpkeep begins the upkeep of a worker on a work directory.
func newUpkeep(work, local string) (*Worker, error) {
	w := &Worker{id: "worker-1", log: quiet(), cfg: Config{Spark: config.Worker{
		WorkDir: work, LocalDirs: []string{local}, Cleanup: config.Cleanup{Enabled: true},
	}}}
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	return w, w.beginUpkeep()
}

// playUpkeep is a worker in dir that runs an executor, whose java is JAVA_HOME's; it prints the guardian's pid and waits
// to be killed.
func playUpkeep(dir string) {
	w, err := newUpkeep(filepath.Join(dir, "work"), filepath.Join(dir, "local"))
	if err == nil {
		running := make(chan bool, 10)
		w.executors, err = NewExecutors(ExecutorsConfig{
			WorkDir: w.cfg.Spark.WorkDir, LocalDirs: w.cfg.Spark.LocalDirs, Env: config.OSEnv(), Logger: quiet(), Life: w.life, Guard: w.guard,
			OnReport: func(r Report) { running <- r.State == Running },
		})
		if err == nil {
			w.executors.Start(ExecutorSpec{AppID: "app-1", Cores: 1, MemoryMiB: 1, SparkHome: os.Getenv("FAKE_HOME"), Command: Command{MainClass: "Main"}})
			if !<-running {
				err = errors.New("the executor does not run")
			}
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(w.guard.PID())
	select {}
}

// descendants announces the executor itself, a child in a group of its own and one in a session of its own that has lost its
// parent.
const descendants = `echo $$ >> $PIDS
perl -e 'setpgrp(0,0); exec @ARGV' -- sh -c 'echo $$ >> $PIDS; exec sleep 1000' &
(setsid sh -c 'echo $$ >> $PIDS; exec sleep 1000' &)
wait`

// startPlayedWorker gives the pids of the worker, of its guardian, and of the executor with its descendants.
func startPlayedWorker(t *testing.T, dir string) (worker *exec.Cmd, guardian int, pids []int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path, next := pidpipe.Open(t, patience)
	worker = exec.Command(exe)
	worker.Env = append(os.Environ(), helperVariable+"="+dir, "PIDS="+path, "JAVA_HOME="+fakeJava(t, descendants), "FAKE_HOME="+fakeHome(t))
	out, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Process.Kill(); _ = worker.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if guardian, err = strconv.Atoi(strings.TrimSpace(line)); err != nil || guardian == 0 {
		t.Fatalf("the worker says %q", line)
	}
	for range 3 {
		pids = append(pids, next())
	}
	return worker, guardian, pids
}

func TestKilledWorkersLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	for _, guardianToo := range []bool{false, true} {
		t.Run(fmt.Sprintf("guardian killed %v", guardianToo), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			work, local := filepath.Join(dir, "work"), filepath.Join(dir, "local")
			played, guardian, pids := startPlayedWorker(t, dir)
			if guardianToo {
				// Stopped first, or it would be quicker than we are.
				if err := errors.Join(syscall.Kill(guardian, syscall.SIGSTOP), played.Process.Kill(), syscall.Kill(guardian, syscall.SIGKILL)); err != nil {
					t.Fatal(err)
				}
			} else if err := played.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = played.Wait()
			gone(t, guardian)
			if !guardianToo {
				for _, pid := range pids {
					gone(t, pid)
				}
			}
			w, err := newUpkeep(work, local)
			if err != nil {
				t.Fatal(err)
			}
			for _, pid := range pids {
				gone(t, pid)
			}
			w.wg.Wait() // the scratch directories are removed beside
			if left, err := filepath.Glob(filepath.Join(local, "*")); err != nil || len(left) > 0 {
				t.Errorf("local directories: %q, %v", left, err)
			}
			if _, err := os.Stat(filepath.Join(work, "app-1", "0", "stderr")); err != nil {
				t.Errorf("the log of the executor: %v", err)
			}
			ended, err := w.life.Ended()
			if err != nil || len(ended) != 1 || ended[0].Name != "app-1" {
				t.Errorf("ended: %+v, %v", ended, err)
			}
			if err := w.upkeep.close(); err != nil {
				t.Error(err)
			}
			if lives, err := os.ReadDir(filepath.Join(work, ".firesteel", "lives")); err != nil || len(lives) > 0 {
				t.Errorf("lives: %v, %v", lives, err)
			}
		})
	}
}

func TestScratchOfAnotherKindIsNotRemoved(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "precious")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	removeScratch(t.Context(), []string{dir, "/no/such/spark-1"}, func(string, ...any) {})
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Error("it was removed")
	}
}

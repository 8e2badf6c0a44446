package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/worker/internal/pidpipe"
)

func TestExecutorRunsAndExits(t *testing.T) {
	t.Parallel()
	f := newFixture(t, `pwd; echo "dirs=$SPARK_EXECUTOR_DIRS"; echo oops >&2; exit 3`, nil)
	s := spec(t, 0)
	s.Command.JavaOpts = []string{"-Dapi.token=abc", "-Dx=1"}
	f.cfg.Redaction = regexp.MustCompile(`(?i)token`)
	f.Start(s)
	running := f.expect(t, Running)
	if running.Key() != (ExecutorKey{"app-1", 0}) || running.ExitCode != nil || running.Message != "" {
		t.Errorf("RUNNING report: %+v", running)
	}
	end := f.expect(t, Exited)
	if end.ExitCode == nil || *end.ExitCode != 3 || end.Message != "Command exited with code 3" {
		t.Errorf("final report: %+v", end)
	}
	f.wait(t)
	dir := filepath.Join(f.work, "app-1", "0")
	out := readFile(t, filepath.Join(dir, "stdout"))
	if !strings.HasPrefix(out, dir+"\n") || !strings.Contains(out, "dirs="+f.local+"/spark-") {
		t.Errorf("stdout: %q", out)
	}
	log := readFile(t, filepath.Join(dir, "stderr"))
	if !strings.HasPrefix(log, `Spark Executor Command: "`) || !strings.Contains(log, `"-Dapi.token=*********(redacted)" "-Dx=1" "Main" "0"`+"\n"+strings.Repeat("=", 40)+"\n\noops\n") {
		t.Errorf("stderr: %q", log)
	}
	if strings.Contains(log, "abc") {
		t.Error("the secret is in the log")
	}
}

func TestExecutorIsKilled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "exec sleep 1000", nil)
	f.Start(spec(t, 4))
	f.expect(t, Running)
	if !f.Kill("app-1", 4, "asked by the master") {
		t.Error("Kill did not find the executor")
	}
	f.Kill("app-1", 4, "again")
	end := f.expect(t, Killed)
	if end.ExitCode == nil || *end.ExitCode != 143 || end.Message != "asked by the master" {
		t.Errorf("final report: %+v", end)
	}
	if f.Kill("app-1", 4, "late") || f.Kill("app-1", 5, "unknown") {
		t.Error("Kill of a finished or unknown executor should say so")
	}
}

func TestExecutorIsNeverLaunchedTwice(t *testing.T) {
	t.Parallel()
	fifo, launched := pidpipe.Open(t, patience)
	f := newFixture(t, "echo $$ > "+fifo+"; exec sleep 1000", nil)
	s := spec(t, 1)
	f.Start(s)
	f.expect(t, Running)
	launched()
	f.Start(s)
	f.expect(t, Running)
	f.Kill("app-1", 1, "end")
	f.expect(t, Killed)
	f.Start(s)
	f.expect(t, Killed)
	f.Ack("app-1", 1)
	if got := f.List(); len(got) != 0 {
		t.Errorf("acknowledged, but still listed: %v", got)
	}
	f.Start(s)
	if r := f.expect(t, Killed); *r.ExitCode != 143 {
		t.Errorf("report after the acknowledgement: %+v", r)
	}
	f.wait(t)
	entries, err := os.ReadDir(filepath.Join(f.work, "app-1"))
	if err != nil || len(entries) != 1 {
		t.Errorf("work directories: %v %v", entries, err)
	}
}

func TestListKeepsEndsUntilAcknowledged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, `for a; do last=$a; done; [ "$last" = 0 ] && exit 0; exec sleep 1000`, nil)
	f.Start(spec(t, 0))
	f.expect(t, Running)
	f.expect(t, Exited)
	f.Start(spec(t, 1))
	f.expect(t, Running)
	f.Ack("app-1", 1) // not final: nothing to acknowledge
	got := f.List()
	if len(got) != 2 || got[0].State != Exited || *got[0].ExitCode != 0 || got[1].State != Running {
		t.Errorf("got %+v", got)
	}
	if len(f.Running()) != 1 || len(f.Finished()) != 1 {
		t.Errorf("running %d, finished %d", len(f.Running()), len(f.Finished()))
	}
}

func TestAcknowledgedEndsAreForgottenOldestFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "exit 0", func(c *ExecutorsConfig) { c.Retained = 2 })
	for id := range 4 {
		f.Start(spec(t, id))
		f.expect(t, Running)
		f.expect(t, Exited)
		f.Ack("app-1", id)
	}
	got := f.Finished()
	if len(got) != 2 || got[0].Spec.ExecID != 2 || got[1].Spec.ExecID != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestExecutorFailsToStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "exit 0", nil)
	if err := os.MkdirAll(filepath.Join(f.work, "app-1", "0"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.Start(spec(t, 0))
	if r := f.expect(t, Failed); r.ExitCode != nil || !strings.Contains(r.Message, "Failed to create directory "+filepath.Join(f.work, "app-1", "0")) {
		t.Errorf("existing directory: %+v", r)
	}
	for name, c := range map[string]struct {
		change func(*ExecutorSpec)
		want   string
	}{
		"escape":  {func(s *ExecutorSpec) { s.AppID = "../x" }, "cannot name a directory"},
		"dots":    {func(s *ExecutorSpec) { s.AppID = ".." }, "cannot name a directory"},
		"no jars": {func(s *ExecutorSpec) { s.SparkHome = t.TempDir(); s.ExecID = 11 }, "does not exist"},
		"no java": {func(s *ExecutorSpec) {
			s.ExecID = 12
			s.Command.Environment = map[string]string{"JAVA_HOME": "/nowhere"}
		}, "JAVA_HOME is /nowhere"},
		"no core":  {func(s *ExecutorSpec) { s.ExecID = 13; s.Cores = 0 }, "at least 1"},
		"no class": {func(s *ExecutorSpec) { s.ExecID = 14; s.Command.MainClass = "" }, "no main class"},
	} {
		s := spec(t, 10)
		c.change(&s)
		f.Start(s)
		if r := f.expect(t, Failed); !strings.Contains(r.Message, c.want) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if _, err := os.Stat(filepath.Join(f.work, "..", "x")); err == nil {
		t.Error("a directory was made outside the work directory")
	}
}

func (f *fixture) appDirs(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(f.local, "spark-*", "executor-*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func TestLocalDirectoriesLiveAsLongAsTheApplication(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "exec sleep 1000", nil)
	f.Start(spec(t, 0))
	f.Start(spec(t, 1))
	f.expect(t, Running)
	f.expect(t, Running)
	dirs := f.appDirs(t)
	if len(dirs) != 1 {
		t.Fatalf("both executors should share one directory: %v", dirs)
	}
	if st, _ := os.Stat(dirs[0]); st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", st.Mode())
	}
	if got := f.Applications(); !slices.Equal(got, []string{"app-1"}) {
		t.Errorf("applications: %q", got)
	}
	f.Kill("app-1", 0, "end")
	f.expect(t, Killed)
	f.ApplicationFinished("app-1")
	if len(f.appDirs(t)) != 1 {
		t.Error("freed while an executor runs")
	}
	f.Kill("app-1", 1, "end")
	f.expect(t, Killed)
	f.wait(t)
	if dirs := f.appDirs(t); len(dirs) != 0 {
		t.Errorf("not freed: %v", dirs)
	}
	if got := f.Applications(); len(got) != 0 {
		t.Errorf("applications: %q", got)
	}
	if _, err := os.Stat(filepath.Join(f.work, "app-1", "1", "stderr")); err != nil {
		t.Errorf("logs must stay: %v", err)
	}
}

func TestLaunchAfterApplicationFinishedKeepsItsDirectory(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "exec sleep 1000", nil)
	f.Start(spec(t, 0))
	f.expect(t, Running)
	f.ApplicationFinished("app-1")
	f.Start(spec(t, 1)) // so it was not finished
	f.expect(t, Running)
	for id := range 2 {
		f.Kill("app-1", id, "end")
		f.expect(t, Killed)
	}
	f.wait(t)
	if len(f.appDirs(t)) != 1 {
		t.Error("freed though the application came back")
	}
}

func TestKillAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "exec sleep 1000", nil)
	for id := range 5 {
		f.Start(spec(t, id))
		f.expect(t, Running)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := f.KillAll(ctx, "Worker shutting down"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		f.expect(t, Killed)
	}
	f.Start(spec(t, 9))
	f.expect(t, Failed)
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(f.local); len(left) != 0 {
		t.Errorf("scratch left behind: %v", left)
	}
}

func TestKillAllGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	fifo, next := pidpipe.Open(t, patience)
	f := newFixture(t, `trap "" TERM; echo $$ > `+fifo+`; while :; do sleep 1000; done`, func(c *ExecutorsConfig) { c.KillGrace = patience })
	f.Start(spec(t, 0))
	f.expect(t, Running)
	pid := next()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.KillAll(ctx, "end"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	process, _ := os.FindProcess(pid)
	_ = process.Kill()
	f.expect(t, Killed)
}

func TestKillWhileLaunching(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "exec sleep 1000", nil)
	for id := range 20 {
		f.Start(spec(t, id))
		f.Kill("app-1", id, "at once")
	}
	ends := 0
	for ends < 20 {
		switch r := f.next(t); {
		case r.State == Killed:
			ends++
		case r.State != Running:
			t.Fatalf("got %+v", r)
		}
	}
}

func TestBadWorkAndLocalDirs(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, "", 0o644)
	cfg := ExecutorsConfig{WorkDir: filepath.Join(file, "work"), LocalDirs: []string{t.TempDir()}, OnReport: func(Report) {}, Logger: quiet()}
	if _, err := NewExecutors(cfg); !errors.Is(err, ErrWorkDir) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	cfg.WorkDir, cfg.LocalDirs = t.TempDir(), []string{filepath.Join(file, "a")}
	if _, err := NewExecutors(cfg); err == nil || !strings.Contains(err.Error(), "SPARK_LOCAL_DIRS") {
		t.Errorf("got %v", err)
	}
	cfg.LocalDirs = []string{filepath.Join(file, "a"), t.TempDir()}
	e, err := NewExecutors(cfg)
	if err != nil {
		t.Fatalf("one good directory is enough: %v", err)
	}
	e.Close()
}

func TestResourcesFile(t *testing.T) {
	t.Parallel()
	f := newFixture(t, `while [ $# -gt 1 ]; do [ "$1" = --resourcesFile ] && cat "$2"; shift; done`, nil)
	s := spec(t, 0)
	s.Resources = map[string][]string{"gpu": {"0", "3"}, "fpga": {"f"}}
	f.Start(s)
	f.expect(t, Running)
	f.expect(t, Exited)
	want := `[{"id":{"componentName":"spark.executor","resourceName":"fpga"},"addresses":["f"]},` +
		`{"id":{"componentName":"spark.executor","resourceName":"gpu"},"addresses":["0","3"]}]`
	if got := readFile(t, filepath.Join(f.work, "app-1", "0", "stdout")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if files, _ := filepath.Glob(filepath.Join(f.work, "app-1", "0", "resource-executor-*.json")); len(files) != 1 {
		t.Errorf("files: %v", fmt.Sprint(files))
	}
}

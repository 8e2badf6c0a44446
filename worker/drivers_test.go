package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/worker/fetch"
)

type driverFixture struct {
	*Drivers
	t       *testing.T
	reports chan DriverReport
	work    string
}

func newDrivers(t *testing.T, script string, change func(*DriversConfig)) *driverFixture {
	t.Helper()
	f := &driverFixture{t: t, reports: make(chan DriverReport, 100), work: t.TempDir()}
	spawner := NewSpawner()
	t.Cleanup(spawner.Close)
	cfg := DriversConfig{
		WorkDir:  f.work,
		Identity: Identity{WorkerID: "worker-1", WorkerURL: WorkerURL("w1", 4000), Host: "w1", PublicHost: "w1.example", WebUIPort: 8081},
		Env:      config.Env{"PATH": os.Getenv("PATH"), "JAVA_HOME": fakeJava(t, script)},
		Fetch:    fetch.New(fetch.Config{}).Fetch, Spawner: spawner, OnReport: func(r DriverReport) { f.reports <- r }, Logger: quiet(), KillGrace: time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if f.Drivers, err = NewDrivers(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func (f *driverFixture) expect(state DriverState) DriverReport {
	f.t.Helper()
	select {
	case r := <-f.reports:
		if r.State != state {
			f.t.Fatalf("got %s %q, want %s", r.State, r.Message, state)
		}
		return r
	case <-time.After(patience):
		f.t.Fatal("no report came")
		return DriverReport{}
	}
}

func driverSpec(t *testing.T) DriverSpec {
	t.Helper()
	jar := filepath.Join(t.TempDir(), "app.jar")
	writeFile(t, jar, "the jar", 0o644)
	return DriverSpec{
		ID: "driver-1", RunID: "driver-1", Attempt: 1, Resource: "file:" + jar, Cores: 1, MemoryMiB: 64, SparkHome: fakeHome(t), ModuleOptions: []string{"--add-opens=java.base/java.lang=ALL-UNNAMED"},
		Command: Command{MainClass: "org.apache.spark.deploy.worker.DriverWrapper", Arguments: []string{"{{WORKER_URL}}", "{{USER_JAR}}", "Main", "{{USER_JAR}}x"}},
	}
}

func TestDriverRunsAndEnds(t *testing.T) {
	t.Parallel()
	f := newDrivers(t, `echo "$@"; env | grep SPARK_DRIVER_LOG; echo problem >&2; exit $CODE`, nil)
	for code, want := range map[string]DriverState{"0": DriverFinished, "3": DriverFailed} {
		s := driverSpec(t)
		s.ID = "driver-" + code
		s.RunID = s.ID
		s.Command.Environment = map[string]string{"CODE": code}
		s.Resources = map[string][]string{"gpu": {"1"}}
		f.Start(s)
		f.expect(DriverRunning)
		r := f.expect(want)
		if r.RunID != s.RunID || want == DriverFailed && r.Message != "exit code 3" {
			t.Errorf("%+v", r)
		}
		dir := filepath.Join(f.work, s.ID)
		jar := filepath.Join(dir, "app.jar")
		if got := readFile(t, jar); got != "the jar" {
			t.Errorf("the jar holds %q", got)
		}
		out := readFile(t, filepath.Join(dir, "stdout"))
		for _, want := range []string{
			"-Xmx64M", "-Dspark.driver.resourcesFile=" + dir + "/resource-", "--add-opens=java.base/java.lang=ALL-UNNAMED",
			"DriverWrapper spark://Worker@w1:4000 " + jar + " Main {{USER_JAR}}x\n",
			"SPARK_DRIVER_LOG_URL_STDOUT=http://w1.example:8081/logPage/?driverId=" + s.ID + "&logType=stdout",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in %s", want, out)
			}
		}
		if err := readFile(t, filepath.Join(dir, "stderr")); !strings.HasPrefix(err, `Launch Command: "`) || !strings.HasSuffix(err, strings.Repeat("=", 40)+"\n\nproblem\n") {
			t.Errorf("stderr is %q", err)
		}
	}
}

func TestDriverIsKilled(t *testing.T) {
	t.Parallel()
	// The second ignores the wish; the third ends well at it, which counts.
	for script, want := range map[string]DriverState{
		"echo up; exec sleep 1000": DriverKilled, "trap '' TERM; echo up; while :; do sleep 0.05; done": DriverKilled, "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done": DriverFinished,
	} {
		f := newDrivers(t, script, nil)
		f.Start(driverSpec(t))
		f.expect(DriverRunning)
		awaitText(t, filepath.Join(f.work, "driver-1", "stdout"), "up")
		if !f.Kill("driver-1", "asked") {
			t.Error("it is not there")
		}
		if r := f.expect(want); want == DriverKilled && r.Message != "asked" {
			t.Errorf("%+v", r)
		}
		if f.Kill("driver-1", "asked") || f.Kill("driver-2", "asked") {
			t.Error("what is over or unknown can be killed")
		}
	}
}

// awaitText waits for a child to have written something: files tell nobody that they grow.
func awaitText(t *testing.T, path, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if raw, err := os.ReadFile(path); err == nil && strings.Contains(string(raw), text) {
			return
		}
	}
	t.Fatalf("no %q in %s", text, path)
}

func TestDriverThatCannotBeRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*DriverSpec)
		want   string
	}{
		"no jar":      {func(s *DriverSpec) { s.Resource = "file:/there/is/no.jar" }, "no such file"},
		"bad scheme":  {func(s *DriverSpec) { s.Resource = "gopher://h/a.jar" }, "no way to fetch"},
		"no java":     {func(s *DriverSpec) { s.Command.Environment = map[string]string{"JAVA_HOME": "/there/is/none"} }, "no java found"},
		"bad id":      {func(s *DriverSpec) { s.RunID = "../x" }, "cannot name a directory"},
		"no memory":   {func(s *DriverSpec) { s.MemoryMiB = 0 }, "at least 1"},
		"no jars dir": {func(s *DriverSpec) { s.SparkHome = "/there/is/none" }, "library directory"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newDrivers(t, "exit 0", nil)
			s := driverSpec(t)
			c.change(&s)
			f.Start(s)
			f.expect(DriverRunning)
			if r := f.expect(DriverError); !strings.Contains(r.Message, c.want) {
				t.Errorf("%q", r.Message)
			}
		})
	}
}

func TestRunsOfADriver(t *testing.T) {
	t.Parallel()
	f := newDrivers(t, "exec sleep 1000", nil)
	s := driverSpec(t)
	run := func(attempt int) DriverSpec {
		r := s
		r.Attempt, r.RunID = attempt, fmt.Sprintf("driver-1-%d", attempt)
		return r
	}
	f.Start(run(2))
	f.expect(DriverRunning)
	f.Start(run(2)) // again: told, not run
	f.expect(DriverRunning)
	f.Start(run(1))
	if r := f.expect(DriverKilled); r.RunID != "driver-1-1" {
		t.Errorf("%+v", r)
	}
	f.Start(run(3))
	if r := f.expect(DriverKilled); r.RunID != "driver-1-2" {
		t.Errorf("%+v: the earlier run must end before the later one begins", r)
	}
	if r := f.expect(DriverRunning); r.RunID != "driver-1-3" {
		t.Errorf("%+v", r)
	}
	if got := f.Running(); len(got) != 1 || got[0].Spec.Attempt != 3 {
		t.Errorf("%+v", got)
	}
}

func TestEndsStayUntilAcknowledged(t *testing.T) {
	t.Parallel()
	f := newDrivers(t, "exit 0", func(c *DriversConfig) { c.Retained = 1 })
	for _, id := range []string{"driver-1", "driver-2"} {
		s := driverSpec(t)
		s.ID, s.RunID = id, id
		f.Start(s)
		f.expect(DriverRunning)
		f.expect(DriverFinished)
	}
	if got := f.List(); len(got) != 2 || len(f.Running()) != 0 || len(f.Finished()) != 2 {
		t.Errorf("%+v", got)
	}
	f.Ack("driver-7")
	f.Ack("driver-1")
	f.Ack("driver-1")
	f.Ack("driver-2")
	if got := f.List(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := f.Finished(); len(got) != 1 || got[0].Spec.ID != "driver-2" {
		t.Errorf("%+v", got)
	}
}

func TestOnlySupervisedDriversEndWithTheLease(t *testing.T) {
	t.Parallel()
	f := newDrivers(t, "exec sleep 1000", nil)
	for id, supervise := range map[string]bool{"plain": false, "supervised": true} {
		s := driverSpec(t)
		s.ID, s.RunID, s.Supervise = id, id, supervise
		f.Start(s)
		f.expect(DriverRunning)
	}
	f.EndLease()
	if r := f.expect(DriverRelaunching); r.RunID != "supervised" {
		t.Errorf("%+v", r)
	}
	if got := f.Running(); len(got) != 1 || got[0].Spec.ID != "plain" {
		t.Errorf("%+v", got)
	}
	f.Close()
	f.Start(driverSpec(t))
	select {
	case r := <-f.reports:
		t.Errorf("%+v: what becomes of the drivers of a worker that goes is its leader's word", r)
	default:
	}
	if len(f.Running()) != 0 {
		t.Error("a driver outlives its worker")
	}
}

// The files of a driver that is run again hold both runs.
func TestSupervisedDriverIsRunAgainInItsDirectory(t *testing.T) {
	t.Parallel()
	f := newDrivers(t, `echo run; if [ -e again ]; then exit 0; fi; touch again; exit 1`, nil)
	s := driverSpec(t)
	s.Supervise = true
	f.Start(s)
	f.expect(DriverRunning)
	f.expect(DriverFinished)
	dir := filepath.Join(f.work, s.ID)
	if out := readFile(t, filepath.Join(dir, "stdout")); out != "run\nrun\n" {
		t.Errorf("stdout %q", out)
	}
	if n := strings.Count(readFile(t, filepath.Join(dir, "stderr")), "Launch Command"); n != 2 {
		t.Errorf("%d headers", n)
	}
}

// TestBackOff: 1, 2, 4 s and so on up to the ceiling, anew after a run of more than 5 s (DriverRunner.runCommandWithRetry).
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		var last time.Time
		runs := []time.Duration{0, 0, 0, 0, 0, 6 * time.Second, 0, 0}
		ctx, cancel := context.WithCancelCause(t.Context())
		r := &driverRunner{spec: DriverSpec{Supervise: true}, cfg: &DriversConfig{MaxBackOff: 8 * time.Second}, log: quiet(), ctx: ctx}
		r.start = func(Launch, string) (int, error) {
			if !last.IsZero() {
				waits = append(waits, time.Since(last))
			}
			if len(waits) == len(runs) {
				cancel(errors.New("enough"))
			} else {
				time.Sleep(runs[len(waits)])
			}
			last = time.Now()
			return 1, nil
		}
		if code, err := r.supervise(Launch{}, ""); code != 1 || err != nil {
			t.Errorf("%d %v", code, err)
		}
		s := time.Second
		if want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 8 * s, s, 2 * s, 4 * s}; !slices.Equal(waits, want) {
			t.Errorf("waits %v, want %v", waits, want)
		}
	})
}

func TestModuleOptions(t *testing.T) {
	t.Parallel()
	home := func(release string) string {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "bin", "java"), "#!/bin/sh\n", 0o755)
		if release != "" {
			writeFile(t, filepath.Join(dir, "release"), release, 0o644)
		}
		return filepath.Join(dir, "bin", "java")
	}
	for release, want := range map[string]int{`JAVA_VERSION="17.0.9"`: 17, `JAVA_VERSION="1.8.0_392"`: 8, "A=1\nJAVA_VERSION=\"21\"\n": 21, "": 17, "nonsense": 17} {
		if got := javaMajor(home(release)); got != want {
			t.Errorf("%q is %d, want %d", release, got, want)
		}
	}
	options := []string{"--add-opens=a", "--add-opens=b"}
	if got := moduleOptions(home(`JAVA_VERSION="1.8.0"`), options, nil); got != nil {
		t.Errorf("%q for Java 8", got)
	}
	if got := moduleOptions(home(""), options, []string{"--add-opens=a"}); !slices.Equal(got, options[1:]) {
		t.Errorf("%q", got)
	}
}

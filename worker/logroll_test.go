package worker

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/config"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestRollBySize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 1, 2, 3, 4, 5, 7e6, time.UTC)
	r, err := openRolling(filepath.Join(dir, "stdout"), config.LogRolling{Strategy: config.RollBySize, MaxSize: 10, MaxRetainedFiles: 2}, false,
		func() time.Time { return now }, quiet())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"aaaaaa", "bbbbbb", "cccc", "dddd", "eeeeeeeeeeeeee"} {
		if n, err := r.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	r.close()
	// a was rolled first, to the plain name, and removed when d was rolled.
	want := []string{"stdout", "stdout--2026-01-02--03-04-05--0007--001", "stdout--2026-01-02--03-04-05--0007--002"}
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for name, text := range map[string]string{want[0]: "eeeeeeeeeeeeee", want[1]: "bbbbbbcccc", want[2]: "dddd"} {
		if got := readFile(t, filepath.Join(dir, name)); got != text {
			t.Errorf("%s holds %q, want %q", name, got, text)
		}
	}
}

func TestRollByTimeWithCompression(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 1, 2, 3, 4, 30, 0, time.UTC)
	r, err := openRolling(filepath.Join(dir, "stderr"), config.LogRolling{Strategy: config.RollByTime, Interval: time.Minute, Compress: true}, false,
		func() time.Time { return now }, quiet())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(r, "one")
	now = now.Add(29 * time.Second)
	io.WriteString(r, "two")
	now = now.Add(time.Second)
	io.WriteString(r, "three")
	r.close()
	if got := names(t, dir); !slices.Equal(got, []string{"stderr", "stderr--2026-01-02--03-05.gz"}) {
		t.Fatalf("got %q", got)
	}
	f, err := os.Open(filepath.Join(dir, "stderr--2026-01-02--03-05.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != "onetwo" {
		t.Errorf("%q, %v", text, err)
	}
	if got := readFile(t, filepath.Join(dir, "stderr")); got != "three" {
		t.Errorf("current: %q", got)
	}
}

func TestExecutorWithRolledLogs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, `i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done`, func(c *ExecutorsConfig) {
		c.Logs = config.LogRolling{Strategy: config.RollBySize, MaxSize: 50000}
	})
	f.Start(spec(t, 0))
	f.expect(t, Running)
	f.expect(t, Exited)
	dir := filepath.Join(f.work, "app-1", "0")
	rolled, _ := filepath.Glob(filepath.Join(dir, "stdout--*"))
	if len(rolled) < 2 {
		t.Errorf("rolled files: %q", rolled)
	}
	root, err := os.OpenRoot(f.work)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	all, err := logDir{root}.read("app-1/0", "stdout", new(int64), maxLogBytes)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(all.Text), "\n"), "\n")
	if len(lines) != 20000 || lines[0] != "line 0" || lines[19999] != "line 19999" {
		t.Errorf("%d lines from %q to %q: at the final report all text must be there, in order", len(lines), lines[0], lines[len(lines)-1])
	}
	if log := readFile(t, filepath.Join(dir, "stderr")); !strings.HasPrefix(log, "Spark Executor Command: ") {
		t.Errorf("stderr: %q", log)
	}
}

package bench

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func sampleReport() Report {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	load := func(after time.Duration, mean float64) Load {
		return Load{At: at.Add(after), Mean: [3]float64{mean, 1, 2}}
	}
	return Report{
		Commit: "abc1234", Machine: Machine{Cores: 2, CPU: "some CPU", MemoryMiB: 1024, Kernel: "6.1", Go: "go1.26"}, Original: "Spark 3.5.9",
		Options: Quick(), Begin: load(0, 0.5), End: load(time.Hour, 1.5),
		Rows: []Result{
			{
				Name: "kill", Title: "a kill", Goal: "p50 <= 100 ms", Begin: load(0, 0.5), End: load(90*time.Second, 0.75),
				Lines: []Line{upTo(100).Line("ours", Bounds{P50: 100 * time.Millisecond}), upTo(2).Line("the original", Bounds{})},
			},
			{
				Name: "memory", Title: "memory", Goal: "<= 60 MB", Begin: load(time.Minute, 1), End: load(time.Hour, 1.5),
				Lines: []Line{Most("ours", "rss_MiB", "MiB", 61, 60, 1)}, Error: "the rest went wrong\nlogs in x",
			},
		},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := sampleReport().Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2 cores (some CPU), 1024 MiB, Linux 6.1, go1.26; load average 0.50 1.00 2.00 at the begin, 1.50 1.00 2.00 at the end; 1h0m0s; commit abc1234",
		"kill: a kill\n  goal: p50 <= 100 ms\n",
		"    ours          p50 50  p90 90  p99 99  max 100 ms  n=100  p50 <= 100 ms  reached\n",
		"    the original  2, 1 ms                             n=2                   \n",
		"(load average 0.50 -> 0.75, 1m30s)",
		"    ours  61 MiB  n=1  <= 60 MiB  missed\n    FAILED: the rest went wrong\n      logs in x\n",
		"1 figures reach their goal, 1 miss it; 1 rows could not be measured",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b.json")
	for range 2 { // the second replaces the first
		if err := sampleReport().WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Commit  string
		Machine struct{ Cores int }
		Begin   struct{ Mean []float64 }
		Rows    []struct {
			Name, Goal, Error string
			Lines             []struct {
				Subject, Verdict string
				Runs             int
				Values           map[string]float64
				Samples          []float64 `json:"samples_ms"`
			}
		}
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Commit != "abc1234" || got.Machine.Cores != 2 || got.Begin.Mean[0] != 0.5 || len(got.Rows) != 2 {
		t.Fatalf("%+v", got)
	}
	kill, memory := got.Rows[0], got.Rows[1]
	if l := kill.Lines[0]; l.Verdict != "reached" || l.Runs != 100 || l.Values["p99_ms"] != 99 || len(l.Samples) != 100 {
		t.Errorf("%+v", l)
	}
	if kill.Lines[1].Verdict != "" || memory.Error == "" || memory.Lines[0].Values["rss_MiB"] != 61 {
		t.Errorf("%+v", got.Rows)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(left) != 1 {
		t.Errorf("beside the report: %v, %v", left, err)
	}
}

func TestReportThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err := sampleReport().WriteFile(filepath.Join(file, "report.json"))
	var path *os.PathError
	if !errors.As(err, &path) || !strings.Contains(err.Error(), "write the report") {
		t.Errorf("%v", err)
	}
}

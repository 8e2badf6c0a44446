package bench

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/load"
)

func TestBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		line    Line
		verdict Verdict
		goal    string
		figure  string
	}{
		{"at most, kept", Most("x", "v", "MiB", 60, 60, 1), Reached, "<= 60 MiB", "60 MiB"},
		{"at most, missed", Most("x", "v", "MiB", 60.1, 60, 1), Missed, "<= 60 MiB", "60.1 MiB"},
		{"at least, kept", Least("x", "v", "a/s", 589, 589, 1), Reached, ">= 589 a/s", "589 a/s"},
		{"at least, missed", Least("x", "v", "a/s", 588.9, 589, 1), Missed, ">= 589 a/s", "589 a/s"},
		{"no goal", Most("x", "v", "MiB", 216, 0, 1), None, "", "216 MiB"},
		{"less than none", Most("x", "v", "ms", -3.25, 500, 1), Reached, "<= 500 ms", "-3.25 ms"},
	} {
		if c.line.Verdict != c.verdict || c.line.Goal != c.goal || c.line.Figure != c.figure {
			t.Errorf("%s: %+v", c.name, c.line)
		}
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range All() {
		if r.Name == "" || r.Title == "" || r.Goal == "" || r.Limit < time.Minute || r.Run == nil || seen[r.Name] {
			t.Errorf("%+v", r)
		}
		seen[r.Name] = true
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ names, want string }{
		{"", strings.Join(Names(All()), ",")},
		{"kill", "kill"},
		{"churn", "churn-100,churn-1000,churn-kept"},
		{"churn-100", "churn-100"},
		{"busy,memory", "memory-idle,memory-loaded,busy"}, // in the table's order
	} {
		rows, err := Select(All(), c.names)
		if got := strings.Join(Names(rows), ","); err != nil || got != c.want {
			t.Errorf("%q gives %s, %v", c.names, got, err)
		}
	}
	if _, err := Select(All(), "kill,nothing"); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), `"nothing"`) || !strings.Contains(err.Error(), "churn-kept") {
		t.Errorf("%v", err)
	}
}

func newBench(t *testing.T) *Bench {
	t.Helper()
	return &Bench{Options: Quick(), Dir: t.TempDir(), Say: t.Logf}
}

func TestARowThatFailsDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var told []int
	b.Each = func(r Report) { told = append(told, len(r.Rows)) }
	good := Line{Subject: "a", Verdict: Reached}
	run := func(f func(ctx context.Context) ([]Line, error)) func(context.Context, *Bench) ([]Line, error) {
		return func(ctx context.Context, _ *Bench) ([]Line, error) { return f(ctx) }
	}
	r, err := b.Run(t.Context(), []Row{
		{Name: "fails", Limit: time.Minute, Run: run(func(context.Context) ([]Line, error) { return []Line{good}, errors.New("went wrong") })},
		{Name: "panics", Limit: time.Minute, Run: run(func(context.Context) ([]Line, error) { panic("oh") })},
		{Name: "hangs", Limit: time.Millisecond, Run: run(func(ctx context.Context) ([]Line, error) { <-ctx.Done(); return nil, ctx.Err() })},
		{Name: "works", Limit: time.Minute, Run: run(func(context.Context) ([]Line, error) { return []Line{good}, nil })},
	})
	if err != nil || len(r.Rows) != 4 || !slices.Equal(told, []int{1, 2, 3, 4}) {
		t.Fatalf("%+v, %v, told %v", r, err, told)
	}
	for i, want := range []string{"went wrong", "panic: oh", context.DeadlineExceeded.Error(), ""} {
		if got := r.Rows[i].Error; !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("row %d: %q, want %q", i, got, want)
		}
	}
	if len(r.Rows[0].Lines) != 1 || r.Failed() != 3 || r.Count(Reached) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestAStoppedRunReportsWhatItHas(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := Row{Name: "first", Limit: time.Minute, Run: func(context.Context, *Bench) ([]Line, error) { cancel(); return nil, nil }}
	r, err := newBench(t).Run(ctx, []Row{first, {Name: "second", Limit: time.Minute, Run: func(context.Context, *Bench) ([]Line, error) {
		t.Error("the second row was run")
		return nil, nil
	}}})
	if !errors.Is(err, context.Canceled) || len(r.Rows) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestChurnLines(t *testing.T) {
	t.Parallel()
	c := Churn{Name: "ours", Result: load.Result{Apps: 1000, Took: 2 * time.Second, ClientCPU: time.Second}, MasterCPU: 3 * time.Second}
	lines := c.lines(500)
	if l := lines[0]; l.Verdict != Reached || l.Values["apps_per_s"] != 500 || l.Figure != "500 applications/s (0 failed)" {
		t.Errorf("%+v", l)
	}
	if l := lines[1]; l.Values["masters_ms"] != 3 || l.Values["client_ms"] != 1 {
		t.Errorf("%+v", l)
	}
	if l := c.lines(501)[0]; l.Verdict != Missed {
		t.Errorf("%+v", l)
	}
	c.Failed = 1
	if l := c.lines(500)[0]; l.Verdict != Missed {
		t.Errorf("with a failed application: %+v", l)
	}
	if l := c.lines(0)[0]; l.Verdict != None {
		t.Errorf("the original's: %+v", l)
	}
}

func TestPassesPlaceWhatTheyShould(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, c := range changes {
		if s, err := b.passes(t.Context(), i, 8); err != nil || len(s) != b.Passes {
			t.Errorf("%s: %d passes, %v", c.name, len(s), err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{Full(), Quick()} {
		if err := o.Check(); err != nil {
			t.Error(err)
		}
	}
	bad := Quick()
	bad.Kills = 0
	if err := bad.Check(); !errors.Is(err, ErrOptions) {
		t.Errorf("%v", err)
	}
}

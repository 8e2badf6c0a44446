package bench

import (
	"testing"
	"time"
)

// upTo gives n ms, ..., 2 ms, 1 ms.
func upTo(n int) (s Samples) {
	for i := n; i >= 1; i-- {
		s = append(s, time.Duration(i)*time.Millisecond)
	}
	return s
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n    int
		p    float64
		want int
	}{
		{100, 50, 50}, {100, 90, 90}, {100, 99, 99}, {100, 100, 100}, {100, 0.5, 1}, {100, 7, 7}, {100, 29, 29}, {100, 57, 57},
		{50, 99, 50}, {50, 50, 25}, {5, 50, 3}, {4, 50, 2}, {1, 99, 1}, {1, 1, 1}, {1000, 99.9, 999}, {0, 50, 0},
	} {
		if got := upTo(c.n).Percentile(c.p); got != time.Duration(c.want)*time.Millisecond {
			t.Errorf("percentile %v of 1..%d ms is %v, want %d ms", c.p, c.n, got, c.want)
		}
	}
}

func TestPercentileLeavesTheOrderAlone(t *testing.T) {
	t.Parallel()
	s := upTo(10)
	s.Median()
	if s[0] != 10*time.Millisecond || s[9] != time.Millisecond {
		t.Errorf("%v", s)
	}
}

func TestLineOfSamples(t *testing.T) {
	t.Parallel()
	l := upTo(100).Line("us", Bounds{P50: 50 * time.Millisecond, P99: 98 * time.Millisecond})
	if l.Figure != "p50 50  p90 90  p99 99  max 100 ms" || l.Goal != "p50 <= 50 ms, p99 <= 98 ms" || l.Runs != 100 {
		t.Errorf("%+v", l)
	}
	if l.Verdict != Missed {
		t.Errorf("p99 of 99 ms against 98 ms is %q", l.Verdict)
	}
	if l.Values["p99_ms"] != 99 || l.Values["max_ms"] != 100 || len(l.Samples) != 100 || l.Samples[0] != 100 {
		t.Errorf("%+v", l)
	}
}

func TestVerdictOfSamples(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		s      Samples
		bounds Bounds
		want   Verdict
	}{
		{"both kept", upTo(100), Bounds{50 * time.Millisecond, 99 * time.Millisecond}, Reached},
		{"p50 missed", upTo(100), Bounds{49 * time.Millisecond, time.Second}, Missed},
		{"only p99", upTo(100), Bounds{P99: 99 * time.Millisecond}, Reached},
		{"no goal", upTo(100), Bounds{}, None},
		{"nothing measured", nil, Bounds{P99: time.Second}, Missed},
	} {
		if got := c.s.Line("us", c.bounds).Verdict; got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFewSamplesAreShownAsTheyAre(t *testing.T) {
	t.Parallel()
	if got := (Samples{41900 * time.Millisecond, 30500 * time.Millisecond}).Line("original", Bounds{}).Figure; got != "41900, 30500 ms" {
		t.Errorf("%q", got)
	}
	if got := (Samples{}).Line("original", Bounds{}).Figure; got != "not measured" {
		t.Errorf("%q", got)
	}
	if got := (Samples{1234 * time.Microsecond}).Line("us", Bounds{}).Figure; got != "1.23 ms" {
		t.Errorf("%q", got)
	}
}

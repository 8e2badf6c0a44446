package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Samples are durations of one kind of event.
type Samples []time.Duration

// Percentile gives the p-th percentile, 0 < p <= 100, by the nearest rank; 0 without samples.
func (s Samples) Percentile(p float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	// A product such as 0.07*100 is a little more than 7: what is that near to a rank is that rank.
	rank := int(math.Ceil(p/100*float64(len(sorted))-1e-9)) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// Median is the 50th percentile by the nearest rank, so it is one of the samples.
func (s Samples) Median() time.Duration { return s.Percentile(50) }

// Bounds are what percentiles should be at most; 0 is no goal.
type Bounds struct{ P50, P99 time.Duration }

func (b Bounds) String() string {
	var all []string
	if b.P50 > 0 {
		all = append(all, "p50 <= "+millis(b.P50)+" ms")
	}
	if b.P99 > 0 {
		all = append(all, "p99 <= "+millis(b.P99)+" ms")
	}
	return strings.Join(all, ", ")
}

func (b Bounds) kept(s Samples) bool {
	return len(s) > 0 && (b.P50 == 0 || s.Percentile(50) <= b.P50) && (b.P99 == 0 || s.Percentile(99) <= b.P99)
}

// Line is the samples as a line of the table.
func (s Samples) Line(subject string, b Bounds) Line {
	l := Line{Subject: subject, Goal: b.String(), Runs: len(s), Values: map[string]float64{}}
	var figure []string
	for _, p := range []struct {
		name string
		p    float64
	}{{"p50", 50}, {"p90", 90}, {"p99", 99}, {"max", 100}} {
		figure = append(figure, p.name+" "+millis(s.Percentile(p.p)))
		l.Values[p.name+"_ms"] = ms(s.Percentile(p.p))
	}
	l.Figure = strings.Join(figure, "  ") + " ms"
	switch {
	case len(s) == 0:
		l.Figure, l.Values = "not measured", nil
	case len(s) <= 3: // percentiles of so few say nothing
		var each []string
		for _, d := range s {
			each = append(each, millis(d))
		}
		l.Figure = strings.Join(each, ", ") + " ms"
	}
	for _, d := range s {
		l.Samples = append(l.Samples, ms(d))
	}
	if b != (Bounds{}) {
		l.Verdict = verdict(b.kept(s))
	}
	return l
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// millis writes a duration in milliseconds.
func millis(d time.Duration) string {
	if d < 10*time.Millisecond && d%time.Millisecond != 0 {
		return fmt.Sprintf("%.2f", ms(d))
	}
	return fmt.Sprintf("%.0f", ms(d))
}

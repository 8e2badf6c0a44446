package bench

import (
	"context"
	"fmt"
	"time"
)

// Row is one thing that is measured.
type Row struct {
	// Name selects it on the command line.
	Name string
	// Title says what is measured, from when to when.
	Title string
	// Goal is what is to be reached, in words; the lines carry it as numbers.
	Goal string
	// Limit ends it as failed.
	Limit time.Duration
	Run   func(ctx context.Context, b *Bench) ([]Line, error)
}

// Verdict on one line.
type Verdict string

// The verdicts. None is that of a line which is there to be compared with, such as the original's.
const (
	Reached Verdict = "reached"
	Missed  Verdict = "missed"
	Failed  Verdict = "failed" // it could not be measured
	None    Verdict = ""
)

// Line is one line of the table: a figure of one subject.
type Line struct {
	Subject string  `json:"subject"`        // who or what of it: "Firesteel, three masters"
	Goal    string  `json:"goal,omitempty"` // in numbers
	Figure  string  `json:"figure"`
	Runs    int     `json:"runs,omitempty"`
	Verdict Verdict `json:"verdict,omitempty"`
	// Values are the figure's numbers, by name with unit ("p50_ms").
	Values map[string]float64 `json:"values,omitempty"`
	// Samples are all measurements behind it, in milliseconds, in their order.
	Samples []float64 `json:"samples_ms,omitempty"`
}

// Most is a line whose value should be at most limit; 0 is no goal.
func Most(subject, name, unit string, value, limit float64, runs int) Line {
	return bounded(subject, name, unit, value, limit, runs, "<=", value <= limit)
}

// Least is a line whose value should be at least limit; 0 is no goal.
func Least(subject, name, unit string, value, limit float64, runs int) Line {
	return bounded(subject, name, unit, value, limit, runs, ">=", value >= limit)
}

func bounded(subject, name, unit string, value, limit float64, runs int, sign string, ok bool) Line {
	l := Line{Subject: subject, Figure: number(value) + " " + unit, Runs: runs, Values: map[string]float64{name: value}}
	if limit != 0 {
		l.Goal, l.Verdict = fmt.Sprintf("%s %s %s", sign, number(limit), unit), verdict(ok)
	}
	return l
}

func verdict(ok bool) Verdict {
	if ok {
		return Reached
	}
	return Missed
}

// number writes a value with three digits that tell something.
func number(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

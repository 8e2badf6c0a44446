package bench

import (
	"fmt"
	"slices"
	"time"
)

// Samples are durations of one kind of event.
type Samples struct {
	Name  string          `json:"name"`
	Goal  string          `json:"goal"` // in words, as the issue or the README gives it
	Times []time.Duration `json:"times"`
}

// Percentile gives the p-th percentile, 0 < p <= 100, by the nearest rank.
func (s Samples) Percentile(p float64) time.Duration {
	if len(s.Times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.Times))
	rank := int(p/100*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// String is one line of the table.
func (s Samples) String() string {
	ms := func(p float64) string {
		return fmt.Sprintf("%.0f", float64(s.Percentile(p).Microseconds())/1000)
	}
	return fmt.Sprintf("%-58s n=%-4d p50 %6s  p90 %6s  p99 %6s  max %6s ms   goal: %s", s.Name, len(s.Times), ms(50), ms(90), ms(99), ms(100), s.Goal)
}

package bench

import (
	"testing"
	"time"
)

func TestPercentileIsTheNearestRank(t *testing.T) {
	t.Parallel()
	var s Samples
	for i := 100; i >= 1; i-- {
		s.Times = append(s.Times, time.Duration(i))
	}
	for p, want := range map[float64]time.Duration{50: 50, 90: 90, 99: 99, 100: 100, 0.5: 1} {
		if got := s.Percentile(p); got != want {
			t.Errorf("percentile %v of 1..100 is %d, want %d", p, got, want)
		}
	}
	if got := (Samples{Times: []time.Duration{7}}).Percentile(99); got != 7 {
		t.Errorf("percentile of one sample: %d", got)
	}
}

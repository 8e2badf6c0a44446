package guard

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// Instant is a time in nanoseconds of CLOCK_BOOTTIME: the same in every process of a machine.
type Instant int64

// Now is the present.
func Now() Instant {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // cannot fail: the clock exists and ts is ours
	return Instant(ts.Nano())
}

// Add gives the instant d later; at the end of time it stays there.
func (i Instant) Add(d time.Duration) Instant {
	if sum := i + Instant(d); d <= 0 || sum >= i {
		return sum
	}
	return math.MaxInt64
}

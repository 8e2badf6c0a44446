package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Byte units for ParseBytes.
const (
	Byte int64 = 1
	KiB        = Byte << 10
	MiB        = KiB << 10
	GiB        = MiB << 10
	TiB        = GiB << 10
	PiB        = TiB << 10
)

var timeSuffixes = map[string]time.Duration{
	"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second,
	"m": time.Minute, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
}

var byteSuffixes = map[string]int64{
	"b": Byte, "k": KiB, "kb": KiB, "m": MiB, "mb": MiB, "g": GiB, "gb": GiB,
	"t": TiB, "tb": TiB, "p": PiB, "pb": PiB,
}

// ParseTime reads a Spark time string ("60s", "5min", "-1") by the rules of
// JavaUtils.timeStringAs. A number without suffix counts in unit, and the
// result is cut down to whole units, as Spark's TimeUnit conversion does.
func ParseTime(s string, unit time.Duration) (time.Duration, error) {
	number, suffix, err := splitNumber(s, true)
	if err != nil {
		return 0, fmt.Errorf("time %q: %w; write a whole number with s, min, h, d, ms or us, e.g. 50s or 250ms", s, err)
	}
	scale := unit
	if suffix != "" {
		var ok bool
		if scale, ok = timeSuffixes[suffix]; !ok {
			return 0, fmt.Errorf("time %q: %w: unknown suffix %q; use us, ms, s, m, min, h or d", s, ErrMalformed, suffix)
		}
	}
	if number > math.MaxInt64/int64(scale) || number < math.MinInt64/int64(scale) {
		return 0, fmt.Errorf("time %q: %w: out of range (about 292 years)", s, ErrMalformed)
	}
	return (time.Duration(number) * scale).Truncate(unit), nil
}

// ParseBytes reads a Spark size ("1g", "512m", "1048576") by the rules of
// JavaUtils.byteStringAs and gives bytes. A number without suffix counts in
// unit. Fractions and negative numbers are refused.
func ParseBytes(s string, unit int64) (int64, error) {
	number, suffix, err := splitNumber(s, false)
	if err != nil {
		return 0, fmt.Errorf("size %q: %w; write a whole number with b, k, m, g, t or p, e.g. 512m or 1g", s, err)
	}
	scale := unit
	if suffix != "" {
		var ok bool
		if scale, ok = byteSuffixes[suffix]; !ok {
			return 0, fmt.Errorf("size %q: %w: unknown suffix %q; use b, k, m, g, t or p", s, ErrMalformed, suffix)
		}
	}
	if number > math.MaxInt64/scale {
		return 0, fmt.Errorf("size %q: %w: more bytes than a 64 bit number holds", s, ErrMalformed)
	}
	return number * scale, nil
}

// ParseMemoryMiB reads a memory text as Spark's MemoryParam does for -m and
// SPARK_WORKER_MEMORY: without a suffix the number counts *bytes*, and the
// result is cut down to MiB. So "512" gives 0, which the caller must refuse.
func ParseMemoryMiB(s string) (int, error) {
	b, err := ParseBytes(s, Byte)
	if err != nil {
		return 0, err
	}
	mib := b / MiB
	if mib > math.MaxInt32 {
		return 0, fmt.Errorf("memory %q: %w: more than %d MiB", s, ErrMalformed, math.MaxInt32)
	}
	return int(mib), nil
}

func splitNumber(s string, signed bool) (int64, string, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	i := 0
	if signed && strings.HasPrefix(t, "-") {
		i = 1
	}
	start := i
	for i < len(t) && t[i] >= '0' && t[i] <= '9' {
		i++
	}
	suffix := t[i:]
	if i == start {
		return 0, "", fmt.Errorf("%w: no number", ErrMalformed)
	}
	for _, c := range suffix {
		if c == '.' {
			return 0, "", fmt.Errorf("%w: fractions are not supported", ErrMalformed)
		}
		if c < 'a' || c > 'z' {
			return 0, "", fmt.Errorf("%w: unexpected %q", ErrMalformed, c)
		}
	}
	n, err := strconv.ParseInt(t[:i], 10, 64)
	if err != nil {
		return 0, "", fmt.Errorf("%w: the number does not fit 64 bits", ErrMalformed)
	}
	return n, suffix, nil
}

package config

import (
	"errors"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		unit time.Duration
		want time.Duration
	}{
		{"60", time.Second, time.Minute},
		{"60s", time.Millisecond, time.Minute},
		{" 5MIN ", time.Second, 5 * time.Minute},
		{"2m", time.Second, 2 * time.Minute},
		{"3h", time.Second, 3 * time.Hour},
		{"1d", time.Second, 24 * time.Hour},
		{"1500ms", time.Second, time.Second}, // whole units of the key
		{"500us", time.Millisecond, 0},
		{"-1", time.Second, -time.Second},
	} {
		if got, err := ParseTime(tt.text, tt.unit); err != nil || got != tt.want {
			t.Errorf("ParseTime(%q, %v) = %v, %v; want %v", tt.text, tt.unit, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "s", "1.5s", "5 s", "10weeks", "99999999999999999999", "9223372036854775807d", "--1"} {
		if got, err := ParseTime(text, time.Second); !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseTime(%q) = %v, %v; want ErrMalformed", text, got, err)
		}
	}
}

func TestParseBytes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		unit int64
		want int64
	}{
		{"1g", Byte, GiB}, {"512m", Byte, 512 * MiB}, {"512MB", KiB, 512 * MiB}, {"10", KiB, 10 * KiB},
		{"10b", KiB, 10}, {"1t", Byte, TiB}, {"8191p", Byte, 8191 * PiB}, {"0", Byte, 0},
	} {
		if got, err := ParseBytes(tt.text, tt.unit); err != nil || got != tt.want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "g", "1.5g", "-1g", "1 g", "1gib", "8192p", "1x"} {
		if got, err := ParseBytes(text, Byte); !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseBytes(%q) = %d, %v; want ErrMalformed", text, got, err)
		}
	}
}

func TestParseMemoryMiB(t *testing.T) {
	t.Parallel()
	// The third is Spark's well-known surprise: a bare number counts bytes.
	for text, want := range map[string]int{"8g": 8192, "1000M": 1000, "512": 0, "2097152": 2, "1500k": 1} {
		if got, err := ParseMemoryMiB(text); err != nil || got != want {
			t.Errorf("ParseMemoryMiB(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	if _, err := ParseMemoryMiB("9000p"); err == nil {
		t.Error("9000p should be refused")
	}
}

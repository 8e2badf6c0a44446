package config

import (
	"errors"
	"strings"
	"testing"
)

func TestFormatID(t *testing.T) {
	t.Parallel()
	const stamp = "20260102030405"
	for pattern, want := range map[string]string{
		"app-%s-%04d":      "app-20260102030405-0007",
		"my-app-%2$05d":    "my-app-00007",
		"%2$d-%1$s":        "7-20260102030405",
		"%s-%<s":           stamp + "-" + stamp,
		"%1$.8s-%2$x":      "20260102-7",
		"%%%s":             "%" + stamp,
		"%2$6d|%2$-6d|":    "     7|7     |",
		"%2$+d%2$ d":       "+7 7",
		"%2$#x-%2$#o-%2$X": "0x7-07-7",
		"plain":            "plain",
	} {
		if got, err := FormatID(pattern, stamp, 7); err != nil || got != want {
			t.Errorf("FormatID(%q) = %q, %v; want %q", pattern, got, err, want)
		}
	}
	if got, _ := FormatID("app-%s-%04d", "t", 12345); got != "app-t-12345" {
		t.Errorf("numbers should grow past four digits, got %q", got)
	}
	if got, _ := FormatID("%,d %(d %05d", 1234567, -5, int64(-42)); got != "1,234,567 (5) -0042" {
		t.Errorf("got %q", got)
	}
	for _, pattern := range []string{"%", "%d", "%s%s%s", "%q", "%2$", "%-d", "%2$.3d", "%0$s", "%99999999999d", "%3$s", "%+s", "%-05d"} {
		if got, err := FormatID(pattern, stamp, 7); !errors.Is(err, ErrMalformed) {
			t.Errorf("FormatID(%q) = %q, %v; want ErrMalformed", pattern, got, err)
		}
	}
}

func FuzzFormatID(f *testing.F) {
	for _, s := range []string{"app-%s-%04d", "%2$05d", "%<s", "%-10s", "%#x", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		id, err := FormatID(pattern, "20260102030405", 7)
		if err == nil && !strings.Contains(pattern, "%") && id != pattern {
			t.Fatalf("%q became %q", pattern, id)
		}
	})
}

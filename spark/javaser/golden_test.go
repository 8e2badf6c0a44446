package javaser

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestDecodeEncodeDecodeKeepsEveryVector(t *testing.T) {
	t.Parallel()
	identical := 0
	all := vectors(t)
	for name, b := range all {
		first := mustDecode(t, b)
		again := mustEncode(t, first)
		second := mustDecode(t, again)
		if !Equal(first, second) {
			t.Errorf("%s: the tree changed:\n%s\nthen\n%s", name, Format(first), Format(second))
		}
		if Format(first) != Format(second) {
			t.Errorf("%s: the sharing of objects changed:\n%s\nthen\n%s", name, Format(first), Format(second))
		}
		if !bytes.Equal(mustEncode(t, second), again) {
			t.Errorf("%s: encoding is not stable", name)
		}
		if bytes.Equal(b, again) {
			identical++
		}
	}
	// The JVM shares strings by identity, we share them by value: few streams may differ in bytes, not most.
	if identical*10 < len(all)*8 {
		t.Errorf("only %d of %d streams came out byte for byte as the JVM wrote them", identical, len(all))
	}
}

// The log of a capture holds each payload as another, independent decoder printed it.
func TestFormatAgreesWithTheCapturesLog(t *testing.T) {
	t.Parallel()
	header := regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d+ #\d+ `)
	closed := regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d+ conn\d+ .* CLOSED `)
	all := vectors(t)
	for _, release := range []string{"3.5.7", "4.1.4"} {
		log, err := os.ReadFile(filepath.Join("testdata", "captures", release, "log.txt"))
		if err != nil {
			t.Fatal(err)
		}
		var entries []string
		for _, line := range strings.SplitAfter(string(log), "\n") {
			if header.MatchString(line) {
				entries = append(entries, "")
			} else if n := len(entries); n > 0 && !closed.MatchString(line) {
				entries[n-1] += line
			}
		}
		files, err := filepath.Glob(filepath.Join("testdata", "captures", release, "*.ser"))
		if err != nil || len(files) != len(entries) {
			t.Fatalf("%s: %d payloads, %d log entries: %v", release, len(files), len(entries), err)
		}
		for i, f := range files { // both in the order of capture
			got := Format(mustDecode(t, all["captures/"+release+"/"+filepath.Base(f)]))
			if want := strings.TrimSpace(entries[i]); got != want {
				t.Errorf("%s:\n%s\nlogged as\n%s", f, got, want)
			}
		}
	}
}

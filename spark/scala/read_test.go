package scala

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

func TestReadsEveryCollection(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "collections", "*", "*.ser"))
	if err != nil || len(files) != 64 {
		t.Fatalf("%d collections, %v", len(files), err)
	}
	shape := regexp.MustCompile(`([a-z]+)(\d+)\.ser$`)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := shape.FindStringSubmatch(f)
		n, _ := strconv.Atoi(m[2])
		v := decode(t, b)
		if m[1] == "map" || m[1] == "mmap" {
			checkMap(t, f, v, n)
			continue
		}
		got, err := Strings(v)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		want := numbered(elementPrefix(got), n)
		switch m[1] {
		case "set":
			slices.Sort(got) // larger ones are hashed
		case "list", "vector":
			slices.Reverse(want) // they were built by prepending
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q", f, got)
		}
	}
}

func checkMap(t *testing.T, f string, v javaser.Value, n int) {
	t.Helper()
	got, err := StringMap(v)
	if err != nil {
		t.Errorf("%s: %v", f, err)
		return
	}
	want := map[string]string{}
	for i := range n {
		want[fmt.Sprint("k", i)] = fmt.Sprint("v", i)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s: got %v", f, got)
	}
}

func elementPrefix(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0][:1]
}

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
	}
	return out
}

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
)

// TestReadsEveryShape reads collections of both Scala versions in the states that programs leave them in: Vectors after
// appends, prepends, updates and drops (2.12 writes them as they lie in memory), keys and values of maps, filtered maps,
// maps with a default. A file is named KIND-SHAPE-N; sequences hold x0 to xN-1, maps the same as keys and values.
func TestReadsEveryShape(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "shapes", "*", "*.ser"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	shape := regexp.MustCompile(`(seq|set|map)-[a-z]+-(\d+)\.ser$`)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := shape.FindStringSubmatch(f)
		n, _ := strconv.Atoi(m[2])
		want := numbered("x", n)
		v := decode(t, b)
		var got []string
		if m[1] == "map" {
			var entries map[string]string
			entries, err = StringMap(v)
			got = slices.Collect(maps.Keys(entries))
			for k, v := range entries {
				if k != v {
					t.Errorf("%s: %s -> %s", f, k, v)
				}
			}
		} else {
			got, err = Strings(v)
		}
		if m[1] != "seq" {
			slices.Sort(got)
			slices.Sort(want)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %.300s, %v", f, fmt.Sprint(got), err)
		}
	}
}

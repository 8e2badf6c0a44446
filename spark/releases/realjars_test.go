package releases

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// TestTablesEqualRealJars computes the tables of installed releases again: FIRESTEEL_SPARK_HOMES=dir1:dir2 go test ./spark/releases/
func TestTablesEqualRealJars(t *testing.T) {
	t.Parallel()
	homes := filepath.SplitList(os.Getenv("FIRESTEEL_SPARK_HOMES"))
	if len(homes) == 0 {
		t.Skip("FIRESTEEL_SPARK_HOMES names no Spark homes")
	}
	for _, dir := range homes {
		jars, err := FindJars(filepath.Join(dir, "jars"))
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := Compute(jars)
		if err != nil {
			t.Error(err)
			continue
		}
		want := tableOf(t, jars.Version, jars.Scala)
		if d := Differences(want, got); len(d) != 0 {
			t.Errorf("%s: the table %s differs from the jars in %v", dir, want.FileName(), d)
		}
		if r := got.newest(); !containsRelease(want.Releases(), r) {
			t.Errorf("%s: the table's header says otherwise than %+v", dir, r)
		}
		inspectRealHome(t, dir, want)
	}
}

func containsRelease(list []Release, r Release) bool {
	for _, o := range list {
		if reflect.DeepEqual(o, r) {
			return true
		}
	}
	return false
}

// inspectBound is far above what it takes (tens of milliseconds): a worker inspects every home when it starts.
const inspectBound = 2 * time.Second

func inspectRealHome(t *testing.T, dir string, want *Table) {
	t.Helper()
	start := time.Now()
	h, err := InspectHome(dir)
	took := time.Since(start)
	if err != nil || h.Build != want.Build() || h.ProbeSUID == 0 || len(h.ModuleOptions) == 0 {
		t.Errorf("%s: %+v, %v; want build %q", dir, h, err, want.Build())
	}
	if took > inspectBound {
		t.Errorf("%s: inspection took %v", dir, took)
	}
	t.Logf("%s: Spark %s, build %s, inspected in %v", dir, h.Version, h.Build, took)
}

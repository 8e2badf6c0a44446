package worker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/releases"
)

func TestHomesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, dirs := range map[string][]string{
		"none":          nil,
		"no jars":       {t.TempDir()},
		"no spark-core": {fakeHome(t)},
		"absent":        {"/nowhere/spark"},
	} {
		_, err := NewHomes(dirs)
		if !errors.Is(err, ErrBadHome) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: want one clear line, got %v", name, err)
		}
	}
	if _, err := NewHomes([]string{"/nowhere/a", "/nowhere/b"}); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two bad homes want two lines: %v", err)
	}
}

func TestPickHome(t *testing.T) {
	t.Parallel()
	h := &Homes{list: []releases.Home{
		{Dir: "/a", Version: "3.5.7", Scala: "2.12", Build: "3.5/2.12"},
		{Dir: "/b", Version: "3.5.9", Scala: "2.12", Build: "3.5/2.12"},
		{Dir: "/c", Version: "4.1.4", Scala: "2.13", Build: "4.1/2.13"},
	}}
	for want, app := range map[string]releases.App{
		"/b": {Build: "3.5/2.12"}, "/a": {Build: "3.5/2.12", Wish: "3.5.7"}, "/c": {Build: "4.1/2.13"},
	} {
		if home, err := h.Pick(app); err != nil || home.Dir != want {
			t.Errorf("%+v: got %s, %v", app, home.Dir, err)
		}
	}
	_, err := h.Pick(releases.App{Build: "4.1/2.13", Wish: "4.0.0"})
	if !errors.Is(err, ErrNoHome) || !strings.Contains(err.Error(), "Spark 4.0.0") || !strings.Contains(err.Error(), "3.5.9 (Scala 2.12) in /b") {
		t.Errorf("got %v", err)
	}
}

// With real installations in FIRESTEEL_SPARK_HOMES (a path list), every one
// must be found and picked for an application of its own build.
func TestRealHomes(t *testing.T) {
	t.Parallel()
	dirs := filepath.SplitList(os.Getenv("FIRESTEEL_SPARK_HOMES"))
	if len(dirs) == 0 {
		t.Skip("FIRESTEEL_SPARK_HOMES is not set")
	}
	h, err := NewHomes(append(dirs, dirs[0]))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.List()) != len(dirs) {
		t.Errorf("%d homes for %d directories", len(h.List()), len(dirs))
	}
	for _, home := range h.List() {
		got, err := h.Pick(releases.App{Build: home.Build, JavaOpts: home.ModuleOptions, ProbeSUID: home.ProbeSUID})
		if err != nil || got.Build != home.Build {
			t.Errorf("%s: got %s, %v", home.Dir, got.Dir, err)
		}
	}
}

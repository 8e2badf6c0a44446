package spark

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The releases that scripts/setup installs are those that the tests look for.
func TestReleasesOfSetup(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(filepath.Join("..", "..", "scripts", "setup"))
	if err != nil {
		t.Fatal(err)
	}
	for name, versions := range map[string][]string{"default_releases": DefaultVersions, "all_releases": AllVersions} {
		if line := fmt.Sprintf("\n%s=(%s)\n", name, strings.Join(versions, " ")); !strings.Contains(string(script), line) {
			t.Errorf("scripts/setup does not say %q", strings.TrimSpace(line))
		}
	}
}

func TestChosen(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("FIRESTEEL_CACHE", cache)
	for _, v := range append([]string{"4.2.1"}, AllVersions...) {
		home := filepath.Join(cache, "spark-"+v, "lib", "python3.11", "site-packages", "pyspark")
		if err := os.MkdirAll(home, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cache, "spark-"+v, ".complete"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for choice, want := range map[string][]string{"": DefaultVersions, "all": AllVersions, "4.1.4,4.2.1": {"4.1.4", "4.2.1"}, "9.9.9": nil} {
		t.Setenv(ChoiceVariable, choice)
		got, err := Chosen()
		if len(got) != len(want) || (err != nil) != (want == nil) {
			t.Errorf("%q: got %v, %v", choice, got, err)
		}
		for i := range got {
			if got[i].Version != want[i] {
				t.Errorf("%q: got %v, want %v", choice, got, want)
			}
		}
	}
}

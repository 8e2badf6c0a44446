package spark

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Release is a Spark release that scripts/setup has put into the cache.
type Release struct {
	Version string // 3.5.9
	Venv    string // the virtual environment
	Home    string // the pyspark folder in it: a Spark home with bin and jars
	Python  string // its interpreter
}

// ErrNoRelease says that a release is not in the cache.
var ErrNoRelease = errors.New("Spark release is not in the cache") //nolint:staticcheck // a name

// CacheDir is where scripts/setup puts releases: $FIRESTEEL_CACHE, else firesteel under $XDG_CACHE_HOME or ~/.cache.
func CacheDir() (string, error) {
	if dir := os.Getenv("FIRESTEEL_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the cache folder: %w; set FIRESTEEL_CACHE", err)
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "firesteel"), nil
}

// Find gives the release of that version, 3.5.9, from the cache.
func Find(version string) (Release, error) {
	cache, err := CacheDir()
	if err != nil {
		return Release{}, err
	}
	venv := filepath.Join(cache, "spark-"+version)
	if _, err := os.Stat(filepath.Join(venv, ".complete")); err != nil {
		return Release{}, fmt.Errorf("%w: %s (looked for %s); run scripts/setup %s", ErrNoRelease, version, venv, version)
	}
	homes, err := filepath.Glob(filepath.Join(venv, "lib", "python3*", "site-packages", "pyspark"))
	if err != nil || len(homes) != 1 {
		return Release{}, fmt.Errorf("%w: %s: found %d pyspark folders in %s, not one; delete it and run scripts/setup %s", ErrNoRelease, version, len(homes), venv, version)
	}
	return Release{Version: version, Venv: venv, Home: homes[0], Python: filepath.Join(venv, "bin", "python")}, nil
}

// All gives every release in the cache, oldest first.
func All() ([]Release, error) {
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	marks, err := filepath.Glob(filepath.Join(cache, "spark-*", ".complete"))
	if err != nil {
		return nil, fmt.Errorf("look into the cache: %w", err)
	}
	var all []Release
	for _, mark := range marks {
		r, err := Find(strings.TrimPrefix(filepath.Base(filepath.Dir(mark)), "spark-"))
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Release) int { return slices.Compare(a.numbers(), b.numbers()) })
	return all, nil
}

// DefaultVersions are what scripts/setup installs when it is not told otherwise: the newest of Spark 3 and of Spark 4.
var DefaultVersions = []string{"3.5.9", "4.3.0"}

// AllVersions are one of every feature release that Firesteel is tested with (scripts/test --all-releases): each has a
// build or a ProbeClass of its own (package spark/releases).
var AllVersions = []string{"3.4.4", "3.5.9", "4.0.5", "4.1.4", "4.3.0"}

// ChoiceVariable names the releases to test with, such as "3.4.4,4.1.4", oldest first; "all" is AllVersions.
const ChoiceVariable = "FIRESTEEL_SPARK_RELEASES"

// Default finds DefaultVersions.
func Default() ([]Release, error) { return find(DefaultVersions) }

// Chosen finds what the environment asks for, by ChoiceVariable, else DefaultVersions.
func Chosen() ([]Release, error) {
	switch choice := os.Getenv(ChoiceVariable); choice {
	case "":
		return Default()
	case "all":
		return find(AllVersions)
	default:
		return find(strings.Split(choice, ","))
	}
}

func find(versions []string) ([]Release, error) {
	var all []Release
	for _, v := range versions {
		r, err := Find(v)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (r Release) String() string { return "Spark " + r.Version }

// Major is 3 or 4.
func (r Release) Major() int { return r.numbers()[0] }

func (r Release) numbers() []int {
	var n []int
	for part := range strings.SplitSeq(r.Version, ".") {
		i, _ := strconv.Atoi(part)
		n = append(n, i)
	}
	return n
}

var java17 = regexp.MustCompile(`version "17[.+"]`)

// JavaHome finds a JDK 17 as scripts/setup does: $JAVA_HOME, the java on $PATH, then where Debian puts it.
func JavaHome() (string, error) {
	var homes []string
	if java, err := exec.LookPath("java"); err == nil {
		if real, err := filepath.EvalSymlinks(java); err == nil {
			homes = append(homes, filepath.Dir(filepath.Dir(real)))
		}
	}
	debian, _ := filepath.Glob("/usr/lib/jvm/*17*")
	homes = append(homes, debian...)
	for _, home := range append([]string{os.Getenv("JAVA_HOME")}, homes...) {
		if home == "" {
			continue
		}
		out, err := exec.Command(filepath.Join(home, "bin", "java"), "-version").CombinedOutput()
		if err == nil && java17.Match(out) {
			return home, nil
		}
	}
	return "", fmt.Errorf("no JDK 17 in JAVA_HOME (%s), on PATH or in /usr/lib/jvm; run scripts/setup", cmp.Or(os.Getenv("JAVA_HOME"), "not set"))
}

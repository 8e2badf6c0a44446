package worker

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/firesteel/firesteel/spark/releases"
)

var (
	// ErrBadHome says that a Spark home given to the worker cannot be used.
	ErrBadHome = errors.New("Spark home cannot be used") //nolint:staticcheck // a name
	// ErrNoHome says that no Spark home of this worker fits an application.
	ErrNoHome = errors.New("no Spark home of this worker fits")
)

// Homes are the Spark installations of a worker. One worker runs executors of
// several Spark releases: the application's release picks the home.
type Homes struct{ list []releases.Home }

// NewHomes inspects the directories, of which there must be one at least. The
// error has one line for each that cannot be used.
func NewHomes(dirs []string) (*Homes, error) {
	if len(dirs) == 0 {
		return nil, fmt.Errorf("%w: none is given; use --spark-home or set SPARK_HOME", ErrBadHome)
	}
	var h Homes
	var errs []error
	for _, dir := range dirs {
		home, err := inspect(dir)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !slices.ContainsFunc(h.list, func(o releases.Home) bool { return o.Dir == home.Dir }) {
			h.list = append(h.list, home)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &h, nil
}

// inspect makes the path absolute: executors run in directories of their own.
func inspect(dir string) (releases.Home, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return releases.Home{}, fmt.Errorf("%w: %s: %w", ErrBadHome, dir, err)
	}
	if !isDir(filepath.Join(abs, "jars")) {
		return releases.Home{}, fmt.Errorf("%w: %s has no jars directory; give the directory that holds bin and jars (for pyspark its package directory)", ErrBadHome, abs)
	}
	home, err := releases.InspectHome(abs)
	if err != nil {
		return releases.Home{}, fmt.Errorf("%w: %w", ErrBadHome, err)
	}
	return home, nil
}

// List gives all homes in the order they were given.
func (h *Homes) List() []releases.Home { return slices.Clone(h.list) }

// Pick chooses the home for an application. The error says what is there, so
// that it can be shown to the application's owner.
func (h *Homes) Pick(app releases.App) (releases.Home, error) {
	if home, ok := releases.Match(app, h.list); ok {
		return home, nil
	}
	var have []string
	for _, home := range h.list {
		have = append(have, fmt.Sprintf("%s (Scala %s) in %s", home.Version, home.Scala, home.Dir))
	}
	want := app.Describe()
	return releases.Home{}, fmt.Errorf("%w: the application is of %s, here is %s; add --spark-home with its release", ErrNoHome, want, strings.Join(have, ", "))
}

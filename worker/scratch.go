package worker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// scratch owns the local directories: one private root per configured
// directory (spark-<uuid>), and per application one executor-<uuid> under each,
// all of mode 700. Names are Spark's, so clean-up scripts keep working.
type scratch struct {
	log   *slog.Logger
	mu    sync.Mutex
	roots []string
	apps  map[string]*appDirs
}

// scratchPrefix begins the name of a worker's private root.
const scratchPrefix = "spark"

// appDirs are one application's directories, which are being made until made is closed.
type appDirs struct {
	made chan struct{}
	dirs []string
	err  error
}

// newScratch makes the private roots. A directory that cannot be used is left
// out with a warning; if none is left that is an error.
func newScratch(dirs []string, log *slog.Logger) (*scratch, error) {
	s := &scratch{log: log, apps: make(map[string]*appDirs)}
	var errs []error
	for _, dir := range dirs {
		root, err := makePrivate(dir, scratchPrefix)
		if err != nil {
			log.Warn("local directory is left out", "dir", dir, "err", err)
			errs = append(errs, err)
			continue
		}
		s.roots = append(s.roots, root)
	}
	if len(s.roots) == 0 {
		return nil, fmt.Errorf("no local directory can be used, set SPARK_LOCAL_DIRS to writable ones (%s): %w",
			strings.Join(dirs, ","), errors.Join(errs...))
	}
	return s, nil
}

func makePrivate(parent, prefix string) (string, error) {
	abs, err := filepath.Abs(parent)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return "", err
	}
	dir := filepath.Join(abs, prefix+"-"+newUUID())
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	return dir, nil
}

// forApp gives the application's directories, and makes them on first use. A disk that hangs holds up the executors of
// this application and nothing else: above all not the session, which asks for owners.
func (s *scratch) forApp(appID string) ([]string, error) {
	s.mu.Lock()
	app, ok := s.apps[appID]
	if !ok {
		app = &appDirs{made: make(chan struct{})}
		s.apps[appID] = app
	}
	s.mu.Unlock()
	if ok {
		<-app.made
		return app.dirs, app.err
	}
	app.dirs, app.err = s.makeDirs(appID)
	if app.err != nil {
		s.mu.Lock()
		if s.apps[appID] == app {
			delete(s.apps, appID) // the next executor tries again
		}
		s.mu.Unlock()
	}
	close(app.made)
	return app.dirs, app.err
}

func (s *scratch) makeDirs(appID string) ([]string, error) {
	var dirs []string
	var errs []error
	for _, root := range s.roots {
		dir, err := makePrivate(root, "executor")
		if err != nil {
			s.log.Warn("local directory is left out", "dir", root, "app", appID, "err", err)
			errs = append(errs, err)
			continue
		}
		dirs = append(dirs, dir)
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no subfolder can be created in %s: %w", strings.Join(s.roots, ","), errors.Join(errs...))
	}
	return dirs, nil
}

// owners lists the applications that have directories, sorted.
func (s *scratch) owners() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.apps))
}

// of gives the application's directories, if they are made.
func (s *scratch) of(appID string) []string {
	s.mu.Lock()
	app := s.apps[appID]
	s.mu.Unlock()
	if app == nil {
		return nil
	}
	select {
	case <-app.made:
		return app.dirs
	default:
		return nil
	}
}

// take forgets the application's directories and hands them over for removal. It never waits for the disk.
func (s *scratch) take(appID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.apps[appID]
	if app == nil {
		return nil
	}
	select {
	case <-app.made:
		delete(s.apps, appID)
		return app.dirs
	default: // an executor is starting; they are taken when it has ended
		return nil
	}
}

// remove deletes directories that take gave.
func (s *scratch) remove(appID string, dirs []string) {
	for _, dir := range dirs {
		if err := os.RemoveAll(dir); err != nil {
			s.log.Warn("local directory of a finished application cannot be removed", "dir", dir, "app", appID, "err", err)
		}
	}
}

// close removes everything.
func (s *scratch) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, root := range s.roots {
		if err := os.RemoveAll(root); err != nil {
			s.log.Warn("local directory cannot be removed", "dir", root, "err", err)
		}
	}
	clear(s.apps)
}

// newUUID gives a random (version 4) UUID.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

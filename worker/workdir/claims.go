package workdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Kind tells what a directory is for.
type Kind string

// The kinds of directories.
const (
	Application Kind = "application" // <work>/<application>/<executor>/
	Driver      Kind = "driver"      // <work>/<driver>/
)

// made is the proof that a directory is ours.
type made struct {
	Kind  Kind   `json:"kind"`
	Dev   uint64 `json:"dev"`
	Inode uint64 `json:"inode"`
}

// Claim takes <work>/<name> into use, and makes it if it is not there. One that somebody else has made is used all the
// same, but never counts as ours.
func (l *Life) Claim(kind Kind, name string) (string, error) {
	dir := filepath.Join(l.work, name)
	turn, err := lockFile(l.path("lock"), unix.LOCK_SH)
	if errors.Is(err, fs.ErrNotExist) { // somebody has removed the whole work directory: go on without records
		l.log.Warn("the records of the work directory are gone: what is made from now on is not cleaned up", "dir", l.work)
		return dir, os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return dir, fmt.Errorf("use directory %s: %w", dir, err)
	}
	defer turn.Close()
	ours, fresh, err := l.makeDir(kind, name)
	if err != nil || !ours {
		return dir, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.claims[name]; c != nil && c.ended.IsZero() && !fresh {
		return dir, nil
	}
	if err := errors.Join(os.WriteFile(l.path("dirs", name, l.name), nil, 0o644), remove(l.path("dirs", name, "stripped"))); err != nil {
		return dir, fmt.Errorf("record the use of directory %s: %w", dir, err)
	}
	l.claims[name] = &claim{}
	return dir, nil
}

// makeDir makes a directory that is not there, and tells whether it is one of ours, and whether it was made now.
func (l *Life) makeDir(kind Kind, name string) (ours, fresh bool, err error) {
	dir := filepath.Join(l.work, name)
	err = os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		st, err := os.Stat(dir)
		if err == nil && !st.IsDir() {
			err = fmt.Errorf("%s is no directory", dir)
		}
		_, ours := l.proof(name)
		return ours, false, err
	}
	if err != nil {
		return false, false, err
	}
	st, err := os.Stat(dir)
	if err != nil {
		return false, false, err
	}
	sys := st.Sys().(*syscall.Stat_t)
	raw, err := json.Marshal(made{Kind: kind, Dev: sys.Dev, Inode: sys.Ino})
	if err == nil {
		err = os.MkdirAll(l.path("dirs", name), 0o755)
	}
	if err == nil {
		err = os.WriteFile(l.path("dirs", name, "made"), raw, 0o644)
	}
	if err != nil {
		return false, false, errors.Join(fmt.Errorf("record directory %s: %w", dir, err), os.Remove(dir))
	}
	return true, true, nil
}

// proof tells whether <work>/<name> is the directory that one of us made under that name.
func (l *Life) proof(name string) (made, bool) {
	var m made
	raw, err := os.ReadFile(l.path("dirs", name, "made"))
	if err != nil || json.Unmarshal(raw, &m) != nil {
		return made{}, false
	}
	st, err := os.Lstat(filepath.Join(l.work, name))
	if err != nil || !st.IsDir() {
		return made{}, false
	}
	sys := st.Sys().(*syscall.Stat_t)
	return m, sys.Dev == m.Dev && sys.Ino == m.Inode
}

// End says that this life uses a directory no more. It does nothing if it did not use it.
func (l *Life) End(name string, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[name]
	if c == nil || !c.ended.IsZero() {
		return nil
	}
	c.ended = at
	return writeEnd(l.path("dirs", name, l.name), at)
}

func writeEnd(path string, at time.Time) error {
	if err := os.WriteFile(path, []byte(at.UTC().Format(time.RFC3339Nano)+"\n"), 0o644); err != nil {
		return fmt.Errorf("record the end of a use: %w", err)
	}
	return nil
}

// used lists what this life uses.
func (l *Life) used() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for name, c := range l.claims {
		if c.ended.IsZero() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// EndUnless ends the use of every directory for which alive does not speak, and tells whether one that this life used until
// due at the latest is not stripped yet.
func (l *Life) EndUnless(alive func(name string) bool, now, due time.Time) (pending bool, err error) {
	var errs []error
	for _, name := range l.used() {
		if !alive(name) {
			errs = append(errs, l.End(name, now))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.claims {
		pending = pending || !c.ended.IsZero() && !c.ended.After(due)
	}
	return pending, errors.Join(errs...)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

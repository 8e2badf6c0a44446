package workdir

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Entry is one directory that one of us made.
type Entry struct {
	Name     string
	Dir      string
	Kind     Kind
	Ended    time.Time // when the last use of it ended
	Stripped bool      // what programs it had are gone
}

// ErrUsed says that a directory is in use, or not ours.
var ErrUsed = errors.New("the directory is in use, or not one of ours")

// Ended gives the directories that are ours and that no life uses, the oldest end first. Records of directories that are
// gone are dropped on the way.
func (l *Life) Ended() ([]Entry, error) {
	names, err := os.ReadDir(l.path("dirs"))
	if err != nil {
		return nil, fmt.Errorf("list the work directory: %w", err)
	}
	dead := map[string]bool{} // lives, as they were found
	var all []Entry
	for _, n := range names {
		if e, ok := l.entry(n.Name(), dead); ok {
			all = append(all, e)
		} else if _, ours := l.proof(n.Name()); !ours {
			l.drop(n.Name())
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(a.Ended.Compare(b.Ended), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// entry looks at one record; ok tells that the directory is ours and unused.
func (l *Life) entry(name string, dead map[string]bool) (e Entry, ok bool) {
	m, ours := l.proof(name)
	if !ours {
		return e, false
	}
	e = Entry{Name: name, Dir: filepath.Join(l.work, name), Kind: m.Kind}
	uses, err := os.ReadDir(l.path("dirs", name))
	if err != nil {
		return e, false
	}
	for _, u := range uses {
		switch u.Name() {
		case "made":
			continue
		case "stripped":
			e.Stripped = true
			continue
		}
		at, ended := l.endOf(name, u.Name(), dead)
		if !ended {
			return e, false
		}
		if at.After(e.Ended) {
			e.Ended = at
		}
	}
	if e.Ended.IsZero() { // made, and then its worker was killed
		if info, err := os.Stat(e.Dir); err == nil {
			e.Ended = info.ModTime()
		}
	}
	return e, true
}

// endOf tells when a life's use of a directory ended.
func (l *Life) endOf(name, life string, dead map[string]bool) (at time.Time, ended bool) {
	path := l.path("dirs", name, life)
	raw, err := os.ReadFile(path)
	if err != nil {
		return at, errors.Is(err, fs.ErrNotExist)
	}
	if at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(raw))); err == nil {
		return at, true
	}
	gone, known := dead[life]
	if !known {
		lock, over := l.over(life)
		if lock != nil {
			// It is over, and not cleared up: its processes may still be there. Whoever forgets it says when it ended.
			lock.Close()
			over = false
		}
		gone = over
		dead[life] = gone
	}
	info, err := os.Stat(path)
	if !gone || err != nil {
		return at, false
	}
	return info.ModTime(), true
}

// drop removes the record of a directory that is gone, or that is another one by now.
func (l *Life) drop(name string) {
	turn, err := lockFile(l.path("lock"), unix.LOCK_EX)
	if err != nil {
		return
	}
	defer turn.Close()
	if _, ours := l.proof(name); ours { // somebody made it meanwhile
		return
	}
	l.forgetClaim(name)
	if err := os.RemoveAll(l.path("dirs", name)); err != nil {
		l.log.Warn("the record of a directory that is gone stays", "name", name, "error", err)
	}
}

func (l *Life) forgetClaim(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.claims, name)
}

// Remove deletes a directory that Ended gave, unless it was taken into use again meanwhile.
func (l *Life) Remove(e Entry) error {
	target := l.path("trash", rand.Text())
	err := l.whileUnused(e.Name, func() error {
		if err := os.Rename(e.Dir, target); err != nil {
			return err
		}
		l.forgetClaim(e.Name)
		return os.RemoveAll(l.path("dirs", e.Name))
	})
	if err != nil {
		return fmt.Errorf("remove directory %s: %w", e.Dir, err)
	}
	return os.RemoveAll(target)
}

// Strip deletes paths inside a directory that Ended gave, unless it was taken into use again meanwhile. done says that
// this was all there is to strip before the directory is old. The times of what stays are kept, so that it is no younger
// than before.
func (l *Life) Strip(e Entry, paths []string, done bool) error {
	var moved []string
	err := l.whileUnused(e.Name, func() error {
		var errs []error
		for _, p := range paths {
			target := l.path("trash", rand.Text())
			moved = append(moved, target)
			errs = append(errs, moveOut(p, target))
		}
		if err := errors.Join(errs...); err != nil || !done {
			return err
		}
		l.forgetClaim(e.Name)
		return os.WriteFile(l.path("dirs", e.Name, "stripped"), nil, 0o644)
	})
	for _, m := range moved {
		err = errors.Join(err, os.RemoveAll(m))
	}
	if err != nil {
		return fmt.Errorf("strip directory %s: %w", e.Dir, err)
	}
	return nil
}

func moveOut(path, target string) error {
	parent := filepath.Dir(path)
	info, err := os.Stat(parent)
	if err != nil {
		return err
	}
	if err := os.Rename(path, target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Chtimes(parent, time.Time{}, info.ModTime())
}

// whileUnused does something while nobody can take the directory into use.
func (l *Life) whileUnused(name string, do func() error) error {
	turn, err := lockFile(l.path("lock"), unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer turn.Close()
	if _, unused := l.entry(name, map[string]bool{}); !unused {
		return ErrUsed
	}
	return do()
}

// EmptyTrash deletes what a worker that was killed had moved there. It is safe beside one that is at it.
func (l *Life) EmptyTrash() error {
	entries, err := os.ReadDir(l.path("trash"))
	var errs []error
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(l.path("trash", e.Name())))
	}
	return errors.Join(append(errs, err)...)
}

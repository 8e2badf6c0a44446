package workdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Dead is a life that is over and was not closed. It is this process's to clear up: nobody else is given it meanwhile.
type Dead struct {
	Name    string
	Worker  string // its id
	PID     int
	Records string // of its processes
	// Here tells that its processes would be found here: the same boot of the same machine, and the same pid namespace.
	Here bool
	// Scratch lists the directories elsewhere that it made.
	Scratch []string

	life *Life
	lock *os.File
	last time.Time // when it was last seen alive
}

// Dead gives the lives of this work directory that are over and not cleared up. Forget or Release must be called for each.
func (l *Life) Dead() ([]*Dead, error) {
	entries, err := os.ReadDir(l.path("lives"))
	if err != nil {
		return nil, fmt.Errorf("look for earlier lives: %w", err)
	}
	place, err := here()
	if err != nil {
		return nil, err
	}
	var all []*Dead
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			l.dropUnborn(e)
			continue
		}
		lock, dead := l.over(e.Name())
		if !dead {
			continue
		}
		d := &Dead{Name: e.Name(), Records: filepath.Join(l.home(e.Name()), "children"), life: l, lock: lock}
		if sameBoot := d.read(place); !sameBoot && time.Since(d.last) < unseen {
			d.Release() // it may be on another machine, which does not show its locks
			continue
		}
		all = append(all, d)
	}
	return all, nil
}

// unseen is for how long a life of another machine, or of another boot of this one, must not have been touched before it
// counts as over: a shared file system need not show another machine's locks. Lives are touched once a minute.
const unseen = 10 * time.Minute

// dropUnborn removes a life that was killed while it began.
func (l *Life) dropUnborn(e os.DirEntry) {
	const long = time.Hour
	if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > long {
		_ = os.RemoveAll(l.home(e.Name())) // tried again next time
	}
}

// read reads what the life has recorded, and tells whether it was in this boot of this machine.
func (d *Dead) read(place about) (sameBoot bool) {
	home := d.life.home(d.Name)
	var a about
	if raw, err := os.ReadFile(filepath.Join(home, "about")); err == nil && json.Unmarshal(raw, &a) == nil {
		d.Worker, d.PID, d.last = a.Worker, a.PID, a.Started
		d.Here = a.Boot == place.Boot && a.PIDNamespace == place.PIDNamespace
	}
	if raw, err := os.ReadFile(filepath.Join(home, "scratch")); err == nil {
		for line := range strings.Lines(string(raw)) {
			if dir, whole := strings.CutSuffix(line, "\n"); whole && filepath.IsAbs(dir) {
				d.Scratch = append(d.Scratch, dir)
			}
		}
	}
	if info, err := os.Stat(filepath.Join(home, "lock")); err == nil && info.ModTime().After(d.last) {
		d.last = info.ModTime()
	}
	return a.Boot == place.Boot
}

// Forget says that everything of the life is cleared up; what it used counts as ended when it was last seen alive.
func (d *Dead) Forget() error {
	defer d.Release()
	names, err := os.ReadDir(d.life.path("dirs"))
	if err != nil {
		return fmt.Errorf("forget life %s: %w", d.Name, err)
	}
	var errs []error
	for _, e := range names {
		use := d.life.path("dirs", e.Name(), d.Name)
		if raw, err := os.ReadFile(use); err == nil && len(raw) == 0 {
			errs = append(errs, writeEnd(use, d.last))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(d.life.home(d.Name)))...)
}

// Release leaves the life to whoever asks next.
func (d *Dead) Release() {
	if d.lock != nil {
		d.lock.Close()
		d.lock = nil
	}
}

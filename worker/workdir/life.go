package workdir

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// hidden is the directory of this package in a work directory.
const hidden = ".firesteel"

// Life is one process's life as a worker of a work directory. Its methods are for any goroutine.
type Life struct {
	work, name string
	log        *slog.Logger
	lock       *os.File

	mu     sync.Mutex
	claims map[string]*claim
}

// claim is the use of one directory by this life.
type claim struct {
	ended time.Time // zero while it is used
}

// about says where a life is, or was. Its processes can be meant only where this is the same.
type about struct {
	Boot         string    `json:"boot"`         // /proc/sys/kernel/random/boot_id
	PIDNamespace string    `json:"pidNamespace"` // /proc/self/ns/pid
	PID          int       `json:"pid"`
	Worker       string    `json:"worker"`
	Started      time.Time `json:"started"`
}

// Open begins a life in a work directory, which is there. worker is for people who look into the files.
func Open(work, worker string, log *slog.Logger) (*Life, error) {
	l := &Life{work: work, name: rand.Text(), log: cmp.Or(log, slog.Default()), claims: map[string]*claim{}}
	for _, d := range []string{l.path("lives"), l.path("dirs"), l.path("trash")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("prepare the work directory: %w", err)
		}
	}
	if err := l.begin(worker); err != nil {
		return nil, fmt.Errorf("begin a life in work directory %s: %w", work, err)
	}
	return l, nil
}

// begin makes the directory of this life. It takes its name only when it is locked, so that nobody takes it for a dead one.
func (l *Life) begin(worker string) (err error) {
	tmp, err := os.MkdirTemp(l.path("lives"), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	a, err := here()
	if err != nil {
		return err
	}
	a.Worker = worker
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(filepath.Join(tmp, "about"), raw, 0o644), os.Mkdir(filepath.Join(tmp, "children"), 0o700)); err != nil {
		return err
	}
	if l.lock, err = lockFile(filepath.Join(tmp, "lock"), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	if err = os.Rename(tmp, l.home(l.name)); err != nil {
		l.lock.Close()
	}
	return err
}

// here describes this process's place.
func here() (about, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return about{}, err
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return about{}, err
	}
	return about{Boot: string(boot), PIDNamespace: ns, PID: os.Getpid(), Started: time.Now()}, nil
}

func (l *Life) path(elem ...string) string {
	return filepath.Join(append([]string{l.work, hidden}, elem...)...)
}

func (l *Life) home(life string) string { return l.path("lives", life) }

// Name names this life, uniquely.
func (l *Life) Name() string { return l.name }

// Records is the directory for the records of the life's processes (guard.Config.Records).
func (l *Life) Records() string { return filepath.Join(l.home(l.name), "children") }

// AddScratch records a directory elsewhere that belongs to this life alone, to be removed after it.
func (l *Life) AddScratch(dir string) error {
	f, err := os.OpenFile(filepath.Join(l.home(l.name), "scratch"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("record scratch directory %s: %w", dir, err)
	}
	_, err = f.WriteString(dir + "\n")
	return errors.Join(err, f.Close())
}

// Touch notes that this life goes on: its last one counts as the end of what it used, if it is not closed. It also keeps
// Spark's own Worker, where one shares the work directory, from taking the records for an old application.
func (l *Life) Touch(now time.Time) error {
	return os.Chtimes(filepath.Join(l.home(l.name), "lock"), now, now)
}

// Close ends the life in good order: it uses nothing any more. What it recorded as scratch must be gone by then.
func (l *Life) Close() error {
	now := time.Now()
	var errs []error
	for _, name := range l.used() {
		errs = append(errs, l.End(name, now))
	}
	errs = append(errs, os.RemoveAll(l.home(l.name)), l.lock.Close())
	return errors.Join(errs...)
}

// over tells whether a life is over, and if so gives its lock, which is to be closed; a life of which nothing is left is over
// without one. What cannot be locked counts as alive.
func (l *Life) over(life string) (lock *os.File, dead bool) {
	if life == l.name {
		return nil, false
	}
	path := filepath.Join(l.home(life), "lock")
	if _, err := os.Stat(path); err != nil { // lockFile would make it
		return nil, errors.Is(err, fs.ErrNotExist)
	}
	f, err := lockFile(path, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		return nil, errors.Is(err, fs.ErrNotExist)
	}
	return f, true
}

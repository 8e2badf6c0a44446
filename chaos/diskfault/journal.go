package diskfault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// journal remembers how to undo what was not synced.
type journal struct {
	mu      sync.Mutex
	trash   string // holds what was removed and may have to come back; on the same file system as the files
	serial  int
	changes []*change // oldest first
}

// change is one change that was not synced. Paths are as they were when it was made: undoing goes backwards, so they are
// so again when its turn comes.
type change struct {
	path string
	ino  uint64 // of the file whose data changed, or that was created

	data     bool
	off      int64 // of a write; -1 for a truncation
	old, new []byte
	oldSize  int64
	newSize  int64 // of a truncation

	dirs  []string // for a change of names: syncing one of these makes it last
	undo  func() error
	saved string // in trash; removed when the change is final
}

func newJournal(trash string) (*journal, error) {
	if err := os.MkdirAll(trash, 0o700); err != nil {
		return nil, err
	}
	return &journal{trash: trash}, nil
}

func inode(st *syscall.Stat_t) uint64 { return st.Ino }

func stat(path string) (ino uint64, size int64, err error) {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return 0, 0, err
	}
	return inode(&st), st.Size, nil
}

// write writes and remembers what was there.
func (j *journal) write(f *os.File, path string, data []byte, off int64) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return 0, err
	}
	old, err := readAt(f, off, min(int64(len(data)), max(0, st.Size-off)))
	if err != nil {
		return 0, err
	}
	n, err := f.WriteAt(data, off)
	if n > 0 {
		j.changes = append(j.changes, &change{path: path, ino: inode(&st), data: true, off: off, old: old, new: slices.Clone(data[:n]), oldSize: st.Size})
	}
	return n, err
}

func readAt(f *os.File, off, size int64) ([]byte, error) {
	if size <= 0 {
		return nil, nil
	}
	// The file may have been opened for writing only.
	r, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data := make([]byte, size)
	n, err := r.ReadAt(data, off)
	if n == len(data) {
		err = nil
	}
	return data[:n], err
}

// truncate changes the size of the file, and remembers what was cut off.
func (j *journal) truncate(path string, size int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	ino, before, err := stat(path)
	if err != nil {
		return err
	}
	var cut []byte
	if size < before {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		cut, err = readAt(f, size, before-size)
		f.Close()
		if err != nil {
			return err
		}
	}
	if err := os.Truncate(path, size); err != nil {
		return err
	}
	j.changes = append(j.changes, &change{path: path, ino: ino, data: true, off: -1, old: cut, oldSize: before, newSize: size})
	return nil
}

// created notes that path is new.
func (j *journal) created(path string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	ino, _, err := stat(path)
	if err != nil {
		return
	}
	j.changes = append(j.changes, &change{path: path, ino: ino, dirs: []string{filepath.Dir(path)}, undo: func() error { return os.RemoveAll(path) }})
}

// remove does what removes path, and keeps what was there.
func (j *journal) remove(path string, do func() syscall.Errno) syscall.Errno {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := &change{path: path, dirs: []string{filepath.Dir(path)}}
	info, err := os.Lstat(path)
	if err == nil && info.IsDir() {
		c.undo = func() error { return os.Mkdir(path, info.Mode().Perm()) }
	} else if err == nil {
		if c.saved, err = j.save(path); err != nil {
			return syscall.EIO
		}
		c.undo = func() error { return os.Rename(c.saved, path) }
	}
	return j.done(c, do)
}

// rename does what moves old to new, and keeps what new was.
func (j *journal) rename(oldPath, newPath string, do func() syscall.Errno) syscall.Errno {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := &change{path: oldPath, dirs: []string{filepath.Dir(oldPath), filepath.Dir(newPath)}}
	if info, err := os.Lstat(newPath); err == nil && !info.IsDir() {
		if c.saved, err = j.save(newPath); err != nil {
			return syscall.EIO
		}
	}
	c.undo = func() error {
		if err := os.Rename(newPath, oldPath); err != nil || c.saved == "" {
			return err
		}
		return os.Rename(c.saved, newPath)
	}
	return j.done(c, do)
}

func (j *journal) done(c *change, do func() syscall.Errno) syscall.Errno {
	if errno := do(); errno != 0 {
		c.forget()
		return errno
	}
	j.changes = append(j.changes, c)
	return 0
}

// save links the file into the trash. The caller holds mu.
func (j *journal) save(path string) (string, error) {
	j.serial++
	saved := filepath.Join(j.trash, fmt.Sprint(j.serial))
	return saved, os.Link(path, saved)
}

func (c *change) forget() {
	if c.saved != "" {
		_ = os.Remove(c.saved)
	}
}

// syncFile makes a file's data last, and with it that it exists.
func (j *journal) syncFile(ino uint64, path string) {
	j.settle(func(c *change) bool {
		return c.ino == ino || c.ino != 0 && !c.data && strings.HasPrefix(path, c.path+"/")
	})
}

// syncDir makes the names in a directory last.
func (j *journal) syncDir(path string) {
	j.settle(func(c *change) bool {
		return slices.Contains(c.dirs, path) || c.ino != 0 && !c.data && (c.path == path || strings.HasPrefix(path, c.path+"/"))
	})
}

func (j *journal) settle(final func(*change) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changes = slices.DeleteFunc(j.changes, func(c *change) bool {
		if !final(c) {
			return false
		}
		c.forget()
		return true
	})
}

// drop undoes everything that was not synced and tells how many changes that were. With a seed other than 0, half of the
// sectors come back.
func (j *journal) drop(seed uint64) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	for _, c := range slices.Backward(j.changes) {
		if err := c.revert(); err != nil {
			errs = append(errs, fmt.Errorf("undo a change of %s: %w", c.path, err))
		}
	}
	if seed != 0 {
		rng := rand.New(rand.NewPCG(seed, 0))
		for _, c := range j.changes {
			errs = append(errs, c.keepSome(rng))
		}
	}
	n := len(j.changes)
	j.changes = nil
	return n, errors.Join(errs...)
}

func (c *change) revert() error {
	if !c.data {
		if c.undo == nil {
			return nil
		}
		return c.undo()
	}
	f, err := c.open()
	if f == nil {
		return err
	}
	defer f.Close()
	if c.off >= 0 {
		if _, err := f.WriteAt(c.old, c.off); err != nil {
			return err
		}
		return f.Truncate(c.oldSize)
	}
	if err := f.Truncate(c.oldSize); err != nil {
		return err
	}
	_, err = f.WriteAt(c.old, c.newSize)
	return err
}

// open opens the file, or nothing if the file at the path is another one now.
func (c *change) open() (*os.File, error) {
	ino, _, err := stat(c.path)
	if errors.Is(err, os.ErrNotExist) || err == nil && ino != c.ino {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return os.OpenFile(c.path, os.O_RDWR, 0)
}

// keepSome does the change again, sector by sector as the coin falls.
func (c *change) keepSome(rng *rand.Rand) error {
	if !c.data {
		return nil
	}
	f, err := c.open()
	if f == nil {
		return err
	}
	defer f.Close()
	if c.off < 0 {
		if rng.IntN(2) == 0 {
			return nil
		}
		return f.Truncate(c.newSize)
	}
	for at := int64(0); at < int64(len(c.new)); {
		end := min(int64(len(c.new)), (c.off+at)/sector*sector+sector-c.off)
		if rng.IntN(2) == 1 {
			if _, err := f.WriteAt(c.new[at:end], c.off+at); err != nil {
				return err
			}
		}
		at = end
	}
	return nil
}

package workdir

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// errHeld says that another process holds a lock.
var errHeld = errors.New("the lock is held by another process")

// lockFile opens a file and locks it (flock). The kernel lets the lock go when the file is closed, so when the process ends.
func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s: %w", path, errHeld)
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func openFile(_ context.Context, r *request) (source, error) {
	if r.url.Scheme != "" && r.url.Host != "" && r.url.Host != "localhost" {
		return source{}, fmt.Errorf("%w: file: names a file of the worker, not of %q; write file:///PATH", ErrURL, r.url.Host)
	}
	// Without O_NONBLOCK, a named pipe would hold us up for as long as nobody writes to it.
	file, err := os.OpenFile(r.url.Path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return source{}, here(err)
	}
	st, err := file.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s %w", r.url.Path, ErrNoFile)
	}
	if err != nil {
		file.Close()
		return source{}, err
	}
	return source{body: file, size: st.Size()}, nil
}

// checkFile is for a file that is used where it lies.
func checkFile(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%w: local: needs a path that begins with /", ErrURL)
	}
	st, err := os.Stat(path)
	if err != nil {
		return here(err)
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s %w", path, ErrNoFile)
	}
	return nil
}

// here says on whose disk a file is missing.
func here(err error) error {
	if host, hostErr := os.Hostname(); hostErr == nil && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w on the worker %s", err, host)
	}
	return err
}

package fetch

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// source is an open file somewhere.
type source struct {
	body   io.ReadCloser
	size   int64 // -1: not known before its end
	digest *digest
}

// digest is what the bytes must hash to.
type digest struct {
	hash.Hash
	name string // of the hash, with where it was given
	want []byte
}

const unfinished = ".fetch-*"

// save writes beside the target first, so that nobody ever finds half of it. A failure leaves nothing, nor does what a
// worker left that was killed during the fetch.
func save(ctx context.Context, target string, src source, limit int64) (err error) {
	dir := filepath.Dir(target)
	if err := forget(dir); err != nil {
		return err
	}
	if err := hasRoom(dir, src.size, limit); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	err = src.copyTo(ctx, tmp, limit)
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(tmp.Name(), 0o755); err != nil { // executable, as Utils.fetchFile makes it
		return err
	}
	return os.Rename(tmp.Name(), target)
}

func forget(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, unfinished))
	for _, file := range left {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// hasRoom refuses a file of known size before the disk is full of it.
func hasRoom(dir string, size, limit int64) error {
	if size > limit {
		return fmt.Errorf("%w: %d bytes, at most %d are taken", ErrTooLarge, size, limit)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); size > 0 && uint64(size) > free {
		return fmt.Errorf("it has %d bytes, and the disk has room for %d: %w", size, free, unix.ENOSPC)
	}
	return nil
}

// copyTo copies all of it and checks that it is all of it.
func (s source) copyTo(ctx context.Context, file *os.File, limit int64) error {
	in := &counted{ctx: ctx, from: s.body, limit: limit}
	var out io.Writer = struct{ io.Writer }{file} // hides ReadFrom, which does not look at ctx for a gigabyte at a time
	if s.digest != nil {
		out = io.MultiWriter(file, s.digest)
	}
	_, err := io.CopyBuffer(out, in, make([]byte, 256<<10))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(in.err, ErrTooLarge):
		return in.err
	case in.err != nil && in.n == 0 && !errors.Is(in.err, io.ErrUnexpectedEOF):
		return in.err
	case in.err != nil:
		return fmt.Errorf("%w, %s: %w", ErrTruncated, s.progress(in.n), in.err)
	case err != nil:
		return fmt.Errorf("%s: %w", s.progress(in.n), err) // of the disk
	case s.size >= 0 && in.n != s.size:
		return fmt.Errorf("%w: %s", ErrTruncated, s.progress(in.n))
	}
	return s.digest.check()
}

func (s source) progress(n int64) string {
	if s.size < 0 {
		return fmt.Sprintf("%d bytes came", n)
	}
	return fmt.Sprintf("%d bytes came of %d", n, s.size)
}

func (d *digest) check() error {
	if d == nil {
		return nil
	}
	if got := d.Sum(nil); subtle.ConstantTimeCompare(got, d.want) != 1 {
		return fmt.Errorf("%w: its %s is %s, and should be %s", ErrChecksum, d.name, hex.EncodeToString(got), hex.EncodeToString(d.want))
	}
	return nil
}

// counted reads until its context ends or the limit is passed, and keeps its error apart from the writer's.
type counted struct {
	ctx   context.Context
	from  io.Reader
	n     int64
	limit int64
	err   error
}

func (c *counted) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.from.Read(b)
	c.n += int64(n)
	if c.n > c.limit {
		err = fmt.Errorf("%w: %d bytes came, at most %d are taken", ErrTooLarge, c.n, c.limit)
	}
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

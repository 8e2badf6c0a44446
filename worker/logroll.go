package worker

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/firesteel/firesteel/config"
)

// rollingFile is a log that is moved aside when it grows too large or too old
// (Spark: RollingFileAppender). The current text is always in the file of the
// plain name, older pieces are in <name>--<time>, packed as .gz if so set. It
// serves one writer.
type rollingFile struct {
	path string
	cfg  config.LogRolling
	log  *slog.Logger
	now  func() time.Time

	f    *os.File
	size int64
	next time.Time // of the next roll by time
}

func openRolling(path string, cfg config.LogRolling, goOn bool, now func() time.Time, log *slog.Logger) (*rollingFile, error) {
	r := &rollingFile{path: path, cfg: cfg, log: log, now: now}
	empty := os.O_TRUNC
	if goOn {
		empty = 0
	}
	if err := r.open(empty); err != nil {
		return nil, err
	}
	return r, nil
}

// open opens the present file; empty is os.O_TRUNC for a new one.
func (r *rollingFile) open(empty int) error {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND|empty, 0o644)
	if err != nil {
		return err
	}
	r.f, r.size = f, 0
	if st, err := f.Stat(); err == nil {
		r.size = st.Size()
	}
	if r.cfg.Strategy == config.RollByTime {
		r.next = r.now().Truncate(r.cfg.Interval).Add(r.cfg.Interval)
	}
	return nil
}

// Write never fails for good: when the disk does, the text is lost but the
// executor goes on.
func (r *rollingFile) Write(p []byte) (int, error) {
	if r.due(len(p)) {
		if err := r.roll(); err != nil {
			r.log.Warn("log could not be rolled", "file", r.path, "err", err)
		}
	}
	if r.f == nil {
		if err := r.open(os.O_TRUNC); err != nil {
			return len(p), nil
		}
	}
	n, err := r.f.Write(p)
	r.size += int64(n)
	if err != nil {
		r.log.Warn("log text is lost", "file", r.path, "err", err)
	}
	return len(p), nil
}

func (r *rollingFile) due(bytes int) bool {
	switch r.cfg.Strategy {
	case config.RollBySize:
		return r.size > 0 && r.size+int64(bytes) > r.cfg.MaxSize
	case config.RollByTime:
		return !r.now().Before(r.next)
	}
	return false
}

func (r *rollingFile) roll() error {
	err := r.close()
	target, nameErr := r.freeName()
	if nameErr != nil {
		return errors.Join(err, nameErr) // the next write opens the file anew
	}
	if renameErr := os.Rename(r.path, target); renameErr != nil {
		return errors.Join(err, renameErr)
	}
	if r.cfg.Compress {
		err = errors.Join(err, compress(target))
	}
	return errors.Join(err, r.prune())
}

// freeName makes the name of the rolled file, which sorts by time and is as
// precise as the strategy needs.
func (r *rollingFile) freeName() (string, error) {
	layout := "--2006-01-02--15-04-05--.000"
	if r.cfg.Strategy == config.RollByTime {
		switch {
		case r.cfg.Interval%(24*time.Hour) == 0:
			layout = "--2006-01-02"
		case r.cfg.Interval%time.Hour == 0:
			layout = "--2006-01-02--15"
		case r.cfg.Interval%time.Minute == 0:
			layout = "--2006-01-02--15-04"
		default:
			layout = "--2006-01-02--15-04-05"
		}
	}
	// Spark writes milliseconds with four digits.
	base := r.path + strings.Replace(r.now().Format(layout), "--.", "--0", 1)
	const most = 1000
	for i := range most {
		name := base
		if i > 0 {
			name = fmt.Sprintf("%s--%03d", base, i)
		}
		if !exists(name) && !exists(name+".gz") {
			return name, nil
		}
	}
	return "", fmt.Errorf("%d logs were rolled as %s", most, base)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// compress replaces a file by its .gz; a reader sees one or the other.
func compress(path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	part := filepath.Join(filepath.Dir(path), ".packing-"+filepath.Base(path))
	out, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(out)
	_, err = io.Copy(z, in)
	if err = errors.Join(err, z.Close(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, path+".gz"); err != nil {
		return err
	}
	return os.Remove(path)
}

// prune removes the oldest rolled files over the number to be kept.
func (r *rollingFile) prune() error {
	if r.cfg.MaxRetainedFiles <= 0 {
		return nil
	}
	dir, prefix := filepath.Dir(r.path), filepath.Base(r.path)+"--"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var rolled []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			rolled = append(rolled, e.Name())
		}
	}
	slices.Sort(rolled)
	var errs []error
	for len(rolled) > r.cfg.MaxRetainedFiles {
		errs = append(errs, os.Remove(filepath.Join(dir, rolled[0])))
		rolled = rolled[1:]
	}
	return errors.Join(errs...)
}

func (r *rollingFile) close() error {
	if r.f == nil {
		return nil
	}
	err := r.f.Close()
	r.f = nil
	return err
}

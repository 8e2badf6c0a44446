package worker

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

var (
	errLogType = errors.New("Error: Log type must be one of stderr, stdout") //nolint:staticcheck // Spark's text
	errLogDir  = errors.New("Error: invalid log directory ")                 //nolint:staticcheck
)

// maxLogBytes bounds one answer; the range in its first line says what it holds.
const maxLogBytes = 16 << 20

// logRange is a piece of a log: bytes [Start, End) of Total.
type logRange struct {
	Start, End, Total int64
	Text              []byte
}

// logDir reads logs of the work directory and of nothing else: paths and
// symbolic links that lead out of it are refused by the kernel's openat rules
// (os.Root), not by comparing strings.
type logDir struct{ root *os.Root }

// read gives length bytes from offset on, or the last length bytes if offset is
// nil. The offset counts from the start of all rolled files together, oldest
// first; one outside the log is moved to its border, as Spark does.
func (d logDir) read(dir, logType string, offset *int64, length int64) (logRange, error) {
	if logType != "stdout" && logType != "stderr" {
		return logRange{}, errLogType
	}
	files, err := d.open(dir, logType)
	if err != nil {
		return logRange{}, err
	}
	defer files.close()
	total := files.total()
	length = min(max(length, 0), maxLogBytes)
	start := total - length
	if offset != nil {
		start = *offset
	}
	start = min(max(start, 0), total)
	end := min(start+length, total)
	text, err := files.read(start, end)
	if err != nil {
		return logRange{}, fmt.Errorf("Error getting logs due to exception: %w", err) //nolint:staticcheck
	}
	return logRange{Start: start, End: start + int64(len(text)), Total: total, Text: text}, nil
}

type logFile struct {
	f    *os.File
	gz   bool
	size int64 // of the plain text
}

type logSet []logFile

// open finds the rolled files and the current one, in the order of their text.
func (d logDir) open(dir, logType string) (logSet, error) {
	names, err := d.names(dir, logType)
	if err != nil {
		return nil, errLogDir
	}
	var set logSet
	for _, name := range names {
		lf, err := d.openOne(path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // rolled away meanwhile
		}
		if err != nil {
			set.close()
			return nil, fmt.Errorf("Error getting logs due to exception: %w", err) //nolint:staticcheck
		}
		set = append(set, lf)
	}
	return set, nil
}

func (d logDir) names(dir, logType string) ([]string, error) {
	f, err := d.root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), logType+"--") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return append(names, logType), nil
}

// openOne never blocks on a pipe that an executor may have put in place of its
// log.
func (d logDir) openOne(name string) (logFile, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return logFile{}, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path.Base(name))
	}
	if err != nil {
		f.Close()
		return logFile{}, err
	}
	lf := logFile{f: f, gz: strings.HasSuffix(name, ".gz"), size: st.Size()}
	if lf.gz {
		if lf.size, err = plainSize(f); err != nil {
			f.Close()
			return logFile{}, err
		}
	}
	return lf, nil
}

// plainSize unpacks to count: the length in a gzip trailer is modulo 2^32 and
// could be forged.
func plainSize(f *os.File) (int64, error) {
	z, err := gzip.NewReader(f)
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, z)
}

func (s logSet) close() {
	for _, lf := range s {
		lf.f.Close()
	}
}

func (s logSet) total() (sum int64) {
	for _, lf := range s {
		sum += lf.size
	}
	return sum
}

// read gives the text between two offsets; less if a file shrank meanwhile.
func (s logSet) read(start, end int64) ([]byte, error) {
	out := make([]byte, 0, end-start)
	for _, lf := range s {
		if from, to := max(start, 0), min(end, lf.size); from < to {
			piece, err := lf.piece(from, to)
			if err != nil {
				return nil, err
			}
			out = append(out, piece...)
		}
		start, end = start-lf.size, end-lf.size
	}
	return out, nil
}

func (lf logFile) piece(from, to int64) ([]byte, error) {
	if !lf.gz {
		return io.ReadAll(io.NewSectionReader(lf.f, from, to-from))
	}
	if _, err := lf.f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(lf.f)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, z, from); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, to-from))
}

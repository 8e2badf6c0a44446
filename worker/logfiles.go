package worker

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/firesteel/firesteel/config"
)

// drainLimit bounds how long the logs of an ended executor are waited for: a
// process that left its session may hold them open.
const drainLimit = 2 * time.Second

// logFiles are the stdout and stderr of a child. Without rolling the child
// writes to the files itself, so that no line depends on the worker's pace;
// with rolling it writes to pipes that the worker copies from.
type logFiles struct {
	stdout, stderr *os.File // the child's ends
	pipes          []*os.File
	done           []chan struct{}
}

// openLogs makes the files in dir, with the header on stderr. Files that are there are emptied, or gone on with.
func openLogs(dir, header string, cfg config.LogRolling, goOn bool, log *slog.Logger) (*logFiles, error) {
	l := &logFiles{}
	for _, target := range []struct {
		name, header string
		end          **os.File
	}{{"stdout", "", &l.stdout}, {"stderr", header, &l.stderr}} {
		var err error
		path := filepath.Join(dir, target.name)
		if cfg.Strategy == config.RollNever {
			*target.end, err = openPlain(path, target.header, goOn)
		} else {
			*target.end, err = l.openPiped(path, target.header, cfg, goOn, log)
		}
		if err != nil {
			l.closeChildEnds()
			l.drain()
			return nil, fmt.Errorf("log file %s: %w", path, err)
		}
	}
	return l, nil
}

func openPlain(path, header string, goOn bool) (*os.File, error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if !goOn {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(header); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (l *logFiles) openPiped(path, header string, cfg config.LogRolling, goOn bool, log *slog.Logger) (*os.File, error) {
	file, err := openRolling(path, cfg, goOn, time.Now, log)
	if err != nil {
		return nil, err
	}
	_, _ = file.Write([]byte(header))
	in, out, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	done := make(chan struct{})
	l.pipes, l.done = append(l.pipes, in), append(l.done, done)
	go func() {
		defer close(done)
		_, _ = io.Copy(struct{ io.Writer }{file}, in) // ends with the last writer, or at drain's deadline
		_ = file.close()
		in.Close()
	}()
	return out, nil
}

// closeChildEnds is called once the child has its own copies.
func (l *logFiles) closeChildEnds() {
	for _, f := range []*os.File{l.stdout, l.stderr} {
		if f != nil {
			f.Close()
		}
	}
}

// drain waits until the text of the ended child is in its files.
func (l *logFiles) drain() {
	for _, in := range l.pipes {
		_ = in.SetReadDeadline(time.Now().Add(drainLimit))
	}
	for _, done := range l.done {
		<-done
	}
}

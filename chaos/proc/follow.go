package proc

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// follower reads the lines of a growing file. inotify wakes it.
type follower struct {
	file   *os.File
	notify *os.File

	mu      sync.Mutex
	lines   []Line
	partial []byte
	over    bool
	changed chan struct{} // closed and replaced at every change

	stopped chan struct{}
}

func follow(path string) (*follower, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("follow a log: %w", err)
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("follow %s by inotify (see fs.inotify.max_user_instances): %w", path, err)
	}
	f := &follower{file: file, notify: os.NewFile(uintptr(fd), "inotify"), changed: make(chan struct{}), stopped: make(chan struct{})}
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err != nil {
		file.Close()
		f.notify.Close()
		return nil, fmt.Errorf("follow %s by inotify: %w", path, err)
	}
	go f.loop()
	return f, nil
}

// loop reads whenever inotify has something to say, until finish closes that.
func (f *follower) loop() {
	defer close(f.stopped)
	events := make([]byte, 4096)
	for {
		if _, err := f.notify.Read(events); err != nil {
			return
		}
		f.read()
	}
}

// read takes in all that the file has.
func (f *follower) read() {
	chunk := make([]byte, 64<<10)
	for {
		n, err := f.file.Read(chunk)
		if n > 0 {
			f.add(chunk[:n])
		}
		if err != nil { // io.EOF for now; anything else would come again
			return
		}
	}
}

func (f *follower) add(data []byte) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.partial = append(f.partial, data...)
	for {
		i := bytes.IndexByte(f.partial, '\n')
		if i < 0 {
			break
		}
		f.lines = append(f.lines, Line{At: now, Text: string(bytes.TrimRight(f.partial[:i], "\r")), N: len(f.lines)})
		f.partial = f.partial[i+1:]
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// finish is called once, when no more is to come: it reads the rest and ends the goroutine.
func (f *follower) finish() {
	f.notify.Close()
	<-f.stopped
	f.read()
	f.file.Close()
	f.mu.Lock()
	rest := len(f.partial) > 0
	f.mu.Unlock()
	if rest {
		f.add([]byte("\n"))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *follower) since(n int) []Line {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines[min(n, len(f.lines)):])
}

func (f *follower) wait(ctx context.Context, from int, re *regexp.Regexp) (Line, error) {
	for {
		f.mu.Lock()
		lines, over, changed := f.lines[min(from, len(f.lines)):], f.over, f.changed
		f.mu.Unlock()
		for _, l := range lines {
			if l.Match = re.FindStringSubmatch(l.Text); l.Match != nil {
				return l, nil
			}
		}
		from += len(lines)
		if over {
			return Line{}, ErrEnded
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Line{}, context.Cause(ctx)
		}
	}
}

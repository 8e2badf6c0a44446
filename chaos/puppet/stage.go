package puppet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Stage is where puppets show themselves.
type Stage struct {
	// Path is the socket: the first argument of a puppet. The second is its name.
	Path string

	ln net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex
	lives  []*Life
	twice  []string
	closed bool
	more   chan struct{} // closed and replaced whenever lives changes
}

// Life is one process of a puppet, from its first line to its end.
type Life struct {
	Name  string // of the puppet: of one driver, whatever runs and attempts it has
	Run   string // of the driver: the name of its working directory
	PID   int
	Began time.Time

	over  chan struct{}
	ended time.Time // set before over is closed
	conn  net.Conn

	mu    sync.Mutex
	lines []string
	more  chan struct{}
}

// NewStage listens in a directory. Its path must be short: the system takes 107 bytes.
func NewStage(dir string) (*Stage, error) {
	f, err := os.MkdirTemp(dir, "stage-")
	if err != nil {
		return nil, fmt.Errorf("open a stage: %w", err)
	}
	s := &Stage{Path: filepath.Join(f, "s"), more: make(chan struct{})}
	if s.ln, err = net.Listen("unix", s.Path); err != nil {
		return nil, fmt.Errorf("open a stage: %w", err)
	}
	s.wg.Go(s.accept)
	return s, nil
}

// Close ends the stage. Puppets that live see it, and end.
func (s *Stage) Close() error {
	err := s.ln.Close()
	s.mu.Lock()
	s.closed = true
	for _, l := range s.lives {
		l.conn.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

func (s *Stage) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return // closed
		}
		s.wg.Go(func() {
			defer conn.Close()
			s.follow(conn)
		})
	}
}

// follow is one life.
func (s *Stage) follow(conn net.Conn) {
	lines := bufio.NewScanner(conn)
	if !lines.Scan() {
		return
	}
	l, err := parseHello(lines.Text())
	if err != nil {
		return
	}
	l.conn = conn
	if !s.enter(l) {
		return
	}
	for lines.Scan() {
		l.mu.Lock()
		l.lines = append(l.lines, lines.Text())
		close(l.more)
		l.more = make(chan struct{})
		l.mu.Unlock()
	}
	l.ended = time.Now()
	close(l.over)
}

// hello is the first line of a life: its name, run and pid.
const hello = "begin %s %s %d"

func parseHello(line string) (*Life, error) {
	words := strings.Fields(line)
	if len(words) != 4 || words[0] != "begin" {
		return nil, fmt.Errorf("a puppet began with %q", line)
	}
	pid, err := strconv.Atoi(words[3])
	if err != nil {
		return nil, fmt.Errorf("a puppet began with %q: %w", line, err)
	}
	return &Life{Name: words[1], Run: words[2], PID: pid, Began: time.Now(), over: make(chan struct{}), more: make(chan struct{})}, nil
}

// enter files a new life, and notes if another one of the same puppet is not over.
func (s *Stage) enter(l *Life) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	for _, o := range s.lives {
		if o.Name == l.Name && !closed(o.over) && alive(o.PID) {
			s.twice = append(s.twice, fmt.Sprintf("%s: %v begins while %v lives", l.Name, l, o))
		}
	}
	s.lives = append(s.lives, l)
	close(s.more)
	s.more = make(chan struct{})
	return true
}

// alive tells whether a process is there and no zombie: the end of a connection may be read a moment late.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	text := string(stat)
	i := strings.LastIndexByte(text, ')')
	return i >= 0 && i+2 < len(text) && text[i+2] != 'Z' && text[i+2] != 'X'
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Twice tells of puppets that had two lives at a time. There must be none.
func (s *Stage) Twice() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.twice)
}

// Lives are those of a puppet so far, in the order in which they began; "" is for all puppets.
func (s *Stage) Lives(name string) []*Life {
	all, _ := s.look(name)
	return all
}

func (s *Stage) look(name string) (all []*Life, more <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lives {
		if name == "" || l.Name == name {
			all = append(all, l)
		}
	}
	return all, s.more
}

// Life waits for the n-th life of a puppet, from 1.
func (s *Stage) Life(ctx context.Context, name string, n int) (*Life, error) {
	for {
		all, more := s.look(name)
		if len(all) >= n {
			return all[n-1], nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for life %d of %s, which has had %v: %w", n, name, all, context.Cause(ctx))
		}
	}
}

// Over is closed when the process is gone. Ended says when that was seen.
func (l *Life) Over() <-chan struct{} { return l.over }

// Ended is the zero time while the process lives.
func (l *Life) Ended() time.Time {
	if !closed(l.over) {
		return time.Time{}
	}
	return l.ended
}

// WaitOver waits for the end of the process.
func (l *Life) WaitOver(ctx context.Context) error {
	select {
	case <-l.over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %v: %w", l, context.Cause(ctx))
	}
}

// ErrOver says that a puppet was told something and is gone.
var ErrOver = errors.New("the puppet's life is over")

// Tell gives the puppet a line, see [Run].
func (l *Life) Tell(line string) error {
	if closed(l.over) {
		return fmt.Errorf("tell %v %q: %w", l, line, ErrOver)
	}
	if _, err := fmt.Fprintln(l.conn, line); err != nil {
		return fmt.Errorf("tell %v %q: %w: %w", l, line, ErrOver, err)
	}
	return nil
}

// Said waits for a line of the puppet that begins with a word, and gives the rest of it.
func (l *Life) Said(ctx context.Context, word string) (string, error) {
	for {
		l.mu.Lock()
		more := l.more
		for _, line := range l.lines {
			if first, rest, _ := strings.Cut(line, " "); first == word {
				l.mu.Unlock()
				return rest, nil
			}
		}
		l.mu.Unlock()
		select {
		case <-more:
		case <-l.over:
			return "", fmt.Errorf("wait for %q of %v: %w", word, l, ErrOver)
		case <-ctx.Done():
			return "", fmt.Errorf("wait for %q of %v: %w", word, l, context.Cause(ctx))
		}
	}
}

func (l *Life) String() string {
	s := fmt.Sprintf("run %s of %s (pid %d, began %s", l.Run, l.Name, l.PID, l.Began.Format("15:04:05.000"))
	if end := l.Ended(); !end.IsZero() {
		s += end.Format(", over 15:04:05.000")
	}
	return s + ")"
}

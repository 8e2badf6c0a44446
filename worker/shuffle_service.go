package worker

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/config"
)

// ErrShuffleService says that the shuffle service cannot be run.
var ErrShuffleService = errors.New("the shuffle service (spark.shuffle.service.enabled) cannot be run")

// ShuffleConfig configures a ShuffleService.
type ShuffleConfig struct {
	Settings   config.Shuffle
	Home       string // of the Spark release that it is of
	Host       string // of this machine, to see whether the port answers
	Env        config.Env
	Properties map[string]string // the worker's spark.* settings, as written
	AuthSecret string
	Dir        string // where it may make a private directory
	Spawner    *Spawner
	Logger     *slog.Logger
}

// ShuffleService runs Spark's own external shuffle service in a process of its own, for as long as the worker lives. (The
// original runs the same class inside the Worker's JVM.) Where another one answers on its port it is left at that, and
// started should the other one end.
type ShuffleService struct {
	cfg ShuffleConfig
	log *slog.Logger

	cancel context.CancelFunc
	done   chan struct{}
}

const (
	shuffleStartTime = 3 * time.Minute // until its port answers; a JVM on a machine that has much else to do takes long
	shuffleKillGrace = 10 * time.Second
	firstRestart     = time.Second
	lastRestart      = time.Minute
	// otherEvery is how often another's shuffle service is asked whether it is still there.
	otherEvery = 10 * time.Second
)

// StartShuffleService returns when the port answers: executors that start before register in vain.
func StartShuffleService(ctx context.Context, cfg ShuffleConfig) (*ShuffleService, error) {
	s := &ShuffleService{cfg: cfg, log: cmp.Or(cfg.Logger, slog.Default()), done: make(chan struct{})}
	run, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	first := make(chan error, 1)
	go s.run(run, first)
	var err error
	select {
	case err = <-first:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("%w: %w", ErrShuffleService, err)
	}
	return s, nil
}

// Close stops the shuffle service and waits for its end.
func (s *ShuffleService) Close() {
	s.cancel()
	<-s.done
}

// run keeps a shuffle service there until ctx ends. The first time that there is one, or cannot be, is told.
func (s *ShuffleService) run(ctx context.Context, first chan<- error) {
	defer close(s.done)
	told := false
	tell := func(err error) {
		if !told {
			told = true
			first <- err
		}
	}
	wait := firstRestart
	for {
		began := time.Now()
		err := s.once(ctx, func() { tell(nil) })
		if ctx.Err() != nil || !told {
			tell(cmp.Or(err, ctx.Err()))
			return
		}
		if time.Since(began) > lastRestart {
			wait = firstRestart
		}
		s.log.Error("the shuffle service is gone and is started again: until then executors cannot fetch from those that are gone", "reason", err, "after", wait)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, lastRestart)
	}
}

// once has a shuffle service run to its end; ready is called when it answers.
func (s *ShuffleService) once(ctx context.Context, ready func()) error {
	port := s.cfg.Settings.Port
	holder, err := askShuffleService(ctx, s.cfg.Host, port)
	switch holder {
	case aShuffleService:
		s.log.Warn("another shuffle service answers on this machine: it is used, and none is started", "port", port)
		ready()
		return s.awaitOther(ctx)
	case somethingElse:
		return fmt.Errorf("port %d (spark.shuffle.service.port) is held by something that is no shuffle service: %w", port, cmp.Or(err, errNoAnswer))
	}
	p, logs, err := s.start()
	if err != nil {
		return err
	}
	defer func() { <-logs }()
	err = s.awaitReady(ctx, p)
	if err == nil {
		s.log.Info("shuffle service ready", "pid", p.pid, "port", port, "home", s.cfg.Home)
		ready()
		select {
		case <-p.exited:
		case <-ctx.Done():
		}
	}
	select {
	case <-p.exited:
		return cmp.Or(err, fmt.Errorf("it ended with exit code %d", p.code))
	default:
		return errors.Join(err, p.terminate(shuffleKillGrace))
	}
}

var errNoAnswer = errors.New("it does not answer as one does")

// awaitOther returns when nobody listens on the port any more. It does not ask: one that authenticates writes a stack trace
// into its log for every question.
func (s *ShuffleService) awaitOther(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(otherEvery):
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Settings.Port)))
		if err == nil {
			conn.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			return errors.New("the other shuffle service is gone")
		}
	}
}

// awaitReady returns when the port answers. A process that ends before is the error.
func (s *ShuffleService) awaitReady(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, shuffleStartTime)
	defer cancel()
	for {
		if holder, _ := askShuffleService(ctx, s.cfg.Host, s.cfg.Settings.Port); holder == aShuffleService {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("it ended with exit code %d before it answered; its log says why", p.code)
		case <-ctx.Done():
			return fmt.Errorf("it did not answer on port %d within %s", s.cfg.Settings.Port, shuffleStartTime)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// start starts the process. logs is closed when all of its text is written.
func (s *ShuffleService) start() (p *process, logs <-chan struct{}, err error) {
	dir := filepath.Join(s.cfg.Dir, "shuffle-service")
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, nil, err
	}
	launch, err := shuffleCommand(s.cfg, dir)
	if err != nil {
		return nil, nil, err
	}
	in, out, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	p, err = startProcess(s.cfg.Spawner, &exec.Cmd{Path: launch.Args[0], Args: launch.Args, Env: launch.Env, Dir: dir, Stdout: out, Stderr: out})
	out.Close()
	if err != nil {
		in.Close()
		return nil, nil, fmt.Errorf("start it: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer in.Close()
		s.copyLog(in)
	}()
	return p, done, nil
}

// copyLog writes what the shuffle service says into a file of SPARK_LOG_DIR, named as Spark's scripts do, or into the
// worker's own log where there is no such directory.
func (s *ShuffleService) copyLog(in io.Reader) {
	if dir := s.cfg.Env.Get("SPARK_LOG_DIR"); dir != "" {
		const most = 16 << 20
		keep := 5
		if n, err := strconv.Atoi(s.cfg.Env.Get("SPARK_LOG_MAX_FILES")); err == nil && n > 0 {
			keep = n
		}
		path := filepath.Join(dir, fmt.Sprintf("spark-%s-%s-1-%s.out", s.ident(), shuffleClass, hostname()))
		file, err := openRolling(path, config.LogRolling{Strategy: config.RollBySize, MaxSize: most, MaxRetainedFiles: keep}, true, time.Now, s.log)
		if err == nil {
			_, _ = io.Copy(struct{ io.Writer }{file}, in)
			_ = file.close()
			return
		}
		s.log.Warn("the shuffle service's log goes into this one", "file", path, "error", err)
	}
	lines := bufio.NewReaderSize(in, 16<<10)
	for {
		line, _, err := lines.ReadLine() // what is longer comes in pieces
		if err != nil {
			return
		}
		s.log.Info("shuffle service", "line", string(line))
	}
}

func (s *ShuffleService) ident() string {
	if id := cmp.Or(s.cfg.Env.Get("SPARK_IDENT_STRING"), s.cfg.Env.Get("USER")); id != "" {
		return id
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

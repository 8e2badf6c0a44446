package worker

import (
	"errors"
	"log/slog"
	"os/exec"
	"runtime"
	"sync"

	"github.com/firesteel/firesteel/internal/priority"
	"github.com/firesteel/firesteel/worker/guard"
)

var errSpawnerClosed = errors.New("the process spawner is closed")

// Spawner starts processes from one OS thread that lives as long as the
// Spawner. That matters because Linux delivers a parent death signal when the
// *thread* that forked ends, not the process: started from an ordinary
// goroutine, a child could be killed when the Go runtime retires its thread.
type Spawner struct {
	guard    *guard.Guard // of what is started, see startProcess; nil for none
	requests chan spawnRequest
	quit     chan struct{}
	done     chan struct{}
	once     sync.Once
}

type spawnRequest struct {
	cmd   *exec.Cmd
	reply chan error
}

// NewSpawner starts the thread.
func NewSpawner() *Spawner { return NewGuardedSpawner(nil) }

// NewGuardedSpawner starts the thread. The guard is told of what startProcess
// starts; it is not closed here. Without one (nil) descendants that leave the
// session of a process stay when it ends, and more if this worker is killed.
func NewGuardedSpawner(g *guard.Guard) *Spawner {
	s := &Spawner{guard: g, requests: make(chan spawnRequest), quit: make(chan struct{}), done: make(chan struct{})}
	go s.loop()
	return s
}

// Start runs cmd.Start on the spawner's thread.
func (s *Spawner) Start(cmd *exec.Cmd) error {
	req := spawnRequest{cmd: cmd, reply: make(chan error, 1)}
	select {
	case s.requests <- req:
		return <-req.reply
	case <-s.quit:
		return errSpawnerClosed
	}
}

// Close ends the spawner. Processes that still run keep running: the thread
// goes back to the runtime and stays alive.
func (s *Spawner) Close() {
	s.once.Do(func() { close(s.quit) })
	<-s.done
}

func (s *Spawner) loop() {
	defer close(s.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread() // returning locked would end the thread and its children
	if err := priority.LowerThread(); err != nil {
		slog.Warn("executors run with the priority of the worker", "error", err)
	}
	for {
		select {
		case req := <-s.requests:
			req.reply <- req.cmd.Start()
		case <-s.quit:
			return
		}
	}
}

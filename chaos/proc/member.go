package proc

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
)

// Member is a place for a process that dies and comes back: a master, a worker.
type Member struct {
	Name string

	run     *Run
	config  Config
	mu      sync.Mutex
	current *Process
	frozen  atomic.Bool
	ended   atomic.Bool // by us
}

// NewMember makes a place; Start fills it.
func (r *Run) NewMember(c Config) *Member { return &Member{Name: c.Name, run: r, config: c} }

// Start starts the process. A member that runs is left alone.
func (m *Member) Start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current != nil && m.current.Running() {
		return nil
	}
	p, err := m.run.Start(m.config)
	if err != nil {
		return err
	}
	m.current = p
	m.frozen.Store(false)
	m.ended.Store(false)
	return nil
}

// WasKilled tells whether we ended the latest process, by Kill or Term.
func (m *Member) WasKilled() bool { return m.ended.Load() }

// Process is the latest process; nil before the first Start.
func (m *Member) Process() *Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current
}

// Running tells whether a process is there.
func (m *Member) Running() bool { p := m.Process(); return p != nil && p.Running() }

// Answering tells whether a process is there that we have not frozen.
func (m *Member) Answering() bool { return m.Running() && !m.frozen.Load() }

// Kill sends SIGKILL to the process alone and waits until it is gone.
func (m *Member) Kill() error {
	p := m.Process()
	if p == nil {
		return nil
	}
	m.ended.Store(true)
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.Done()
	return nil
}

// Stop freezes the process by SIGSTOP: its connections stay open and nothing answers.
func (m *Member) Stop() error { m.frozen.Store(true); return m.signal(syscall.SIGSTOP) }

// Cont thaws it.
func (m *Member) Cont() error { m.frozen.Store(false); return m.signal(syscall.SIGCONT) }

func (m *Member) signal(s syscall.Signal) error {
	if p := m.Process(); p != nil {
		return p.Signal(s)
	}
	return nil
}

// Term asks the process to end by SIGTERM and waits until it did. An exit code other than 0 is an error.
func (m *Member) Term(ctx context.Context) error {
	p := m.Process()
	if p == nil || !p.Running() {
		return nil
	}
	m.ended.Store(true)
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	code, err := p.Wait(ctx)
	if err != nil {
		return fmt.Errorf("after SIGTERM: %w", err)
	}
	if code != 0 {
		return fmt.Errorf("%s ended with code %d after SIGTERM; its log %s ends with\n%s", m.Name, code, p.LogPath, p.Tail(15))
	}
	return nil
}

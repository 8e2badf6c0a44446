package diskfault

import (
	"context"
	"sync"
	"syscall"
	"time"
)

// Hang says what waits until the faults change.
type Hang string

// What can hang. Closing a file never does.
const (
	HangNothing Hang = ""
	// HangSyncs is what a program sees of a disk that does not answer: what it writes goes to the page cache, and waits there.
	HangSyncs Hang = "syncs"
	// HangWrites hangs everything that changes the disk. The page that is being written cannot be read either, not even
	// through a mapping.
	HangWrites Hang = "writes"
	// HangAll hangs reads as well; what the kernel has cached is still read.
	HangAll Hang = "all"
)

// Faults is how the disk behaves. The zero value is a disk without faults.
type Faults struct {
	Hang Hang `json:"hang,omitempty"`
	// Slow delays each write and each sync.
	Slow time.Duration `json:"slow,omitempty"`
	// Err is what writes and syncs fail with, such as EIO.
	Err syscall.Errno `json:"err,omitempty"`
	// Full has the disk report no free space, and fail with ENOSPC all that takes some. It fails overwriting too, as a
	// file system does that copies on write.
	Full bool `json:"full,omitempty"`
}

// kind is what an operation does to the disk.
type kind int

const (
	reads  kind = iota // looks
	writes             // takes space
	frees              // changes the disk, and takes none
	syncs
)

func (f Faults) hangs(k kind) bool {
	return f.Hang == HangAll || f.Hang == HangWrites && k != reads || f.Hang == HangSyncs && k == syncs
}

func (f Faults) fails(k kind) syscall.Errno {
	switch {
	case k == reads:
		return 0
	case f.Err != 0:
		return f.Err
	case f.Full && k == writes:
		return syscall.ENOSPC
	}
	return 0
}

// gate lets operations pass as the faults say.
type gate struct {
	mu      sync.Mutex
	faults  Faults
	changed chan struct{} // closed when the faults or held change
	held    int           // operations that hang
}

func newGate() *gate { return &gate{changed: make(chan struct{})} }

func (g *gate) set(f Faults) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = f
	g.tell()
}

func (g *gate) get() Faults {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.faults
}

// tell wakes who waits. The caller holds mu.
func (g *gate) tell() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// pass returns when the operation may go on, or the error that it fails with. Signals do not end a hang: the caller is in
// state D, and even SIGKILL waits.
func (g *gate) pass(k kind) syscall.Errno {
	g.mu.Lock()
	for g.faults.hangs(k) {
		g.held++
		g.tell()
		changed := g.changed
		for g.faults.hangs(k) {
			g.mu.Unlock()
			<-changed
			g.mu.Lock()
			changed = g.changed
		}
		g.held--
	}
	f := g.faults
	g.mu.Unlock()
	if f.Slow > 0 && k != reads {
		time.Sleep(f.Slow) // what a slow disk does
	}
	return f.fails(k)
}

// waitHeld returns when an operation hangs.
func (g *gate) waitHeld(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.held == 0 {
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		g.mu.Lock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

package netns

import (
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// space is a network namespace, held by a descriptor.
type space struct{ file *os.File }

// ownSpace is the namespace of the calling thread.
const ownSpace = "/proc/thread-self/ns/net"

// newSpace makes a namespace without a name.
func newSpace() (*space, error) {
	var s *space
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		var err error
		s, err = thisSpace()
		return err
	})
	return s, err
}

// thisSpace is the namespace of the calling thread, which is the process's own one unless the thread has been moved.
func thisSpace() (*space, error) {
	f, err := os.Open(ownSpace)
	if err != nil {
		return nil, fmt.Errorf("open a network namespace: %w", err)
	}
	return &space{f}, nil
}

// onThread runs f on a thread of its own, which ends with it: f may change the thread's namespace and need not
// change it back.
func onThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the runtime ends the thread with the goroutine
		result <- f()
	}()
	return <-result
}

func (s *space) fd() int { return int(s.file.Fd()) }

// do runs f on a thread inside the namespace. Sockets that f opens stay inside. Goroutines that f starts are outside.
func (s *space) do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(s.fd(), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

// links is a handle on the interfaces and routes inside, to be closed.
func (s *space) links() (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(s.fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink inside a namespace: %w", err)
	}
	return h, nil
}

func (s *space) close() error { return s.file.Close() }

// Package priority gives this process precedence over what it starts. Masters and workers share their cores with Spark's
// executors, which take all there is; a leader that is not let run for a quarter of a second loses its lease, and a
// worker that does not answer is doubted. Their own work is little, so it goes first.
package priority

import (
	"fmt"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// above is by how much: as far as a daemon goes by custom.
const above = 5

var (
	once  sync.Once
	usual int // the nice value that the process was started with
)

// Raise gives every thread of this process precedence. Without the right to do so (CAP_SYS_NICE) it changes nothing and
// says so: all works without, on cores that are not all taken.
func Raise() error {
	var err error
	once.Do(func() { err = raise() })
	return err
}

func raise() error {
	var err error
	if usual, err = nice(0); err != nil {
		return err
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list the threads of this process: %w", err)
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		// Threads that start later take over the value of the one that starts them.
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, usual-above); err != nil {
			return fmt.Errorf("take precedence over executors (nice %d): %w", usual-above, err)
		}
	}
	return nil
}

// nice gives the nice value of a thread, 0 for the calling one. The system call answers 20 - nice.
func nice(tid int) (int, error) {
	n, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
	if err != nil {
		return 0, fmt.Errorf("read the priority of this process: %w", err)
	}
	return 20 - n, nil
}

// LowerThread gives the calling OS thread, and so what it starts from now on, the priority that this process had before
// Raise. The caller has locked the thread.
func LowerThread() error {
	own, err := nice(0)
	if err != nil || own >= usual {
		return err
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), usual); err != nil {
		return fmt.Errorf("give what is started the usual priority: %w", err)
	}
	return nil
}

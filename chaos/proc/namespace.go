package proc

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// startIn starts a command inside a network namespace: a child is born in that of the thread that forks it. It runs on
// the thread that starts everything and moves it there and back.
func startIn(cmd *exec.Cmd, namespace *os.File) error {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("remember the own network namespace: %w", err)
	}
	defer home.Close()
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network namespace: %w", err)
	}
	err = cmd.Start()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		// Every later process would start in the wrong place, and the thread must not end: see starts.
		panic(fmt.Sprintf("proc: cannot leave the network namespace of a child: %v", back))
	}
	return err
}

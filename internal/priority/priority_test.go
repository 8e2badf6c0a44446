package priority

import (
	"errors"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What a lowered thread starts has the usual priority, while the process itself goes first.
func TestChildrenHaveTheUsualPriority(t *testing.T) {
	if err := Raise(); errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		t.Skip("no right to raise priorities:", err)
	} else if err != nil {
		t.Fatal(err)
	}
	if got := niceOfChild(t); got != usual-above {
		t.Errorf("a child of an ordinary thread has nice %d, want %d", got, usual-above)
	}
	result := make(chan int)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		if err := LowerThread(); err != nil {
			t.Error(err)
		}
		result <- niceOfChild(t)
	}()
	if got := <-result; got != usual {
		t.Errorf("a child of a lowered thread has nice %d, want %d", got, usual)
	}
}

func niceOfChild(t *testing.T) int {
	out, err := exec.Command("nice").Output()
	if err != nil {
		t.Error(err)
		return -100
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Error(err)
	}
	return n
}

// Package pidpipe is for tests that follow processes: scripts announce their pids in a named pipe.
package pidpipe

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Open makes the pipe, in which a script writes pids, one a line. next waits for the next one, until patience is over.
func Open(t *testing.T, patience time.Duration) (path string, next func() int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pids")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) // both ends, so that neither side waits in open
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(f)
	return path, func() int {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("no pid announced:", lines.Err())
		}
		pid, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
}

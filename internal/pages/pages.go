// Package pages lets go of a program's own pages that only its start has needed.
//
// The program's file is mapped, and what has been touched of it stays resident: a worker with clients for HDFS and S3 in it
// starts with some 20 MiB of code and tables, most of them for the beginning of packages that may never be used. The
// kernel would take these pages when it needs memory; a process that says so itself is seen to be as small as it is.
package pages

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firesteel/firesteel/internal/delay"
)

// DropAfter lets go of them a while after the start, once. An error is no reason to end anything: the pages just stay.
func DropAfter(ctx context.Context, wait time.Duration) error {
	if !delay.For(ctx, wait) {
		return nil
	}
	return Drop()
}

// Drop lets go of the pages of this program's code and constants. Those that are used again come back from the page cache.
// Only mappings that cannot be written are touched: of others it would drop what was written.
func Drop() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("drop the program's pages: %w", err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("drop the program's pages: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		from, to, ok := constant(lines.Text(), exe)
		if !ok {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("drop the program's pages at %x-%x: %w", from, to, errno)
		}
	}
	return nil
}

// constant reads a line of /proc/self/maps, as "55e0-55f0 r-xp 00001000 08:01 123    /usr/bin/clusterd": ok is false where it is
// no mapping of the program, or may be written.
func constant(line, program string) (from, to uintptr, ok bool) {
	var perms, offset, device, inode string
	if n, err := fmt.Sscanf(line, "%x-%x %s %s %s %s", &from, &to, &perms, &offset, &device, &inode); err != nil || n != 6 {
		return 0, 0, false
	}
	ok = strings.HasSuffix(line, " "+program) && strings.HasPrefix(perms, "r") && perms[1] == '-' && from < to
	return from, to, ok
}

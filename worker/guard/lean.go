package guard

import (
	"bytes"
	"encoding/binary"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// shed gives back the pages of this binary that starting it has brought in: the runtime reads much of its tables once. They
// come again, from the page cache, when they are needed. It is for a process that does nothing for most of its life.
func shed() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	fixed := notRelocated()
	for line := range bytes.Lines(maps) {
		f := strings.Fields(string(line))
		// A binary that was relocated at its start has pages of its own where it can only read; code is never among them.
		if len(f) < 6 || f[5] != exe || f[1] != "r-xp" && !(fixed && f[1] == "r--p") {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		start, errStart := strconv.ParseUint(from, 16, 64)
		end, errEnd := strconv.ParseUint(to, 16, 64)
		if errStart != nil || errEnd != nil || end <= start {
			continue
		}
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(start), uintptr(end-start), unix.MADV_DONTNEED) // or they stay
	}
}

// notRelocated tells whether this binary has fixed addresses (an ELF file of type EXEC, not DYN).
func notRelocated() bool {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return false
	}
	defer f.Close()
	var head [18]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return false
	}
	const executable = 2
	return binary.NativeEndian.Uint16(head[16:]) == executable
}

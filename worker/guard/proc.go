package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// stat is what /proc/<pid>/stat tells of a process.
type stat struct {
	pid, session int
	state        byte
	start        uint64 // clock ticks since boot; with the pid it names a process uniquely
}

func (s stat) live() bool { return s.state != 'Z' && s.state != 'X' }

var errStat = errors.New("not the format of /proc/<pid>/stat")

func readStat(pid int) (stat, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	return parseStat(pid, string(raw))
}

// parseStat counts fields from behind the command's name, which is in parentheses and may hold anything.
func parseStat(pid int, raw string) (stat, error) {
	const state, session, start = 0, 3, 19 // proc(5): fields 3, 6 and 22
	fields := strings.Fields(raw[strings.LastIndexByte(raw, ')')+1:])
	if len(fields) <= start || len(fields[state]) != 1 {
		return stat{}, fmt.Errorf("process %d: %w: %q", pid, errStat, raw)
	}
	s := stat{pid: pid, state: fields[state][0]}
	var errSession, errStart error
	s.session, errSession = strconv.Atoi(fields[session])
	s.start, errStart = strconv.ParseUint(fields[start], 10, 64)
	if err := errors.Join(errSession, errStart); err != nil {
		return stat{}, fmt.Errorf("process %d: %w: %w", pid, errStat, err)
	}
	return s, nil
}

// Start gives the start time of a process in clock ticks since boot.
func Start(pid int) (uint64, error) {
	s, err := readStat(pid)
	return s.start, err
}

// processes lists what runs; those that end meanwhile are left out.
func processes() []stat {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var all []stat
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil {
			all = append(all, s)
		}
	}
	return all
}

// environmentOf finds a variable in the environment that a process was started with. It reads until the variable is
// found, and 4 MiB at most: a driver's environment may hold its submitter's whole one.
func environmentOf(pid int, name string) (string, bool) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return "", false // gone, or not ours
	}
	defer f.Close()
	const most = 4 << 20
	raw, _ := io.ReadAll(io.LimitReader(f, most))
	prefix := []byte(name + "=")
	for v := range bytes.SplitSeq(raw, []byte{0}) {
		if value, ok := bytes.CutPrefix(v, prefix); ok {
			return string(value), true
		}
	}
	return "", false
}

// killIf sends SIGKILL to a process that is still the one meant: it is held by a pidfd while it is looked at again, so a
// pid that was given to somebody else is spared.
func killIf(pid int, meant func(stat) bool) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false // gone
	}
	defer unix.Close(fd)
	if s, err := readStat(pid); err != nil || !s.live() || !meant(s) {
		return false
	}
	return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

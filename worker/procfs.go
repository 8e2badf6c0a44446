package worker

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// killSession sends SIGKILL to every live process of session sid except its
// leader, and tells how many it found.
func killSession(sid int) int {
	found := 0
	for _, pid := range livePIDs() {
		if pid == sid || !inSession(pid, sid) {
			continue
		}
		found++
		killIfInSession(pid, sid)
	}
	return found
}

// killIfInSession holds the process by a pidfd while it looks again, so that a
// pid that was reused in between is spared.
func killIfInSession(pid, sid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // gone
	}
	defer unix.Close(fd)
	if inSession(pid, sid) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

func livePIDs() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// inSession reads /proc/<pid>/stat; zombies count as gone.
func inSession(pid, sid int) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	// The command name is in parentheses and may hold anything, so the fields
	// are counted from the last one: state, ppid, pgrp, session.
	_, rest, ok := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')')+1:]), " ")
	if !ok {
		return false
	}
	fields := strings.Fields(rest)
	return len(fields) > 3 && fields[0] != "Z" && fields[0] != "X" && fields[3] == strconv.Itoa(sid)
}

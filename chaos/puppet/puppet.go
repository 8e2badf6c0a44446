package puppet

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// variable asks our own binary to be a puppet.
const variable = "FIRESTEEL_PUPPET"

// PlayIfAsked must be the first thing in main or TestMain of every program that calls [JavaHome]. In a process that was
// started as such a Java it is a puppet and never returns.
func PlayIfAsked() {
	if os.Getenv(variable) == "" {
		return
	}
	code, err := Run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "puppet:", err)
	}
	os.Exit(code)
}

// JavaHome makes a JAVA_HOME under dir of which every program is a puppet: it obeys its last arguments, the stage's path, its
// own name and perhaps the lines to begin with, all in one argument each. Whatever stands before them, such as a class path, is
// ignored.
func JavaHome(dir string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("make a Java of puppets: %w", err)
	}
	home := filepath.Join(dir, "puppet-java")
	if err := os.MkdirAll(filepath.Join(home, "bin"), 0o755); err != nil {
		return "", fmt.Errorf("make a Java of puppets: %w", err)
	}
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", variable, strings.ReplaceAll(self, "'", `'\''`))
	if err := os.WriteFile(filepath.Join(home, "bin", "java"), []byte(script), 0o755); err != nil {
		return "", fmt.Errorf("make a Java of puppets: %w", err)
	}
	return home, nil
}

// Args are the arguments of a puppet. do is what it is to do first of all, lines as for [Life.Tell].
func (s *Stage) Args(name string, do ...string) []string {
	return []string{begin, s.Path, name, strings.Join(do, "\n")}
}

// begin stands before a puppet's arguments.
const begin = "puppet"

// Exit codes of a puppet that were not asked for: nobody tells it anything, or not what it knows.
const (
	exitLost = 97
	exitBad  = 98
)

// Run is the life of a puppet: it connects, says who it is, and obeys
//
//	exit N      end with this code
//	stubborn    SIGTERM does nothing from now on
//	say WORDS   write a line to the stage
//	print WORDS write a line to standard output
//
// until it is told to end, or the stage is gone.
func Run(args []string) (code int, err error) {
	var path, name, first string
	for i, a := range args {
		if a == begin && i+3 < len(args) {
			path, name, first = args[i+1], args[i+2], args[i+3]
		}
	}
	if path == "" {
		return exitBad, fmt.Errorf("no arguments of a puppet in %q", args)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		return exitLost, fmt.Errorf("the stage is gone: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return exitBad, err
	}
	if _, err := fmt.Fprintf(conn, hello+"\n", name, filepath.Base(dir), os.Getpid()); err != nil {
		return exitLost, err
	}
	for line := range strings.Lines(first) {
		if code, over := obey(conn, strings.TrimSpace(line)); over {
			return code, nil
		}
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if code, over := obey(conn, lines.Text()); over {
			return code, nil
		}
	}
	return exitLost, nil
}

func obey(conn net.Conn, line string) (code int, over bool) {
	switch word, rest, _ := strings.Cut(line, " "); word {
	case "":
	case "exit":
		code, err := strconv.Atoi(rest)
		if err != nil {
			return exitBad, true
		}
		return code, true
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		_, _ = fmt.Fprintln(conn, "stubborn") // a stage that is gone shows when it is read
	case "say":
		_, _ = fmt.Fprintln(conn, rest)
	case "print":
		fmt.Println(rest)
	default:
		return exitBad, true
	}
	return 0, false
}

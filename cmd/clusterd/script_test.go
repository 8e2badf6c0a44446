package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/membership"
	"github.com/rogpeppe/go-internal/testscript"
)

// The commands of testdata/script run this binary as clusterd.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"clusterd": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Deadline: time.Now().Add(patience),
		Dir:      filepath.Join("testdata", "script"),
		Condition: func(name string) (bool, error) {
			if name != "sparkhome" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return sparkHome() != "", nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("TEST_SPARK_HOME", sparkHome())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"refused": refused, "taken": taken, "loadskey": loadsKey},
	})
}

// sparkHome is a Spark of this machine for the scripts that need one; empty where none is named.
func sparkHome() string {
	if homes := filepath.SplitList(os.Getenv("FIRESTEEL_SPARK_HOMES")); len(homes) > 0 {
		return homes[0]
	}
	return ""
}

// refused CODE clusterd ARGS...: the command ends with this code, has printed nothing but one line that begins with
// "clusterd: " to stderr, and that line is neither a usage dump nor a stack. A script matches it by stderr afterwards.
func refused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: refused CODE COMMAND ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		ts.Fatalf("it was not refused: %v", err)
	}
	out, line := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	switch {
	case exit.ExitCode() != want:
		ts.Fatalf("exit code %d, want %d: %s", exit.ExitCode(), want, line)
	case out != "":
		ts.Fatalf("it printed to stdout: %s", out)
	case strings.Count(line, "\n") != 1, !strings.HasPrefix(line, "clusterd: "), len(line) > 500:
		ts.Fatalf("not one short line of clusterd: %s", line)
	case strings.Contains(line, "goroutine"), strings.Contains(line, "USAGE"):
		ts.Fatalf("a dump: %s", line)
	}
}

// taken NAME...: each variable gets the number of a port of loopback that is in use, TCP and UDP, until the script ends.
func taken(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Defer(func() { ln.Close() })
		ts.Setenv(name, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
	}
}

// loadskey FILE: the file is taken as a gossip key.
func loadsKey(ts *testscript.TestScript, _ bool, args []string) {
	key, err := membership.LoadKeyFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(key) != membership.KeySize {
		ts.Fatalf("%d bytes", len(key))
	}
	fmt.Fprintln(ts.Stdout(), "a key")
}

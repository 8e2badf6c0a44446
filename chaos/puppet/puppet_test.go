package puppet

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	PlayIfAsked()
	os.Exit(m.Run())
}

func stage(t *testing.T) (*Stage, string, context.Context) {
	t.Helper()
	dir, err := os.MkdirTemp("", "puppet-") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err := NewStage(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	java, err := JavaHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return s, java, ctx
}

func start(t *testing.T, s *Stage, java, name string, do ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(java, "bin", "java"), append([]string{"-cp", "x", "Main"}, s.Args(name, do...)...)...)
	cmd.Dir = filepath.Join(filepath.Dir(java), name+"-run")
	if err := os.MkdirAll(cmd.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func TestLives(t *testing.T) {
	t.Parallel()
	s, java, ctx := stage(t)
	cmd := start(t, s, java, "a", "say hello to you")
	l, err := s.Life(ctx, "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	if l.Run != "a-run" || l.PID != cmd.Process.Pid || !l.Ended().IsZero() {
		t.Errorf("%v, pid %d", l, cmd.Process.Pid)
	}
	if rest, err := l.Said(ctx, "hello"); err != nil || rest != "to you" {
		t.Errorf("%q, %v", rest, err)
	}
	if err := l.Tell("exit 3"); err != nil {
		t.Fatal(err)
	}
	if err := l.WaitOver(ctx); err != nil || l.Ended().IsZero() {
		t.Fatal(l, err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("it ended with %v", err)
	}
	if err := l.Tell("exit 4"); !errors.Is(err, ErrOver) {
		t.Errorf("told after its end: %v", err)
	}
	if cmd := start(t, s, java, "b", "exit 0"); cmd.Wait() != nil {
		t.Error("it was told to end well")
	}
	if n := len(s.Lives("")); n != 2 || len(s.Twice()) != 0 {
		t.Errorf("%d lives, %v", n, s.Twice())
	}
}

// A stage that sees nothing proves nothing.
func TestTwoAtATimeAreSeen(t *testing.T) {
	t.Parallel()
	s, java, ctx := stage(t)
	for i := range 2 {
		start(t, s, java, "a")
		if _, err := s.Life(ctx, "a", i+1); err != nil {
			t.Fatal(err)
		}
	}
	start(t, s, java, "b")
	if _, err := s.Life(ctx, "b", 1); err != nil {
		t.Fatal(err)
	}
	if twice := s.Twice(); len(twice) != 1 {
		t.Errorf("seen: %v", twice)
	}
}

func TestStubborn(t *testing.T) {
	t.Parallel()
	s, java, ctx := stage(t)
	cmd := start(t, s, java, "a", "stubborn")
	l, err := s.Life(ctx, "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Said(ctx, "stubborn"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := l.Tell("say there"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Said(ctx, "there"); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := l.WaitOver(ctx); err != nil {
		t.Fatal(err)
	}
}

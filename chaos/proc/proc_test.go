package proc

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newRun(t *testing.T) (*Run, context.Context) {
	t.Helper()
	r, err := NewRun(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Sweep() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return r, ctx
}

func shell(t *testing.T, r *Run, script string, env ...string) *Process {
	t.Helper()
	p, err := r.Start(Config{Name: "sh", Path: "/bin/sh", Args: []string{"-c", script}, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLinesAreEvents(t *testing.T) {
	t.Parallel()
	r, ctx := newRun(t)
	p := shell(t, r, "echo one 1; echo two 2; echo one 3; printf 'no newline 4'; exit 7")
	one := regexp.MustCompile(`^one (\d)`)
	first, err := p.WaitFor(ctx, one)
	if err != nil || first.Match[1] != "1" {
		t.Errorf("first: %+v, %v", first, err)
	}
	if next, err := p.WaitNext(ctx, first.N+1, one); err != nil || next.Match[1] != "3" {
		t.Errorf("next: %+v, %v", next, err)
	}
	if last, err := p.WaitFor(ctx, regexp.MustCompile(`^no newline (\d)$`)); err != nil || last.Match[1] != "4" {
		t.Errorf("last: %+v, %v", last, err)
	}
	if code, err := p.Wait(ctx); err != nil || code != 7 {
		t.Errorf("exit code %d, %v", code, err)
	}
	if _, err := p.WaitFor(ctx, regexp.MustCompile("never")); !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "no newline 4") {
		t.Errorf("a line that never came: %v", err)
	}
	if n := len(p.Find(one)); n != 2 {
		t.Errorf("found %d lines", n)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r, _ := newRun(t)
	p := shell(t, r, "exec sleep 1000")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.WaitFor(ctx, regexp.MustCompile("never")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("PROC_TEST_DROPPED", "x")
	t.Setenv("PROC_TEST_CHANGED", "x")
	r, ctx := newRun(t)
	p := shell(t, r, `echo "[$PROC_TEST_DROPPED][$PROC_TEST_CHANGED]"`, "PROC_TEST_DROPPED", "PROC_TEST_CHANGED=y", "PROC_TEST_CHANGED=z")
	if _, err := p.WaitFor(ctx, regexp.MustCompile(`^\[\]\[z\]$`)); err != nil {
		t.Error(err)
	}
}

// A grandchild in a process group of its own, whose parents are dead, is still found, and swept away.
func TestNothingEscapes(t *testing.T) {
	t.Parallel()
	r, ctx := newRun(t)
	p := shell(t, r, `setsid sh -c 'setsid sleep 1000 & echo child $!' & wait`)
	if _, err := p.WaitFor(ctx, regexp.MustCompile(`child \d+`)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	alive, err := r.Alive()
	if err != nil || len(alive) != 1 || !strings.Contains(alive[0].Command, "sleep 1000") {
		t.Fatalf("alive: %v, %v", alive, err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if err := r.WaitGone(short, nil); err == nil {
		t.Error("WaitGone says that all are gone")
	}
	if killed := r.Sweep(); len(killed) != 1 {
		t.Errorf("swept %v", killed)
	}
	if err := r.WaitGone(ctx, nil); err != nil {
		t.Error(err)
	}
}

func TestMember(t *testing.T) {
	t.Parallel()
	r, ctx := newRun(t)
	m := r.NewMember(Config{Name: "m", Path: "/bin/sh", Args: []string{"-c", `trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done`}})
	ready := regexp.MustCompile("^ready$")
	for range 2 { // it dies and comes back, with a log of its own each time
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Process().WaitFor(ctx, ready); err != nil {
			t.Fatal(err)
		}
		if err := m.Kill(); err != nil || m.Running() || !m.WasKilled() {
			t.Errorf("after Kill: %v, running %v", err, m.Running())
		}
		if code, _ := m.Process().Wait(ctx); code != 128+int(syscall.SIGKILL) {
			t.Errorf("exit code %d", code)
		}
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Process().WaitFor(ctx, ready); err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(); err != nil || m.Answering() || !m.Running() {
		t.Errorf("after Stop: %v", err)
	}
	if err := m.Cont(); err != nil || !m.Answering() {
		t.Errorf("after Cont: %v", err)
	}
	if err := m.Term(ctx); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(r.Dir + "/m.3.log"); err != nil {
		t.Error(err)
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	ports, err := Ports(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		if p < lowestPort || p >= highestPort || seen[p] {
			t.Errorf("port %d of %v", p, ports)
		}
		seen[p] = true
	}
}

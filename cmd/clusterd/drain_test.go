package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/firesteel/firesteel/config"
)

func TestDrainSignal(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]syscall.Signal{
		"PWR": syscall.SIGPWR, "USR2": syscall.SIGUSR2, "TERM": syscall.SIGTERM, "KILL": 0, "STOP": 0, "NONSENSE": 0, "": 0,
	} {
		if got := drainSignal(config.Worker{DecommissionSignal: name}); got != want {
			t.Errorf("%q: signal %d, want %d", name, got, want)
		}
	}
}

// watchedLog lets a test wait for what is logged.
type watchedLog struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func (l *watchedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		select {
		case l.wrote <- struct{}{}:
		default:
		}
	}()
	return l.text.Write(b)
}

func (l *watchedLog) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// Both in one test, which is not parallel: a signal is the whole process's, and so is the log.
func TestDrainOnSignal(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	drained := make(chan struct{}, 10)
	drainOn(ctx, syscall.SIGPWR, true, func() { drained <- struct{}{} })
	for range 2 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGPWR); err != nil {
			t.Fatal(err)
		}
		select {
		case <-drained:
		case <-time.After(patience):
			t.Fatal("the signal drains nothing")
		}
	}
	stop()

	before := slog.Default()
	defer slog.SetDefault(before)
	log := &watchedLog{wrote: make(chan struct{}, 1)}
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	ctx, stop = context.WithCancel(t.Context())
	defer stop()
	drainOn(ctx, syscall.SIGPWR, false, func() { t.Error("drained where that is disabled") })
	drainOn(ctx, 0, true, func() { t.Error("drained by no signal") })
	if err := syscall.Kill(os.Getpid(), syscall.SIGPWR); err != nil {
		t.Fatal(err)
	}
	late := time.After(patience)
	for !log.has("spark.decommission.enabled does not allow") {
		select {
		case <-log.wrote:
		case <-late:
			t.Fatal("nothing was said")
		}
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Exit codes. docs/clusterctl.md has the table; scripts rely on it.
const (
	exitOK          = 0
	exitFailed      = 1 // refused, or went wrong
	exitUsage       = 2 // a command line that cannot be used
	exitUnavailable = 3 // no master answered, or nobody leads: nothing is known of the outcome
	exitNotFound    = 4 // no such worker, application, driver, master or log
	exitTimeout     = 5 // --wait-timeout has passed; the driver goes on

	exitDriverFailed  = 10
	exitDriverKilled  = 11
	exitDriverError   = 12 // it could not be started, or its worker was lost
	exitDriverUnknown = 13 // it is over, and how it ended is not known any more

	exitInterrupted = 130
)

// exitError is an error that decides the exit code. Without a text nothing is printed: all was said already.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

func exit(code int, format string, args ...any) error {
	return &exitError{code, fmt.Sprintf(format, args...)}
}

func exitCode(err error) int {
	var own *exitError
	switch {
	case errors.As(err, &own):
		return own.code
	case errors.Is(err, usage.Err):
		return exitUsage
	case errors.Is(err, errNoMaster):
		return exitUnavailable
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	switch codeOf(err) {
	case codes.NotFound:
		return exitNotFound
	case codes.Unavailable, codes.DeadlineExceeded:
		return exitUnavailable
	case codes.Canceled:
		return exitInterrupted
	}
	return exitFailed
}

// codeOf is the gRPC code of an error, Unknown for one that comes from elsewhere.
func codeOf(err error) codes.Code {
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return codes.Unknown
}

// oneLine is what a person is told: without gRPC's own words, and in one line.
func oneLine(err error) string {
	text := err.Error()
	if s, ok := status.FromError(err); ok {
		text = s.Message()
	}
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	return strings.Join(strings.Fields(text), " ")
}

// Command clusterctl is the operator's tool for a Firesteel cluster: it asks any master over gRPC, and prints.
//
// It keeps no configuration and no state. Every master of --address is tried in turn, so that a dead, frozen or unreachable
// one costs a second or so; what it asks for may be asked twice without harm. docs/clusterctl.md describes its commands,
// the keys of -o json and the exit codes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	app := newApp()
	if err := app.RunContext(ctx, flagsFirst(app, os.Args)); err != nil {
		if text := oneLine(err); text != "" {
			fmt.Fprintln(os.Stderr, "clusterctl: "+text)
		}
		return exitCode(err)
	}
	return exitOK
}

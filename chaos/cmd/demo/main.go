// Command demo shows what Firesteel does; scripts/demo sets the machine up for it and runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/firesteel/firesteel/chaos/demo"
)

func main() {
	keep := flag.Bool("keep", false, "leave the cluster up and print its addresses")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo.Run(ctx, demo.Config{Out: os.Stdout, Keep: *keep}); err != nil {
		fmt.Fprintf(os.Stdout, "\nFAIL: %v\n", err)
		stop()
		os.Exit(1)
	}
	fmt.Println("\nPASS")
}

package diskfault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// serveVariable asks our own binary to serve a disk; its value is a Config.
const serveVariable = "FIRESTEEL_DISKFAULT"

// request is a line to the serving process, and answer a line from it.
type request struct {
	Set       *Faults `json:"set,omitempty"`
	PowerLoss *uint64 `json:"power_loss,omitempty"` // the seed
	WaitHeld  bool    `json:"wait_held,omitempty"`
}

type answer struct {
	Lost int    `json:"lost,omitempty"`
	Err  string `json:"err,omitempty"`
}

// heldLimit bounds a WaitHeld: one that comes never must not keep other requests.
const heldLimit = time.Minute

// ServeIfAsked must be the first thing in main or TestMain of every program that calls [Mount]. In the process that Mount
// has started it serves the disk and never returns.
func ServeIfAsked() {
	asked := os.Getenv(serveVariable)
	if asked == "" {
		return
	}
	// The end of standard input ends us, not a Ctrl-C at the terminal: what is mounted must be released first.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := serve(asked, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "diskfault:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(asked string, in io.Reader, out io.Writer) error {
	replies := json.NewEncoder(out)
	var cfg Config
	if err := json.Unmarshal([]byte(asked), &cfg); err != nil {
		return err
	}
	g := newGate()
	j, err := newJournal(cfg.Backing + ".trash")
	if err == nil {
		err = mount(cfg, g, j)
	}
	if err != nil {
		return replies.Encode(answer{Err: err.Error()})
	}
	defer func() {
		g.set(Faults{})
		// Lazily: who has files open keeps them, and fails from the end of this process on.
		_ = syscall.Unmount(cfg.Point, syscall.MNT_DETACH)
		_ = os.RemoveAll(j.trash)
	}()
	if err := replies.Encode(answer{}); err != nil {
		return err
	}
	go releaseOrphans(os.Getppid(), g)
	for requests := json.NewDecoder(in); ; {
		var r request
		if err := requests.Decode(&r); err != nil {
			return nil // who mounted is gone
		}
		if err := replies.Encode(obey(r, g, j)); err != nil {
			return nil
		}
	}
}

// releaseOrphans ends the faults when the process that mounted the disk has been killed. If one of its own threads hangs on
// the disk, the kernel cannot end it, and so does not close our standard input; it tells nobody either.
func releaseOrphans(parent int, g *gate) {
	for range time.Tick(200 * time.Millisecond) {
		if dying(parent) {
			g.set(Faults{})
			return
		}
	}
}

// dying tells whether the process has ended, or has a SIGKILL waiting for its first thread.
func dying(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch name {
		case "State":
			if strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X") {
				return true
			}
		case "SigPnd", "ShdPnd":
			if set, err := strconv.ParseUint(value, 16, 64); err == nil && set&(1<<(syscall.SIGKILL-1)) != 0 {
				return true
			}
		}
	}
	return false
}

func mount(cfg Config, g *gate, j *journal) error {
	root, err := newRoot(cfg.Backing, g, j)
	if err != nil {
		return err
	}
	var never time.Duration // names and sizes are asked for each time: a power loss changes them
	_, err = fs.Mount(cfg.Point, root, &fs.Options{
		EntryTimeout: &never, AttrTimeout: &never,
		MountOptions: fuse.MountOptions{
			DirectMountStrict: true, // no fusermount needed
			FsName:            cfg.Backing, Name: "diskfault", DisableXAttrs: true,
			// The kernel keeps what it wrote and read, as it does for a disk; opening a file anew forgets it.
			ExplicitDataCacheControl: true,
			Logger:                   log.New(io.Discard, "", 0),
		},
	})
	return err
}

func obey(r request, g *gate, j *journal) answer {
	var a answer
	var err error
	switch {
	case r.Set != nil:
		g.set(*r.Set)
	case r.PowerLoss != nil:
		a.Lost, err = j.drop(*r.PowerLoss)
	case r.WaitHeld:
		ctx, cancel := context.WithTimeout(context.Background(), heldLimit)
		err = g.waitHeld(ctx)
		cancel()
	}
	if err != nil {
		a.Err = err.Error()
	}
	return a
}

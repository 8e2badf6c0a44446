package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
	"google.golang.org/grpc/codes"
)

const (
	// watchSilence is how long a master that tells of a driver may say nothing: it says something every second.
	watchSilence = 3 * time.Second
	// blindFor is how long no master at all may answer before a wait is given up. A failover takes a second or two.
	blindFor = 2 * time.Minute
)

func waitTimeoutFlag() cli.Flag {
	return &cli.DurationFlag{Name: "wait-timeout", Usage: "stop waiting after `TIME`; the driver goes on (default: wait for ever)"}
}

func runDriverWait(c *cli.Context) error {
	return with(c, 1, 1, "the ID of a driver", func(ctx context.Context, cl *client) error {
		return waitFor(c, ctx, cl, c.Args().First(), false)
	})
}

var errWaitTimeout = errors.New("--wait-timeout has passed")

// waitFor follows a driver to its end, shows it, and makes its result the exit code. An id that was just given to us is known
// to exist: where nobody knows it any more it has ended, and was forgotten.
func waitFor(c *cli.Context, ctx context.Context, cl *client, id string, ours bool) error {
	if d := c.Duration("wait-timeout"); d < 0 {
		return usage.Errorf(c, "--wait-timeout %s: give a time above 0", d)
	} else if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, errWaitTimeout)
		defer cancel()
	}
	cl.learn(ctx)
	w := watcher{client: cl, id: id, known: ours, say: func(string, ...any) {}}
	if forPeople(c) {
		w.say = func(format string, args ...any) { fmt.Fprintf(c.App.ErrWriter, format+"\n", args...) }
	}
	d, err := w.run(ctx)
	switch {
	case errors.Is(context.Cause(ctx), errWaitTimeout):
		return exit(exitTimeout, "driver %s is not over after %s; it goes on", id, c.Duration("wait-timeout"))
	case codeOf(err) == codes.NotFound && w.known:
		return exit(exitDriverUnknown, "driver %s is over, and its result is not known any more (spark.deploy.retainedDrivers)", id)
	case err != nil:
		return err
	}
	if err := show(c, &driverShownJSON{driverJSON: d}); err != nil {
		return err
	}
	return resultOf(d)
}

// resultOf makes an exit code of a driver's end.
func resultOf(d driverJSON) error {
	code, ok := map[string]int{"FAILED": exitDriverFailed, "KILLED": exitDriverKilled, "ERROR": exitDriverError}[d.State]
	switch {
	case d.State == "FINISHED":
		return nil
	case !ok:
		code = exitDriverUnknown
	}
	if d.Exception != "" {
		return exit(code, "driver %s %s: %s", d.ID, d.State, firstLine(d.Exception))
	}
	return exit(code, "driver %s %s", d.ID, d.State)
}

// watcher follows one driver over the masters' deaths.
type watcher struct {
	*client
	id    string
	known bool // some master has known it
	last  string
	say   func(format string, args ...any) // what changes, for people
}

// run returns the driver when it is over.
func (w *watcher) run(ctx context.Context) (driverJSON, error) {
	heard := time.Now()
	for {
		var failed []*failure
		for _, addr := range w.list() {
			d, got, err := w.follow(ctx, addr)
			if err == nil {
				return d, nil
			}
			if ctx.Err() != nil {
				return d, ctx.Err()
			}
			if final(err) {
				return d, err
			}
			w.avoid(addr)
			if failed = append(failed, &failure{addr: addr, err: err}); got {
				heard = time.Now()
				break // it was well until now: begin anew with the others
			}
		}
		if time.Since(heard) > blindFor {
			return driverJSON{}, noMaster(failed, true, blindFor)
		}
		select {
		case <-time.After(roundPause):
		case <-ctx.Done():
			return driverJSON{}, ctx.Err()
		}
	}
}

// follow listens to one master until the driver is over, or the master is silent.
func (w *watcher) follow(ctx context.Context, addr string) (d driverJSON, got bool, err error) {
	m, err := w.master(addr)
	if err != nil {
		return d, false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(watchSilence, func() { cancel(errSilent) })
	defer silence.Stop()
	stream, err := m.admin.WatchDriver(ctx, &clusterpb.WatchDriverRequest{Id: w.id})
	for err == nil {
		var reply *clusterpb.WatchDriverReply
		if reply, err = stream.Recv(); err != nil {
			break
		}
		silence.Reset(watchSilence)
		d, got, w.known = driverOf(reply.GetDriver()), true, true
		w.tell(d)
		if d.Ended != 0 {
			return d, true, nil
		}
	}
	if errors.Is(context.Cause(ctx), errSilent) {
		err = errSilent
	}
	return d, got, err
}

func (w *watcher) tell(d driverJSON) {
	now := d.State
	if d.State == "RUNNING" {
		now += " on " + d.Worker
	} else if d.WaitsFor != "" {
		now += ": " + d.WaitsFor
	}
	if now != w.last && d.Ended == 0 {
		w.say("%s %s", d.ID, now)
	}
	w.last = now
}

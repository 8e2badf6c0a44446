package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
	"google.golang.org/grpc/codes"
)

const (
	logPiece = 1 << 20 // what is asked for at once
	logPause = 500 * time.Millisecond
)

func logsCommand() *cli.Command {
	return &cli.Command{
		Name: "logs", Usage: "the output of a driver or an executor, also of one that is over", ArgsUsage: "DRIVER | APP/EXECUTOR",
		Description: "The master that is asked fetches it from the worker's log pages, with what is redacted there; JVM workers have them too.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "type", Aliases: []string{"t"}, Value: "stdout", Usage: "`LOG`: stdout or stderr; Spark's own log is on stderr"},
			&cli.BoolFlag{Name: "stderr", Usage: "the same as --type stderr"},
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on until it is over"},
			&cli.Int64Flag{Name: "tail", Value: -1, Usage: "only the last `N` bytes (default: all)"},
		},
		Action: runLogs,
	}
}

func runLogs(c *cli.Context) error {
	return with(c, 1, 2, "the ID of a driver, or APP/EXECUTOR", func(ctx context.Context, cl *client) error {
		r, err := logRequest(c)
		if err != nil {
			return err
		}
		if c.Bool("follow") {
			cl.learn(ctx)
		}
		l := logReader{client: cl, request: r, write: func(b []byte) error { _, err := c.App.Writer.Write(b); return err }}
		l.warn = func(format string, args ...any) { fmt.Fprintf(c.App.ErrWriter, "clusterctl: "+format+"\n", args...) }
		return l.run(ctx, c.Int64("tail"), c.Bool("follow"))
	})
}

func logRequest(c *cli.Context) (*clusterpb.ReadLogRequest, error) {
	r := &clusterpb.ReadLogRequest{LogType: c.String("type"), Length: logPiece}
	if c.Bool("stderr") {
		r.LogType = "stderr"
	}
	if r.LogType != "stdout" && r.LogType != "stderr" {
		return nil, usage.Errorf(c, "--type %q: use stdout or stderr", r.LogType)
	}
	subject := strings.Join(c.Args().Slice(), "/")
	app, executor, ofApp := strings.Cut(subject, "/")
	if !ofApp {
		if strings.HasPrefix(subject, "app-") {
			return nil, usage.Errorf(c, "%s is an application: name one of its executors, %s/0; app show lists them", subject, subject)
		}
		r.DriverId = subject
		return r, nil
	}
	n, err := strconv.ParseInt(executor, 10, 32)
	if err != nil || n < 0 {
		return nil, usage.Errorf(c, "%q is no number of an executor", executor)
	}
	r.AppId, r.ExecutorId = app, int32(n)
	return r, nil
}

// logReader reads a log piece by piece. Where it is, it knows itself, so any master can go on for another.
type logReader struct {
	*client
	request *clusterpb.ReadLogRequest
	subject string // whose output it is: another run of a driver has output of its own
	write   func([]byte) error
	warn    func(format string, args ...any)
	warned  string
}

func (l *logReader) run(ctx context.Context, tail int64, follow bool) error {
	piece, err := l.first(ctx, tail)
	for {
		switch {
		case err != nil && !(follow && l.mayCome(err)):
			return err
		case err != nil:
			l.complain(oneLine(err))
		default:
			if err := l.take(piece); err != nil {
				return err
			}
			if piece.GetEnd() >= piece.GetTotal() && (!follow || piece.GetEnded() && len(piece.GetText()) == 0) {
				return nil
			}
		}
		if err != nil || piece.GetEnd() >= piece.GetTotal() {
			select {
			case <-time.After(logPause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		piece, err = l.read(ctx)
	}
}

// first is where to begin: at the start, or so many bytes before the end.
func (l *logReader) first(ctx context.Context, tail int64) (*clusterpb.ReadLogReply, error) {
	l.request.Offset = 0
	if tail >= 0 {
		l.request.Offset, l.request.Length = -1, 1
		end, err := l.read(ctx)
		l.request.Offset, l.request.Length = 0, logPiece
		if err != nil {
			return nil, err
		}
		l.request.Offset = max(end.GetTotal()-tail, 0)
	}
	return l.read(ctx)
}

// mayCome tells whether a log that is followed may be there in a moment: its driver waits for a worker, or what was there
// is only not to be reached.
func (l *logReader) mayCome(err error) bool {
	if codeOf(err) == codes.FailedPrecondition {
		return l.request.GetDriverId() != ""
	}
	return l.subject != "" && (errors.Is(err, errNoMaster) || codeOf(err) == codes.Unavailable)
}

// complain warns of what is new only: a log is asked for twice a second.
func (l *logReader) complain(text string) {
	if text != l.warned {
		l.warn("%s; trying again", text)
	}
	l.warned = text
}

// read gives the next piece. Where the driver is in another run by now, it is the first of that.
func (l *logReader) read(ctx context.Context) (*clusterpb.ReadLogReply, error) {
	for {
		piece, err := ask(ctx, l.client, func(ctx context.Context, m master) (*clusterpb.ReadLogReply, error) {
			return m.admin.ReadLog(ctx, l.request)
		})
		if err != nil {
			return nil, err
		}
		before := l.subject
		if l.subject = piece.GetSubject(); before == "" || before == l.subject {
			return piece, nil
		}
		l.warn("from here on it is %s, on worker %s", l.subject, piece.GetWorkerId())
		l.request.Offset = 0
	}
}

func (l *logReader) take(piece *clusterpb.ReadLogReply) error {
	l.warned = ""
	if piece.GetStart() != l.request.Offset {
		l.warn("the log is %d bytes long now: older files of it were deleted meanwhile, and some of it may be missing here", piece.GetTotal())
	}
	l.request.Offset = piece.GetEnd()
	return l.write(piece.GetText())
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

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
		return nil, usage(c, "--type %q: use stdout or stderr", r.LogType)
	}
	subject := strings.Join(c.Args().Slice(), "/")
	app, executor, ofApp := strings.Cut(subject, "/")
	if !ofApp {
		if strings.HasPrefix(subject, "app-") {
			return nil, usage(c, "%s is an application: name one of its executors, %s/0; app show lists them", subject, subject)
		}
		r.DriverId = subject
		return r, nil
	}
	n, err := strconv.ParseInt(executor, 10, 32)
	if err != nil || n < 0 {
		return nil, usage(c, "%q is no number of an executor", executor)
	}
	r.AppId, r.ExecutorId = app, int32(n)
	return r, nil
}

// logReader reads a log piece by piece. Where it is, it knows itself, so any master can go on for another.
type logReader struct {
	*client
	request *clusterpb.ReadLogRequest
	write   func([]byte) error
	warn    func(format string, args ...any)
}

func (l *logReader) run(ctx context.Context, tail int64, follow bool) error {
	piece, err := l.first(ctx, tail)
	for pauses := 0; ; {
		switch {
		case err != nil && follow && pauses > 0 && patient(err):
			l.warn("%s; trying again", oneLine(err))
		case err != nil:
			return err
		default:
			if err := l.take(piece); err != nil {
				return err
			}
			if piece.GetEnd() >= piece.GetTotal() && (!follow || piece.GetEnded() && len(piece.GetText()) == 0) {
				return nil
			}
		}
		if err != nil || piece.GetEnd() >= piece.GetTotal() {
			pauses++
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
		if err != nil {
			return nil, err
		}
		l.request.Offset, l.request.Length = max(end.GetTotal()-tail, 0), logPiece
	}
	return l.read(ctx)
}

// patient tells whether a log that is followed may be there again in a moment.
func patient(err error) bool {
	return errors.Is(err, errNoMaster) || codeOf(err) == codes.Unavailable
}

func (l *logReader) read(ctx context.Context) (*clusterpb.ReadLogReply, error) {
	return ask(ctx, l.client, func(ctx context.Context, m master) (*clusterpb.ReadLogReply, error) {
		return m.admin.ReadLog(ctx, l.request)
	})
}

func (l *logReader) take(piece *clusterpb.ReadLogReply) error {
	if piece.GetStart() != l.request.Offset {
		l.warn("the log is %d bytes long now: older files of it were deleted meanwhile, and some of it may be missing here", piece.GetTotal())
	}
	l.request.Offset = piece.GetEnd()
	return l.write(piece.GetText())
}

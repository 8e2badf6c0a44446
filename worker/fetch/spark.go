package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/firesteel/firesteel/spark/wire"
)

// openSpark asks a driver's file server: /jars/NAME, /files/NAME or a folder such as /classes/... (NettyStreamManager).
func openSpark(ctx context.Context, r *request) (source, error) {
	kind, name, _ := strings.Cut(strings.TrimPrefix(r.url.Path, "/"), "/")
	if r.url.Hostname() == "" || r.url.Port() == "" || kind == "" || name == "" {
		return source{}, fmt.Errorf("%w: a driver's file is spark://HOST:PORT/jars/NAME, or /files/NAME", ErrURL)
	}
	conn, err := r.lines.dial(ctx, "tcp", r.url.Host)
	if err != nil {
		return source{}, err
	}
	body, size, err := wire.RequestStream(conn, r.url.Path)
	if err == nil {
		return source{body: streamed{Reader: body, Closer: conn}, size: size}, nil
	}
	conn.Close()
	var refused *wire.StreamError
	switch {
	case errors.As(err, &refused) && strings.Contains(refused.Text, "not found"):
		err = fmt.Errorf("the driver answers %q: %w", refused.Text, fs.ErrNotExist)
	case errors.As(err, &refused):
		err = fmt.Errorf("the driver answers %q", refused.Text)
	case errors.Is(err, wire.ErrFrame), errors.Is(err, wire.ErrFrameTooLarge):
		err = fmt.Errorf("%w of a Spark driver: is it the port of its file server (spark.driver.port)? %w", ErrProtocol, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the driver closed the connection without an answer; is it one that still runs, without TLS on its port (spark.ssl.rpc.enabled)? %w", io.ErrUnexpectedEOF)
	}
	return source{}, err
}

type streamed struct {
	io.Reader
	io.Closer
}

package rpc

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// ErrPortInUse says that a port and all that were tried after it are taken.
var ErrPortInUse = errors.New("port in use")

// Listen opens a TCP listener on host ("" for all addresses). As Spark does, a
// busy port makes it try the next ones, retries of them (spark.port.maxRetries);
// port 0 is any free one. what names the listener in the error.
func Listen(what, host string, port, retries int) (net.Listener, error) {
	last := min(port+max(retries, 0), 65535)
	if port == 0 {
		last = 0
	}
	for p := port; p <= last; p++ {
		ln, err := net.Listen("tcp", net.JoinHostPort(unbracket(host), strconv.Itoa(p)))
		if err == nil {
			return ln, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s cannot listen on %s:%d: %w", what, host, p, err)
		}
	}
	return nil, fmt.Errorf("%s: %w: all of %d to %d on %q are taken; choose another port or free one", what, ErrPortInUse, port, last, host)
}

func unbracket(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

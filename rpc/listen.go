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
	if port < 0 || port > maxPort {
		return nil, fmt.Errorf("%s: %d is no port: give one between 0 (any free one) and %d", what, port, maxPort)
	}
	last := min(port+max(retries, 0), maxPort)
	if port == 0 {
		last = 0
	}
	for p := port; p <= last; p++ {
		ln, err := net.Listen("tcp", net.JoinHostPort(unbracket(host), strconv.Itoa(p)))
		if err == nil {
			return ln, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s: %w%s", what, err, advice(err))
		}
	}
	taken := strconv.Itoa(port)
	if last > port {
		taken = fmt.Sprintf("%d to %d are all", port, last)
	} else {
		taken += " is"
	}
	return nil, fmt.Errorf("%s: %w: %s taken on %q; choose another port, or stop the process that holds it", what, ErrPortInUse, taken, host)
}

const maxPort = 65535

// advice says what to do about a listener that cannot be opened.
func advice(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "; the address is not one of this machine's: give one that is by --bind or --host"
	case errors.Is(err, syscall.EACCES):
		return "; ports below 1024 need a privilege: choose a higher one"
	case errors.As(err, &dns):
		return "; give an address or name of this machine by --bind or --host"
	}
	return ""
}

func unbracket(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

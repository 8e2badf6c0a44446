package rpc

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestListenTriesFurtherPorts(t *testing.T) {
	t.Parallel()
	first, err := Listen("web UI", "127.0.0.1", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	port := first.Addr().(*net.TCPAddr).Port
	_, err = Listen("web UI", "127.0.0.1", port, 0)
	if want := fmt.Sprintf("web UI: port in use: %d is taken", port); !errors.Is(err, ErrPortInUse) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	second, err := Listen("web UI", "[127.0.0.1]", port, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if next := second.Addr().(*net.TCPAddr).Port; next <= port || next > port+16 {
		t.Errorf("%d was taken, and %d found", port, next)
	}
}

func TestListenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host string
		port int
		want string
		is   error
	}{
		{"203.0.113.1", 1, "not one of this machine's", syscall.EADDRNOTAVAIL},
		{"127.0.0.1", -1, "-1 is no port", nil},
		{"127.0.0.1", 65536, "65536 is no port: give one between 0 (any free one) and 65535", nil},
		{"no.such.host.invalid", 0, "--bind or --host", nil},
	} {
		_, err := Listen("Spark RPC (--port)", c.host, c.port, 16)
		if err == nil || errors.Is(err, ErrPortInUse) || c.is != nil && !errors.Is(err, c.is) ||
			!strings.HasPrefix(err.Error(), "Spark RPC (--port): ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:%d: %v", c.host, c.port, err)
		}
	}
}

// The last port has none behind it.
func TestListenStopsAtTheLastPort(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:65535")
	if err != nil {
		t.Skip("somebody else has the last port: ", err)
	}
	defer ln.Close()
	if _, err := Listen("x", "127.0.0.1", 65535, 16); !errors.Is(err, ErrPortInUse) || !strings.Contains(err.Error(), "65535 is taken") {
		t.Errorf("got %v", err)
	}
}

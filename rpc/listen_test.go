package rpc

import (
	"errors"
	"fmt"
	"net"
	"strings"
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
	if _, err := Listen("web UI", "127.0.0.1", port, 0); !errors.Is(err, ErrPortInUse) || !strings.Contains(err.Error(), fmt.Sprint(port)) {
		t.Errorf("got %v", err)
	}
	second, err := Listen("web UI", "[127.0.0.1]", port, 16)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	if _, err := Listen("web UI", "203.0.113.1", 1, 16); err == nil || errors.Is(err, ErrPortInUse) {
		t.Errorf("a foreign address: %v", err)
	}
}

package netns

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/firesteel/firesteel/chaos/proc"
)

// Host is one host of a network.
type Host struct {
	Name string
	IP   netip.Addr

	space *space
}

// Place gives the configuration of a process changed so that it starts on this host.
func (h *Host) Place(c proc.Config) proc.Config {
	c.Namespace = h.space.file
	return c
}

// Listen listens on this host. port 0 is any.
func (h *Host) Listen(port int) (net.Listener, error) {
	var ln net.Listener
	err := h.space.do(func() (err error) {
		ln, err = net.Listen("tcp", netip.AddrPortFrom(h.IP, uint16(port)).String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on host %v: %w", h, err)
	}
	return ln, nil
}

// Dial opens a TCP connection from this host to an address, an IP and a port.
func (h *Host) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	var conn net.Conn
	err := h.space.do(func() (err error) {
		// One numeric address: the dialer opens the socket on this thread and not on one of its own.
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp4", to.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dial from host %v: %w", h, err)
	}
	return conn, nil
}

func (h *Host) String() string {
	if h.Name == outsideName {
		return "outside"
	}
	return h.Name
}

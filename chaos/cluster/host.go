package cluster

import (
	"net"
	"slices"
	"strconv"

	"github.com/firesteel/firesteel/chaos/netns"
	"github.com/firesteel/firesteel/chaos/proc"
)

// host is where a member runs: on a host of a Net, or on loopback.
type host struct{ host *netns.Host }

const loopback = "127.0.0.1"

func hostFor(n *netns.Net, name string) (host, error) {
	if n == nil {
		return host{}, nil
	}
	h, err := n.Host(name)
	return host{h}, err
}

func (h host) ip() string {
	if h.host == nil {
		return loopback
	}
	return h.host.IP.String()
}

func (h host) addr(port int) string { return net.JoinHostPort(h.ip(), strconv.Itoa(port)) }

// place gives the configuration of a process that shall run there. Executors inherit the address from their worker.
func (h host) place(c proc.Config) proc.Config {
	if h.host == nil {
		return c
	}
	c.Env = append(slices.Clone(c.Env), "SPARK_LOCAL_IP="+h.ip())
	return h.host.Place(c)
}

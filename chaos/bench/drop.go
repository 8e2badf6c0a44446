package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/netns"
)

// The rows in which packets are dropped: every master and worker has a network namespace of its own, and the one that is
// cut off is so from everybody, drivers too. It takes root.

// driverHost is the address at which processes of a cluster reach our simulated drivers; "" is loopback.
func driverHost(c cluster.Config) string {
	if c.Net == nil {
		return ""
	}
	return c.Net.Outside().IP.String()
}

// isolation cuts a host off and joins it again. A cut that dropped no packet proved nothing.
type isolation struct{ net *netns.Net }

func (i isolation) heal() error {
	dropped, err := i.net.Heal()
	if err == nil && dropped == 0 {
		return errors.New("the cut has dropped no packet")
	}
	return err
}

func withNet(f func(*netns.Net) error) error {
	n, err := netns.New()
	if err != nil {
		return fmt.Errorf("make network namespaces: %w", err)
	}
	return errors.Join(f(n), n.Close())
}

func dropRow(ctx context.Context, b *Bench) ([]Line, error) {
	var s Samples
	err := withNet(func(n *netns.Net) (err error) {
		i := isolation{n}
		s, err = b.oursAfter(ctx, cluster.Config{Net: n}, fault{
			do:   func(m *cluster.Master) error { return n.Isolate(m.Host()) },
			undo: func(*cluster.Master) error { return i.heal() },
		})
		return err
	})
	return []Line{s.Line(ours, freezeBounds)}, err
}

func workerDropRow(ctx context.Context, b *Bench) ([]Line, error) {
	var l losses
	err := withNet(func(n *netns.Net) (err error) {
		i := isolation{n}
		l, err = b.oursLosses(ctx, cluster.Config{Net: n}, silence{
			do:   func(w *cluster.Worker) error { return n.Isolate(w.Host()) },
			undo: func(*cluster.Worker) error { return i.heal() },
		})
		return err
	})
	return l.lines(ours), err
}

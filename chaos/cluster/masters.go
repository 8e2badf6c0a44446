package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/firesteel/firesteel/chaos/proc"
)

// AddMaster lays a further master out, which joins by the others' gossip, and starts nothing. One that is there already, and
// does not run, gets other ports: it is the same master at another address.
func (c *Cluster) AddMaster(id string) (*Master, error) {
	p, err := proc.Ports(5)
	if err != nil {
		return nil, err
	}
	m := &Master{ID: id, port: p[0], rest: p[1], web: p[2], rpc: p[3], gossip: p[4]}
	if m.host, err = hostFor(c.net, id); err != nil {
		return nil, err
	}
	if err := c.DropMaster(id); err != nil {
		return nil, err
	}
	m.Member = c.newMaster(m)
	c.Masters = append(c.Masters, m)
	return m, nil
}

// DropMaster forgets a master that is gone for good.
func (c *Cluster) DropMaster(id string) error {
	if m := c.Master(id); m != nil && m.Running() {
		return fmt.Errorf("drop master %s: it runs", id)
	}
	c.Masters = slices.DeleteFunc(c.Masters, func(m *Master) bool { return m.ID == id })
	return nil
}

// DataDir is where a master keeps its log and snapshots.
func (c *Cluster) DataDir(m *Master) string { return filepath.Join(c.Run.Dir, "data", m.ID) }

// Wipe empties the disk of a master that does not run.
func (c *Cluster) Wipe(m *Master) error {
	if m.Running() {
		return fmt.Errorf("wipe master %s: it runs", m.ID)
	}
	return os.RemoveAll(c.DataDir(m))
}

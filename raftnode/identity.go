package raftnode

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const identityFile = "identity.json"

// identity says whose data directory this is.
type identity struct {
	NodeID    string `json:"node_id"`
	ClusterID string `json:"cluster_id,omitempty"`
	// Joining says that the node began with this directory empty and has not caught up yet: see Node.Joining.
	Joining bool `json:"joining,omitempty"`
}

// claimIdentity records id in a new data directory, or checks that an existing one belongs to it. An empty clusterID
// accepts any cluster; one that is new to the directory is recorded. joining is noted in a new directory only.
func claimIdentity(dir, id, clusterID string, joining bool) (identity, error) {
	path := filepath.Join(dir, identityFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		own := identity{NodeID: id, ClusterID: clusterID, Joining: joining}
		return own, writeIdentity(dir, own)
	}
	if err != nil {
		return identity{}, fmt.Errorf("%w: read %s: %w", ErrDataDir, path, err)
	}
	var found identity
	if err := json.Unmarshal(data, &found); err != nil || found.NodeID == "" {
		return identity{}, fmt.Errorf("%w: %s does not say whose it is; restore it or start with an empty directory", ErrDataDir, path)
	}
	if found.NodeID != id {
		return identity{}, fmt.Errorf("%w: %s belongs to node %q, this is %q; use another directory, or that id", ErrForeignDataDir, dir, found.NodeID, id)
	}
	return found, found.adopt(dir, clusterID)
}

// adopt records the cluster in an identity that has none, and refuses a different one.
func (i *identity) adopt(dir, clusterID string) error {
	if clusterID == "" || clusterID == i.ClusterID {
		return nil
	}
	if i.ClusterID != "" {
		return fmt.Errorf("%w: %s belongs to cluster %q, this is %q", ErrForeignDataDir, dir, i.ClusterID, clusterID)
	}
	i.ClusterID = clusterID
	return writeIdentity(dir, *i)
}

// joined records that the node has caught up. Without a directory (a simulation) there is nothing to record.
func (i *identity) joined(dir string) error {
	if !i.Joining {
		return nil
	}
	i.Joining = false
	if dir == "" {
		return nil
	}
	return writeIdentity(dir, *i)
}

// writeIdentity replaces the file so that a crash leaves the old or the new one, never half of it.
func writeIdentity(dir string, id identity) error {
	data, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, identityFile+".*")
	if err != nil {
		return fmt.Errorf("%w: %s is not writable: %w", ErrDataDir, dir, err)
	}
	defer os.Remove(tmp.Name()) // nothing is left to remove once renamed
	_, err = tmp.Write(append(data, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, identityFile))
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("%w: write identity in %s: %w", ErrDataDir, dir, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

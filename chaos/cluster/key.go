package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/firesteel/firesteel/membership"
)

// gossipArgs gives every member of a cluster on a Net the same new key: gossip leaves loopback only with one.
func gossipArgs(c Config) ([]string, error) {
	if c.Net == nil {
		return nil, nil
	}
	path := filepath.Join(c.Run.Dir, "gossip.key")
	if err := os.WriteFile(path, []byte(membership.GenerateKey()+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write the cluster's gossip key: %w", err)
	}
	return []string{"--gossip-key-file", path}, nil
}

//go:build realspark

package e2e

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/storm"
)

// TestChaos is the short form of scripts/chaos: faults of every kind that comes by in a while, under load and two real
// jobs, on a cluster of its own; where this is root, also such of the network. FIRESTEEL_SEED draws other ones.
func TestChaos(t *testing.T) {
	const seedVariable = "FIRESTEEL_SEED"
	seed := uint64(1)
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	_, err := storm.Run(t.Context(), storm.Config{
		Out: t.Output(), Seed: seed, For: 35 * time.Second, Faults: storm.Kinds(), Network: storm.Auto,
		Releases: suite.releases, Jobs: true, Binary: suite.binary,
	})
	if err != nil {
		t.Error(err)
	}
}

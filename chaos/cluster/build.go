package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// BinaryVariable names a clusterd to use instead of one built from the source at hand.
const BinaryVariable = "FIRESTEEL_CLUSTERD"

// Build builds clusterd into dir and gives its path. It must be called inside the source tree.
func Build(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv(BinaryVariable); path != "" {
		return filepath.Abs(path)
	}
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	if err != nil || root == "." || root == "/dev" {
		return "", fmt.Errorf("build clusterd: the working directory is not inside the source tree (go env GOMOD says %q): %w", mod, err)
	}
	path := filepath.Join(dir, "clusterd")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/clusterd")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build clusterd: %w\n%s", err, out)
	}
	return path, nil
}

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
	return build(ctx, dir, "clusterd")
}

// BuildControl builds clusterctl likewise.
func BuildControl(ctx context.Context, dir string) (string, error) {
	return build(ctx, dir, "clusterctl")
}

func build(ctx context.Context, dir, name string) (string, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	if err != nil || root == "." || root == "/dev" {
		return "", fmt.Errorf("build %s: the working directory is not inside the source tree (go env GOMOD says %q): %w", name, mod, err)
	}
	path := filepath.Join(dir, name)
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/"+name)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}

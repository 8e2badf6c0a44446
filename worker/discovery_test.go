package worker

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/config"
)

func TestDiscoverResources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, script := filepath.Join(dir, "res.json"), filepath.Join(dir, "script")
	writeFile(t, file, `[{"id":{"componentName":"spark.worker","resourceName":"gpu"},"addresses":["0","1"]},
		{"id":{"componentName":"spark.driver","resourceName":"gpu"},"addresses":["9"]}]`, 0o644)
	writeFile(t, script, "#!/bin/sh\necho '{\"name\": \"fpga\", \"addresses\": [\"a\"]}'\n", 0o755)
	got, err := DiscoverResources(context.Background(), file, []config.ResourceRequest{
		{Name: "gpu", Amount: 1, DiscoveryScript: "/never/run"}, {Name: "fpga", Amount: 1, DiscoveryScript: script}})
	want := map[string][]string{"gpu": {"0", "1"}, "fpga": {"a"}} // more than asked for are kept
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := DiscoverResources(context.Background(), "", nil); err != nil || len(got) != 0 {
		t.Errorf("nothing asked for: %v, %v", got, err)
	}
}

func TestDiscoverResourcesRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, "#!/bin/sh\n"+text+"\n", 0o755)
		return path
	}
	few, bad := filepath.Join(dir, "few.json"), filepath.Join(dir, "bad.json")
	writeFile(t, few, `[{"id":{"componentName":"spark.worker","resourceName":"gpu"},"addresses":["0"]}]`, 0o644)
	writeFile(t, bad, `{`, 0o644)
	for name, c := range map[string]struct {
		file string
		req  config.ResourceRequest
		want string
	}{
		"too few":      {few, config.ResourceRequest{Name: "gpu", Amount: 2}, "less than the 2"},
		"bad file":     {bad, config.ResourceRequest{Name: "gpu", Amount: 1}, "bad.json"},
		"no file":      {dir + "/none", config.ResourceRequest{Name: "gpu", Amount: 1}, "resourcesFile"},
		"no script":    {"", config.ResourceRequest{Name: "gpu", Amount: 1}, "discoveryScript"},
		"absent":       {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: dir + "/gone"}, "gone"},
		"fails":        {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: script("f", "echo no driver >&2; exit 1")}, "no driver"},
		"other name":   {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: script("o", `echo '{"name":"x","addresses":["0"]}'`)}, `expected "gpu"`},
		"no JSON":      {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: script("n", `echo hello`)}, "hello"},
		"script's few": {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: script("e", `echo '{"name":"gpu","addresses":[]}'`)}, "less than the 1"},
	} {
		_, err := DiscoverResources(context.Background(), c.file, []config.ResourceRequest{c.req})
		if !errors.Is(err, ErrResources) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestDiscoveryScriptEndsWithItsContext(t *testing.T) {
	t.Parallel()
	fifo, next := pidsFrom(t)
	path := filepath.Join(t.TempDir(), "hangs")
	writeFile(t, path, "#!/bin/sh\necho $$ > "+fifo+"\nsleep 1000\n", 0o755)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := DiscoverResources(ctx, "", []config.ResourceRequest{{Name: "gpu", Amount: 1, DiscoveryScript: path}})
		done <- err
	}()
	pid := next()
	cancel()
	if err := <-done; !errors.Is(err, ErrResources) {
		t.Errorf("got %v", err)
	}
	gone(t, pid)
}

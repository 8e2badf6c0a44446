package worker

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/worker/internal/pidpipe"
)

func TestDiscoverResources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, script := filepath.Join(dir, "res.json"), filepath.Join(dir, "script")
	writeFile(t, file, `[{"id":{"componentName":"spark.worker","resourceName":"gpu"},"addresses":["0","1"]},
		{"id":{"componentName":"spark.driver","resourceName":"gpu"},"addresses":["9"]}]`, 0o644)
	writeFile(t, script, "#!/bin/sh\necho '{\"name\": \"fpga\", \"addresses\": [\"a\"]}'\n", 0o755)
	bare := filepath.Join(dir, "bare") // without #!, which Java starts all the same
	writeFile(t, bare, "echo '{\"name\": \"tpu\", \"addresses\": [\"t\"]}'\n", 0o755)
	got, err := DiscoverResources(context.Background(), file, []config.ResourceRequest{
		{Name: "gpu", Amount: 1, DiscoveryScript: "/never/run"}, {Name: "fpga", Amount: 1, DiscoveryScript: script},
		{Name: "tpu", Amount: 1, DiscoveryScript: bare}})
	want := map[string][]string{"gpu": {"0", "1"}, "fpga": {"a"}, "tpu": {"t"}} // more than asked for are kept
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
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, text, 0o644)
		return path
	}
	gpu := config.ResourceRequest{Name: "gpu", Amount: 1}
	const entry = `{"id":{"componentName":"spark.worker","resourceName":"gpu"},"addresses":["0"]}`
	for name, c := range map[string]struct {
		file string
		req  config.ResourceRequest
		want string
	}{
		"too few":           {few, config.ResourceRequest{Name: "gpu", Amount: 2}, "less than the 2"},
		"bad file":          {bad, config.ResourceRequest{Name: "gpu", Amount: 1}, "bad.json"},
		"one address twice": {file("twice.json", `[{"id":{"componentName":"spark.worker","resourceName":"gpu"},"addresses":["0","1","0"]}]`), gpu, `"0" twice`},
		"one name twice":    {file("names.json", `[`+entry+`,`+entry+`]`), gpu, "two entries"},
		"no name":           {file("noname.json", `[{"id":{"componentName":"spark.worker"},"addresses":["0"]}]`), gpu, "resourceName"},
		"no texts":          {file("numbers.json", `[{"id":{"componentName":"spark.worker","resourceName":"gpu"},"addresses":[0]}]`), gpu, "numbers.json"},
		"an object":         {file("object.json", entry), gpu, "it should be like"},
		"text behind":       {file("behind.json", `[`+entry+`] x`), gpu, "behind.json"},
		"empty":             {file("empty.json", ``), gpu, "empty.json"},
		"huge":              {file("huge.json", strings.Repeat(" ", maxResourceText+1)), gpu, "more than"},
		"a directory":       {dir, gpu, "resourcesFile"},
		"not executable":    {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: file("plain", "echo")}, "permission denied"},
		"no file":           {dir + "/none", config.ResourceRequest{Name: "gpu", Amount: 1}, "resourcesFile"},
		"no script":         {"", config.ResourceRequest{Name: "gpu", Amount: 1}, "discoveryScript"},
		"absent":            {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: dir + "/gone"}, "gone"},
		"fails":             {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: script("f", "echo no driver >&2; exit 1")}, "no driver"},
		"other name":        {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: script("o", `echo '{"name":"x","addresses":["0"]}'`)}, `expected "gpu"`},
		"no JSON":           {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: script("n", `echo hello`)}, "hello"},
		"script's few":      {"", config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: script("e", `echo '{"name":"gpu","addresses":[]}'`)}, "less than the 1"},
	} {
		_, err := DiscoverResources(context.Background(), c.file, []config.ResourceRequest{c.req})
		if !errors.Is(err, ErrResources) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestDiscoveryScriptEndsWithItsContext(t *testing.T) {
	t.Parallel()
	fifo, next := pidpipe.Open(t, patience)
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

func TestDiscoveryScriptThatHangs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hangs")
	writeFile(t, path, "#!/bin/sh\nsleep 1000\n", 0o755)
	_, err := runDiscovery(t.Context(), config.ResourceRequest{Name: "gpu", Amount: 1, DiscoveryScript: path}, time.Millisecond)
	if !errors.Is(err, ErrResources) || !strings.Contains(err.Error(), "did not end within 1ms") {
		t.Errorf("got %v", err)
	}
}

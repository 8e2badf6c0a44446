package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/config"
)

// ErrResources says that the worker's custom resources could not be set up.
var ErrResources = errors.New("worker resources")

const maxResourceText = 1 << 20 // bytes read of a resources file or a script's output

// DiscoverResources gives the addresses of the worker's custom resources, as
// Spark's ResourceUtils.getOrDiscoverAllResources does: what file lists under
// the component spark.worker wins; for other requested names their discovery
// script is run. Fewer addresses than requested is an error; more are all kept.
func DiscoverResources(ctx context.Context, file string, requests []config.ResourceRequest) (map[string][]string, error) {
	found := make(map[string][]string)
	if file != "" {
		var err error
		if found, err = readResourcesFile(file); err != nil {
			return nil, err
		}
	}
	for _, req := range requests {
		if _, ok := found[req.Name]; !ok {
			addresses, err := runDiscovery(ctx, req)
			if err != nil {
				return nil, err
			}
			found[req.Name] = addresses
		}
		if have := found[req.Name]; len(have) < req.Amount {
			return nil, fmt.Errorf("%w: %s has addresses [%s], which is less than the %d that spark.worker.resource.%s.amount asks for",
				ErrResources, req.Name, strings.Join(have, ","), req.Amount, req.Name)
		}
	}
	return found, nil
}

func readResourcesFile(path string) (map[string][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: spark.worker.resourcesFile: %w", ErrResources, err)
	}
	defer f.Close()
	var list []allocation
	if err := json.NewDecoder(io.LimitReader(f, maxResourceText)).Decode(&list); err != nil {
		return nil, fmt.Errorf("%w: error parsing resources file %s: %w", ErrResources, path, err)
	}
	found := make(map[string][]string)
	for _, a := range list {
		if a.ID.ComponentName != workerComponent {
			continue
		}
		if a.ID.ResourceName == "" {
			return nil, fmt.Errorf("%w: resources file %s has an entry without a resourceName", ErrResources, path)
		}
		found[a.ID.ResourceName] = a.Addresses
	}
	return found, nil
}

// runDiscovery runs a script that prints {"name": n, "addresses": [...]}.
func runDiscovery(ctx context.Context, req config.ResourceRequest) ([]string, error) {
	if req.DiscoveryScript == "" {
		return nil, fmt.Errorf("%w: %s is neither in a resources file nor has a spark.worker.resource.%s.discoveryScript",
			ErrResources, req.Name, req.Name)
	}
	cmd := exec.CommandContext(ctx, req.DiscoveryScript)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	stdout, stderr := &cappedBuffer{max: maxResourceText}, &cappedBuffer{max: 2048}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: discovery script %s for %s: %w: %s", ErrResources, req.DiscoveryScript, req.Name, err,
			strings.TrimSpace(stderr.String()))
	}
	var info struct {
		Name      string   `json:"name"`
		Addresses []string `json:"addresses"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &info); err != nil {
		return nil, fmt.Errorf("%w: discovery script %s printed %q, not {\"name\": ..., \"addresses\": [...]}: %w",
			ErrResources, req.DiscoveryScript, shorten(stdout.String()), err)
	}
	if info.Name != req.Name {
		return nil, fmt.Errorf("%w: discovery script %s returned resource name %q, expected %q",
			ErrResources, req.DiscoveryScript, info.Name, req.Name)
	}
	return info.Addresses, nil
}

func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// cappedBuffer keeps the first max bytes and drops the rest.
type cappedBuffer struct {
	bytes.Buffer
	max int
}

func (b *cappedBuffer) Write(p []byte) (int, error) {
	if room := b.max - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

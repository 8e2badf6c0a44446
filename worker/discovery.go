package worker

import (
	"bytes"
	"cmp"
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

// discoveryTime bounds a discovery script: a worker that waits for ever for its driver software says nothing to anybody.
const discoveryTime = 2 * time.Minute

// DiscoverResources gives the addresses of the worker's custom resources, as
// Spark's ResourceUtils.getOrDiscoverAllResources does: what file lists under
// the component spark.worker wins; for other requested names their discovery
// script is run. Fewer addresses than requested is an error; more are all kept.
// One that is named twice is an error, too: it would be given out twice.
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
			addresses, err := runDiscovery(ctx, req, discoveryTime)
			if err != nil {
				return nil, err
			}
			found[req.Name] = addresses
		}
		have := found[req.Name]
		if twice := repeated(have); twice != "" {
			return nil, fmt.Errorf("%w: %s has the address %q twice", ErrResources, req.Name, twice)
		}
		if len(have) < req.Amount {
			return nil, fmt.Errorf("%w: %s has addresses [%s], which is less than the %d that spark.worker.resource.%s.amount asks for",
				ErrResources, req.Name, strings.Join(have, ","), req.Amount, req.Name)
		}
	}
	return found, nil
}

// repeated gives an address that is in the list more than once, "" if none is.
func repeated(addresses []string) string {
	seen := make(map[string]bool, len(addresses))
	for _, a := range addresses {
		if seen[a] {
			return a
		}
		seen[a] = true
	}
	return ""
}

func readResourcesFile(path string) (map[string][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: spark.worker.resourcesFile: %w", ErrResources, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxResourceText+1))
	if err != nil {
		return nil, fmt.Errorf("%w: spark.worker.resourcesFile: %w", ErrResources, err)
	}
	if len(raw) > maxResourceText {
		return nil, fmt.Errorf("%w: resources file %s has more than %d bytes", ErrResources, path, maxResourceText)
	}
	var list []allocation
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%w: error parsing resources file %s (it should be like "+
			`[{"id":{"componentName":"spark.worker","resourceName":"gpu"},"addresses":["0","1"]}]): %w`, ErrResources, path, err)
	}
	found := make(map[string][]string)
	for _, a := range list {
		if a.ID.ComponentName != workerComponent {
			continue
		}
		if a.ID.ResourceName == "" {
			return nil, fmt.Errorf("%w: resources file %s has an entry without a resourceName", ErrResources, path)
		}
		if _, twice := found[a.ID.ResourceName]; twice {
			return nil, fmt.Errorf("%w: resources file %s has two entries for %s of %s", ErrResources, path, a.ID.ResourceName, workerComponent)
		}
		found[a.ID.ResourceName] = a.Addresses
	}
	return found, nil
}

// runDiscovery runs a script that prints {"name": n, "addresses": [...]}.
func runDiscovery(ctx context.Context, req config.ResourceRequest, limit time.Duration) ([]string, error) {
	if req.DiscoveryScript == "" {
		return nil, fmt.Errorf("%w: %s is neither in a resources file nor has a spark.worker.resource.%s.discoveryScript",
			ErrResources, req.Name, req.Name)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not end within %s", limit))
	defer cancel()
	stdout, stderr := &cappedBuffer{max: maxResourceText}, &cappedBuffer{max: 2048}
	err := runScript(ctx, stdout, stderr, req.DiscoveryScript)
	if errors.Is(err, syscall.ENOEXEC) { // without #! it is the shell's, as for Java
		err = runScript(ctx, stdout, stderr, "/bin/sh", req.DiscoveryScript)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: discovery script %s for %s: %w: %s", ErrResources, req.DiscoveryScript, req.Name, cmp.Or(context.Cause(ctx), err),
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

// runScript runs a program to its end, or to that of ctx or of this process, which takes all of its group along.
func runScript(ctx context.Context, stdout, stderr io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	cmd.Stdout, cmd.Stderr = stdout, stderr
	spawner := NewSpawner() // see there why
	defer spawner.Close()
	if err := spawner.Start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
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

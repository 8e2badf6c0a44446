package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience bounds waits for what must come.
	patience = 60 * time.Second
	// stopTime is how long a process may take to stop; it takes less than a second unless the machine is very busy.
	stopTime = 15 * time.Second
)

// process is a clusterd that a test runs.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	ended  chan struct{}
	err    error // of its end
	mu     sync.Mutex
	output bytes.Buffer
	grown  chan struct{} // closed when output grows, and made anew
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{t: t, cmd: exec.CommandContext(ctx, "clusterd", args...), ended: make(chan struct{}), grown: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	r, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var read sync.WaitGroup
	read.Go(func() { p.read(r) })
	go func() {
		p.err = p.cmd.Wait()
		w.Close()
		read.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
		if t.Failed() {
			t.Logf("clusterd %s printed\n%s", strings.Join(args, " "), p.output.String())
		}
	})
	return p
}

func (p *process) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		p.mu.Lock()
		fmt.Fprintln(&p.output, lines.Text())
		close(p.grown)
		p.grown = make(chan struct{})
		p.mu.Unlock()
	}
}

// find waits until the process has printed what matches, and gives the first group.
func (p *process) find(pattern string) string {
	p.t.Helper()
	re, timeout := regexp.MustCompile(pattern), time.After(patience)
	for {
		p.mu.Lock()
		m, grown := re.FindSubmatch(p.output.Bytes()), p.grown
		p.mu.Unlock()
		if m != nil {
			return string(m[1])
		}
		select {
		case <-grown:
		case <-p.ended:
			p.t.Fatalf("it ended (%v) and never printed %s", p.err, pattern)
		case <-timeout:
			p.t.Fatalf("it never printed %s", pattern)
		}
	}
}

// stop sends a signal and expects the end with exit code 0.
func (p *process) stop(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(stopTime):
		p.t.Fatalf("it goes on %s after the signal", stopTime)
	}
	if p.err != nil {
		p.t.Errorf("it ended with %v", p.err)
	}
	for _, word := range []string{"panic", "goroutine ", "level=ERROR"} {
		if strings.Contains(p.output.String(), word) {
			p.t.Errorf("it printed %q", word)
		}
	}
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return body
}

func status(t *testing.T, page string) string {
	t.Helper()
	var doc struct{ Status, URL string }
	if err := json.Unmarshal(get(t, page), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Status
}

func masterArgs(id, dir string) []string {
	return []string{"master", "--host", "127.0.0.1", "--id", id, "--data-dir", dir, "--bootstrap-expect", "1",
		"--port", "0", "--webui-port", "0", "--rpc-port", "0", "--gossip-port", "0"}
}

// One master leads alone, serves its pages, stops at a signal, and does so again from its directory, which is nobody else's.
func TestASingleMaster(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := start(t, masterArgs("m1", dir)...)
		page := p.find(`json=(http://\S+)`)
		p.find(`msg=leading.*(workers)=0`)
		if got := status(t, page); got != "ALIVE" {
			t.Errorf("status %s", got)
		}
		url := strings.Replace(p.find(`url=spark:(//\S+)`), "//", "http://", 1)
		var cluster struct {
			ClusterID, Leader string
			Masters           []struct{ ID string }
		}
		if err := json.Unmarshal(get(t, url+"/v1/cluster"), &cluster); err != nil || cluster.Leader != "m1" || len(cluster.Masters) != 1 {
			t.Errorf("the cluster: %+v, %v", cluster, err)
		}
		p.stop(sig)
	}
	out, err := exec.CommandContext(t.Context(), "clusterd", masterArgs("m2", dir)...).CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
		t.Errorf("another id took the directory: %v", err)
	}
	if !regexp.MustCompile(`^clusterd: start master m2: .*belongs to node "m1", this is "m2"; use another directory, or that id\n$`).Match(out) {
		t.Errorf("it said %s", out)
	}
}

// Without anybody else a master of three waits, and stops at once all the same.
func TestAMasterThatWaitsForOthersStops(t *testing.T) {
	t.Parallel()
	args := masterArgs("m1", "data")
	for i, a := range args {
		if a == "--bootstrap-expect" {
			args[i+1] = "3"
		}
	}
	p := start(t, args...)
	page := p.find(`json=(http://\S+)`)
	if got := status(t, page); got != "STANDBY" {
		t.Errorf("status %s", got)
	}
	p.stop(syscall.SIGTERM)
}

func TestDevWithoutWorkers(t *testing.T) {
	t.Parallel()
	p := start(t, "--log-level", "warn", "dev", "--masters", "1", "--workers", "0")
	page := p.find(`JSON: +(http://\S+)`)
	p.find(`pyspark --master (spark://\S+)`)
	if got := status(t, page); got != "ALIVE" {
		t.Errorf("status %s", got)
	}
	p.stop(syscall.SIGINT)
}

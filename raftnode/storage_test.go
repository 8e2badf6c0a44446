package raftnode

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openOnce(t *testing.T, change func(*Config)) (*Node, error) {
	t.Helper()
	cfg := Config{ID: "m1", DataDir: filepath.Join(t.TempDir(), "data"), Bind: "127.0.0.1:0", Machine: newRecorder(), Logger: slog.New(slog.DiscardHandler)}
	change(&cfg)
	n, err := Open(t.Context(), cfg)
	if err == nil {
		t.Cleanup(func() { _ = n.Close() })
	}
	return n, err
}

// refused checks that Open fails with the sentinel, on one line.
func refused(t *testing.T, want error, change func(*Config)) {
	t.Helper()
	_, err := openOnce(t, change)
	if !errors.Is(err, want) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func TestForeignDataDirIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, err := openOnce(t, func(c *Config) { c.DataDir = dir })
	if err != nil {
		t.Fatal(err)
	}
	if err := n.SetClusterID("c1"); err != nil {
		t.Fatal(err)
	}
	if err := n.SetClusterID("c2"); !errors.Is(err, ErrForeignDataDir) {
		t.Fatalf("second cluster: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, ErrForeignDataDir, func(c *Config) { c.DataDir, c.ID = dir, "m2" })
	refused(t, ErrForeignDataDir, func(c *Config) { c.DataDir, c.ClusterID = dir, "c2" })
	again, err := openOnce(t, func(c *Config) { c.DataDir, c.ClusterID = dir, "c1" })
	if err != nil || again.ClusterID() != "c1" {
		t.Fatalf("own directory: %v", err)
	}
}

func TestDataDirInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := openOnce(t, func(c *Config) { c.DataDir = dir }); err != nil {
		t.Fatal(err)
	}
	refused(t, ErrDataDirInUse, func(c *Config) { c.DataDir = dir })
}

func TestUnusableDataDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, ErrDataDir, func(c *Config) { c.DataDir = filepath.Join(file, "below") })
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, identityFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, ErrDataDir, func(c *Config) { c.DataDir = damaged })
}

func TestRaftPortInUse(t *testing.T) {
	t.Parallel()
	n, err := openOnce(t, func(*Config) {})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	refused(t, ErrAddressInUse, func(c *Config) { c.Bind, c.DataDir = n.Addr(), dir })
	// The failed start has let go of the directory.
	if _, err := openOnce(t, func(c *Config) { c.DataDir = dir }); err != nil {
		t.Fatal(err)
	}
}

func TestAdvertiseAddress(t *testing.T) {
	t.Parallel()
	if _, err := openOnce(t, func(c *Config) { c.Bind = "0.0.0.0:0" }); err == nil || !strings.Contains(err.Error(), "advertise") {
		t.Fatalf("all addresses without an advertised one: %v", err)
	}
	n, err := openOnce(t, func(c *Config) { c.Advertise = "localhost:0" })
	if err != nil || !strings.HasPrefix(n.Addr(), "localhost:") || strings.HasSuffix(n.Addr(), ":0") {
		t.Fatalf("advertised %v, %v", n, err)
	}
	if _, err := openOnce(t, func(c *Config) { c.Profile = Profile{Name: "x", Heartbeat: 100, Election: 100, Lease: 100} }); err == nil {
		t.Fatal("accepted a lease longer than half of the heartbeat timeout")
	}
}

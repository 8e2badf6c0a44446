package fetch

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// A real disk of 256 KiB. Without root none can be made.
func TestDiskThatFills(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no disk can be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "driver-1")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("size"))
		if r.URL.Path == "/announced.jar" {
			w.Header().Set("Content-Length", strconv.Itoa(n))
		} else {
			w.(http.Flusher).Flush()
		}
		_, _ = w.Write(make([]byte, n))
	}))
	t.Cleanup(s.Close)
	f := New(Config{})
	for _, name := range []string{"announced.jar", "chunks.jar"} {
		path, err := f.Fetch(t.Context(), s.URL+"/"+name+"?size=1000000", dir, nil)
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: %v", path, err)
		}
		t.Log(err)
		if left := entries(t, dir); len(left) != 0 {
			t.Errorf("%s leaves %v", name, left)
		}
	}
	if _, err := f.Fetch(t.Context(), s.URL+"/announced.jar?size=100000", dir, nil); err != nil {
		t.Error("what it has room for:", err)
	}
}

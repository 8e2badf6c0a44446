package fetch

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
)

// Memory does not grow with the file. Not parallel: what others allocate would count.
func TestMemory(t *testing.T) {
	const size = 64 << 20
	chunk := make([]byte, 1<<20)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range size / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	driver := accepting(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 100))
		_, _ = c.Write(frame(7, "/jars/x.jar", counts(size)...))
		for range size / len(chunk) {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, c)
	})
	for _, resource := range []string{s.URL + "/x.jar", "spark://" + driver + "/jars/x.jar"} {
		dir := t.TempDir()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := New(Config{}).Fetch(t.Context(), resource, dir, nil)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
			t.Errorf("%s: %d bytes of memory for a file of %d", resource, used, size)
		}
	}
}

package worker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFetch(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good.jar":
			_, _ = io.WriteString(w, "good")
		case "/short.jar":
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "short")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "a b.jar")
	writeFile(t, file, "a file", 0o644)
	f := NewFetcher()
	f.By = map[string]func(context.Context, *url.URL) (io.ReadCloser, int64, error){
		"mem": func(_ context.Context, u *url.URL) (io.ReadCloser, int64, error) {
			return io.NopCloser(strings.NewReader("memory")), 7, nil
		},
	}
	for resource, want := range map[string]string{server.URL + "/good.jar?token=1": "good.jar:good", file: "a b.jar:a file", "file://" + strings.ReplaceAll(file, " ", "%20"): "a b.jar:a file"} {
		dir := t.TempDir()
		path, err := f.Fetch(t.Context(), resource, dir)
		if err != nil {
			t.Errorf("%s: %v", resource, err)
			continue
		}
		if got := filepath.Base(path) + ":" + readFile(t, path); got != want || filepath.Dir(path) != dir {
			t.Errorf("%s is %q in %s", resource, got, path)
		}
	}
	for resource, want := range map[string]string{
		server.URL + "/none.jar": "404", server.URL + "/short.jar": "unexpected EOF", server.URL + "/": "names no file", "http://127.0.0.1:1/x.jar": "refused", "file:///tmp": "is no file",
		"mem:///x.jar": "cut short", "gopher://h/x.jar": "no way to fetch", "http://user:secret@127.0.0.1:1/x.jar": "refused", ":": "missing protocol scheme",
	} {
		dir := t.TempDir()
		_, err := f.Fetch(t.Context(), resource, dir)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", resource, err, want)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s leaves %v", resource, left)
		}
	}
	if _, err := f.Fetch(t.Context(), "gopher://h/x.jar", t.TempDir()); !errors.Is(err, ErrScheme) {
		t.Error(err)
	}
	if path, err := f.Fetch(t.Context(), "local:/opt/x.jar", t.TempDir()); path != "/opt/x.jar" || err != nil {
		t.Error(path, err)
	}
}

// A driver that is run again uses what it has: the server may be gone by then.
func TestFetchedFileIsUsedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "x.jar"), "here", 0o644)
	path, err := NewFetcher().Fetch(t.Context(), "http://127.0.0.1:1/x.jar", dir)
	if err != nil || readFile(t, path) != "here" {
		t.Error(path, err)
	}
}

//go:build realspark

package e2e

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/worker/fetch"
)

var fileServer = map[string]*regexp.Regexp{
	"jar": regexp.MustCompile(`^JAR (spark://\S+)`), "classes": regexp.MustCompile(`^CLASSES (spark://\S+)`),
}

// TestDriverFileServer: a worker fetches by spark:// what drivers of both releases serve, whether or not they ask their
// executors for a secret.
func TestDriverFileServer(t *testing.T) {
	f := begin(t)
	dir := t.TempDir()
	jar, class := filepath.Join(dir, "an app.jar"), filepath.Join(dir, "classes", "org", "X.class")
	content := make([]byte, 3<<20)
	_, _ = rand.Read(content) // never fails
	f.must(os.MkdirAll(filepath.Dir(class), 0o755))
	f.must(os.WriteFile(jar, content, 0o644))
	f.must(os.WriteFile(filepath.Join(filepath.Dir(class), "Empty.class"), nil, 0o644))
	f.must(os.WriteFile(class, []byte("a class"), 0o644))
	jobs := f.launchAll(spark.JobConfig{
		Program: "files", Args: []string{jar}, Master: "local[1]", Python: true,
		Conf: map[string]string{"spark.authenticate": "true", "spark.authenticate.secret": "x", "spark.repl.class.outputDir": filepath.Join(dir, "classes")},
	})
	for _, j := range jobs {
		url := map[string]string{}
		for what, line := range fileServer {
			url[what] = f.await(j, line).Match[1]
		}
		for at, want := range map[string][]byte{url["jar"]: content, url["classes"] + "/org/Empty.class": nil, url["classes"] + "/org/X.class": []byte("a class")} {
			path, err := fetch.New(fetch.Config{}).Fetch(f.ctx, at, t.TempDir(), nil)
			f.must(err)
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %s has %d bytes, want %d (%v)", j.Name, at, len(got), len(want), err)
			}
		}
		for _, none := range []string{url["jar"] + "x", url["classes"] + "/org/Y.class"} {
			empty := t.TempDir()
			_, err := fetch.New(fetch.Config{}).Fetch(f.ctx, none, empty, nil)
			if left, _ := os.ReadDir(empty); !errors.Is(err, fs.ErrNotExist) || len(left) != 0 {
				t.Errorf("%s: %s: %v, and %v is left", j.Name, none, err, left)
			}
		}
		j.Tell("stop")
		if _, err := j.WaitResult(f.ctx); err != nil {
			t.Error(err)
		}
	}
}

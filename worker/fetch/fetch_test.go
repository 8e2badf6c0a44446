package fetch

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits for events; it is not a delay.
const patience = 20 * time.Second

// short makes silence an error soon.
var short = map[string]string{"spark.files.fetchTimeout": "1s"}

// fetched fetches and gives what the file holds.
func fetched(t *testing.T, f *Fetcher, resource string, properties map[string]string) (name, text string) {
	t.Helper()
	dir := t.TempDir()
	path, err := f.Fetch(t.Context(), resource, dir, properties)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(path) != dir {
		t.Errorf("%s is not in %s", path, dir)
	}
	if left := entries(t, dir); len(left) != 1 {
		t.Errorf("beside the file there is %v", left)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(path), string(raw)
}

// refused fetches what cannot be fetched: nothing may be left, and the error must hold the words, and no secret.
func refused(t *testing.T, f *Fetcher, resource string, properties map[string]string, words ...string) error {
	t.Helper()
	dir := t.TempDir()
	path, err := f.Fetch(t.Context(), resource, dir, properties)
	if err == nil {
		t.Fatalf("%s was fetched: %s", resource, path)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s:\n%v\nsays nothing of %q", resource, err, w)
		}
	}
	if strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "\n") {
		t.Errorf("for users: %v", err)
	}
	if left := entries(t, dir); len(left) != 0 {
		t.Errorf("%s leaves %v", resource, left)
	}
	return err
}

// refusedSoon is refused for a server that says no more: it takes the time of short, and so does not hold others up.
func refusedSoon(t *testing.T, f *Fetcher, resource string, words ...string) {
	t.Helper()
	t.Run(words[0], func(t *testing.T) {
		t.Parallel()
		if err := refused(t, f, resource, short, words...); !errors.Is(err, ErrSilent) {
			t.Errorf("%v is no silence", err)
		}
	})
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// cancelled fetches from what never ends, and ends the fetch when the server says that it is under way.
func cancelled(t *testing.T, f *Fetcher, resource string, properties map[string]string, underWay <-chan struct{}) {
	t.Helper()
	dir := t.TempDir()
	reason := errors.New("the driver was killed")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := f.Fetch(ctx, resource, dir, properties)
		done <- err
	}()
	select {
	case <-underWay:
	case err := <-done:
		t.Fatalf("it ended by itself: %v", err)
	case <-time.After(patience):
		t.Fatal("nobody asked for the file")
	}
	cancel(reason)
	began := time.Now()
	select {
	case err := <-done:
		if !errors.Is(err, reason) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	if took := time.Since(began); took > 5*time.Second { // within a second, on a machine that is not loaded
		t.Errorf("its end took %s", took)
	}
	if left := entries(t, dir); len(left) != 0 {
		t.Errorf("it leaves %v", left)
	}
}

// endless listens where every connection is held open and not answered; it tells of the first.
func endless(t *testing.T, greeting string) (address string, connected <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 100)
	var held []net.Conn
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			held = append(held, c)
			if _, err := c.Read(make([]byte, 1)); err == nil {
				_, _ = c.Write([]byte(greeting))
			}
			told <- struct{}{}
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-over
		for _, c := range held {
			c.Close()
		}
	})
	return l.Addr().String(), told
}

func TestBadURLs(t *testing.T) {
	t.Parallel()
	f := New(Config{})
	for resource, words := range map[string]string{
		"":                              "it is empty",
		":":                             "no such file",
		"http://user:s3cr3t@h:x/a.jar":  "http://xxxxx@h:x/a.jar",
		"http://h/%zz.jar?key=s3cr3t":   "must be escaped",
		"gopher://h/x.jar":              "there is no way to fetch from there: the scheme is \"gopher\", not one of file, local, http",
		"http://h/":                     "is no file",
		"http://h":                      "is no file",
		"http:///x.jar":                 "names no host",
		"http:x.jar":                    "begins with /",
		"http://h/dir/?token=s3cr3t":    "token=xxxxx",
		"hdfs://h/dir/..":               "is no file",
		"spark://h/jars/x.jar":          "spark://HOST:PORT/jars/NAME",
		"spark://h:1/x.jar":             "spark://HOST:PORT/jars/NAME",
		"s3a:///x.jar":                  "s3a://BUCKET/KEY",
		"s3a://key:s3cr3t@b:9000/x.jar": "fs.s3a.endpoint",
		"file://h/x.jar":                "not of \"h\"",
		"local:x.jar":                   "begins with /",
	} {
		refused(t, f, resource, nil, words)
	}
	if err := refused(t, f, "gopher://h/x.jar", nil); !errors.Is(err, ErrScheme) {
		t.Error(err)
	}
	refused(t, f, "http://h/x.jar", map[string]string{"spark.files.fetchTimeout": "soon"}, "spark.files.fetchTimeout", "soon")
	refused(t, f, "http://h/x.jar", map[string]string{"spark.files.fetchTimeout": "0"}, "more than 0")
}

func TestFiles(t *testing.T) {
	t.Parallel()
	f := New(Config{})
	dir := t.TempDir()
	file := filepath.Join(dir, "a%zz #?b.jar")
	write(t, file, "a file")
	write(t, filepath.Join(dir, "a b.jar"), "another")
	for resource, want := range map[string]string{
		file:                           "a%zz #?b.jar:a file",
		"file://" + dir + "/a%20b.jar": "a b.jar:another",
		"FILE:" + dir + "/a b.jar":     "a b.jar:another",
	} {
		if name, text := fetched(t, f, resource, nil); name+":"+text != want {
			t.Errorf("%s is %s:%q", resource, name, text)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range []string{dir + "/none.jar", "file:" + dir + "/none.jar", "local:" + dir + "/none.jar"} {
		err := refused(t, f, resource, nil, "no such file", "on the worker "+host, "on every worker")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
	for _, resource := range []string{dir, "file:" + dir, "local:" + dir, "/dev/null"} {
		refused(t, f, resource, nil, "is no file")
	}
	refused(t, f, file+"/x.jar", nil, "not a directory")
}

func TestLocalIsUsedWhereItLies(t *testing.T) {
	t.Parallel()
	file, dir := filepath.Join(t.TempDir(), "x.jar"), t.TempDir()
	write(t, file, "x")
	if path, err := New(Config{}).Fetch(t.Context(), "local://"+file, dir, nil); path != file || err != nil || len(entries(t, dir)) != 0 {
		t.Error(path, err)
	}
}

// A driver that is run again uses what it has: the server may be gone by then.
func TestFetchedFileIsUsedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x.jar"), "here")
	path, err := New(Config{}).Fetch(t.Context(), "http://127.0.0.1:1/x.jar", dir, nil)
	if raw, _ := os.ReadFile(path); err != nil || string(raw) != "here" {
		t.Error(path, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "y.jar"), 0o755); err != nil {
		t.Fatal(err)
	}
	if path, err := New(Config{}).Fetch(t.Context(), "http://127.0.0.1:1/y.jar", dir, nil); !errors.Is(err, ErrNoFile) {
		t.Error(path, err)
	}
}

// What a worker left that was killed while it fetched goes away with the next fetch.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	dir, from := t.TempDir(), filepath.Join(t.TempDir(), "x.jar")
	write(t, filepath.Join(dir, ".fetch-123"), "half")
	write(t, from, "whole")
	if _, err := New(Config{}).Fetch(t.Context(), from, dir, nil); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, dir); len(left) != 1 || left[0].Name() != "x.jar" {
		t.Error(left)
	}
}

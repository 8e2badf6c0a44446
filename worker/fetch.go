package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Errors of a fetch, for callers that decide by them.
var (
	ErrScheme    = errors.New("no way to fetch from there")
	ErrTruncated = errors.New("the file was cut short")
)

// Fetcher brings files to drivers (Spark: Utils.fetchFile, DependencyUtils.downloadFile).
type Fetcher struct {
	// Client is for http and https; one whose server says nothing for idleTime is given up.
	Client *http.Client
	// By are further schemes: each opens a URL and tells its length, -1 if that is not known.
	By map[string]func(ctx context.Context, u *url.URL) (body io.ReadCloser, length int64, err error)
}

// fetchIdle is how long a server may be silent.
const fetchIdle = 60 * time.Second

// NewFetcher makes a fetcher for files and http.
func NewFetcher() *Fetcher {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = fetchIdle
	return &Fetcher{Client: &http.Client{Transport: t}}
}

// Fetch copies what a URL names into dir, under its last name, unless a file of that name is there already: a driver that
// is run again uses what it has. A path, or local:, names a file that every worker has; it is copied, too, but for local:,
// which is used where it lies.
func (f *Fetcher) Fetch(ctx context.Context, resource, dir string) (string, error) {
	u, err := url.Parse(resource)
	if err != nil {
		return "", fmt.Errorf("fetch %q: %w", resource, err)
	}
	if u.Scheme == "local" {
		return u.Path, nil
	}
	name := path.Base(u.Path)
	if u.Scheme == "" {
		name = filepath.Base(resource)
	}
	if !isPathElement(name) {
		return "", fmt.Errorf("fetch %s: its path names no file", u.Redacted())
	}
	target := filepath.Join(dir, name)
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	body, length, err := f.open(ctx, u, resource)
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", u.Redacted(), err)
	}
	defer body.Close()
	if err := save(target, body, length); err != nil {
		return "", fmt.Errorf("fetch %s: %w", u.Redacted(), err)
	}
	return target, nil
}

func (f *Fetcher) open(ctx context.Context, u *url.URL, resource string) (io.ReadCloser, int64, error) {
	switch u.Scheme {
	case "":
		return openFile(resource)
	case "file":
		return openFile(u.Path)
	case "http", "https":
		return f.get(ctx, u)
	}
	if by, ok := f.By[u.Scheme]; ok {
		return by(ctx, u)
	}
	known := []string{"file", "local", "http", "https"}
	for s := range f.By {
		known = append(known, s)
	}
	return nil, 0, fmt.Errorf("%w: the scheme is %q, not one of %s", ErrScheme, u.Scheme, strings.Join(known, ", "))
}

func openFile(path string) (io.ReadCloser, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	st, err := file.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, st.Size(), nil
}

func (f *Fetcher) get(ctx context.Context, u *url.URL) (io.ReadCloser, int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel()
		return nil, 0, err
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		cancel()
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		cancel()
		return nil, 0, fmt.Errorf("the server answered %s", resp.Status)
	}
	return &patient{ReadCloser: resp.Body, idle: time.AfterFunc(fetchIdle, cancel), cancel: cancel}, resp.ContentLength, nil
}

// patient ends a download whose server falls silent.
type patient struct {
	io.ReadCloser
	idle   *time.Timer
	cancel func()
}

func (p *patient) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if n > 0 {
		p.idle.Reset(fetchIdle)
	}
	return n, err
}

func (p *patient) Close() error {
	p.idle.Stop()
	defer p.cancel()
	return p.ReadCloser.Close()
}

// save writes beside the target first, so that nobody ever finds half of it, and a disk that fills leaves nothing.
func save(target string, body io.Reader, length int64) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(target), ".fetch-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	n, err := io.Copy(tmp, body)
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if length >= 0 && n != length {
		return fmt.Errorf("%w: %d bytes came of %d", ErrTruncated, n, length)
	}
	if err := os.Chmod(tmp.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), target)
}

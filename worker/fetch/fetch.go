package fetch

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/firesteel/firesteel/config"
)

// Config configures a Fetcher. The zero value works.
type Config struct {
	// Properties gives a Spark property of the worker's own, which holds where the driver says nothing. nil: it has none.
	Properties func(key string) (value string, set bool)
	// Env is the worker's environment: SPARK_CONF_DIR, HADOOP_CONF_DIR, HADOOP_USER_NAME, AWS_*.
	Env config.Env
	// Dial opens connections; default net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// RootCAs are whom servers' certificates must come from; nil: the system's.
	RootCAs *x509.CertPool
	// MaxBytes bounds a file, so that an endless one is an error; default 16 GiB.
	MaxBytes int64
}

const defaultMaxBytes = 16 << 30

// Fetcher fetches files. It holds nothing between fetches, and any number may be under way.
type Fetcher struct {
	cfg Config
}

// New makes a Fetcher.
func New(cfg Config) *Fetcher {
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, defaultMaxBytes)
	if cfg.Properties == nil {
		cfg.Properties = func(string) (string, bool) { return "", false }
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	return &Fetcher{cfg: cfg}
}

// request is one fetch.
type request struct {
	cfg      *Config
	url      *url.URL // of a path: only the path
	settings settings
	lines    *lines
}

// openers open what a URL names. The body must be closed, whatever the error of reading it.
var openers = map[string]func(context.Context, *request) (source, error){
	"": openFile, "file": openFile,
	"http": openHTTP, "https": openHTTP,
	"spark": openSpark,
	"hdfs":  openHDFS,
	"s3a":   openS3, "s3": openS3,
}

const schemes = "file, local, http, https, spark, hdfs, s3a"

// Fetch copies what resource, a URL or a path, names into dir, under its last name, and gives the file's path. A file of
// that name that is there already is used as it is: a driver that is run again uses what it has. local: names a file
// that every worker has, which is used where it lies. properties are the driver's Spark properties; they go before the
// worker's own.
func (f *Fetcher) Fetch(ctx context.Context, resource, dir string, properties map[string]string) (string, error) {
	u, err := parse(resource)
	if err == nil {
		var target string
		if target, err = f.fetch(ctx, u, dir, properties); err == nil {
			return target, nil
		}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx) // what it broke is of no interest
	}
	return "", explained(resource, dir, err)
}

func (f *Fetcher) fetch(ctx context.Context, u *url.URL, dir string, properties map[string]string) (string, error) {
	if u.Scheme == "local" {
		return u.Path, checkFile(u.Path)
	}
	open, ok := openers[u.Scheme]
	if !ok {
		return "", fmt.Errorf("%w: the scheme is %q, not one of %s", ErrScheme, u.Scheme, schemes)
	}
	name, err := lastName(u)
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, name)
	if st, err := os.Stat(target); err == nil {
		if !st.Mode().IsRegular() {
			return "", fmt.Errorf("%s is there already, and %w", target, ErrNoFile)
		}
		return target, nil
	}
	r := &request{cfg: &f.cfg, url: u, settings: settings{driver: properties, worker: f.cfg.Properties}}
	idle, err := r.settings.timeout()
	if err != nil {
		return "", err
	}
	r.lines = newLines(ctx, f.cfg.Dial, idle)
	defer r.lines.close()
	src, err := open(ctx, r)
	if err != nil {
		return "", err
	}
	defer src.body.Close()
	return target, save(ctx, target, src, f.cfg.MaxBytes)
}

var hasScheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)

// parse reads a URL, or a path, in which no character means anything (Utils.resolveURI).
func parse(resource string) (*url.URL, error) {
	if resource == "" {
		return nil, fmt.Errorf("%w: it is empty, name a jar or file", ErrURL)
	}
	if !hasScheme.MatchString(resource) {
		return &url.URL{Path: resource}, nil
	}
	u, err := url.Parse(resource)
	if err != nil {
		return nil, ErrURL // the error quotes what may be a password
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Opaque != "" {
		return nil, fmt.Errorf("%w: a path that begins with / belongs behind %q", ErrURL, u.Scheme+":")
	}
	return u, nil
}

// lastName is what the file is called in the driver's folder.
func lastName(u *url.URL) (string, error) {
	name := path.Base(u.Path)
	if name == "." || name == ".." || name == "/" || strings.HasSuffix(u.Path, "/") || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("its path %w", ErrNoFile)
	}
	return name, nil
}

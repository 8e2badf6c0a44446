package fetch

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
)

// serve starts a server of the answers that a jar server may give.
func serve(t *testing.T, start func(http.Handler) *httptest.Server) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	with := func(header, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			_, _ = io.WriteString(w, "good")
		}
	}
	md, sha := md5.Sum([]byte("good")), sha256.Sum256([]byte("good"))
	mux.HandleFunc("/good.jar", text("good"))
	mux.HandleFunc("/empty.jar", text(""))
	mux.HandleFunc("/secret.jar", status(403))
	mux.HandleFunc("/broken.jar", status(500))
	mux.HandleFunc("/nothing.jar", status(204))
	mux.HandleFunc("/moved.jar", http.RedirectHandler("/good.jar", http.StatusFound).ServeHTTP)
	mux.HandleFunc("/loop.jar", http.RedirectHandler("/loop.jar?token=s3cr3t", http.StatusFound).ServeHTTP)
	mux.HandleFunc("/plain.jar", http.RedirectHandler("http://127.0.0.1:1/good.jar", http.StatusFound).ServeHTTP)
	mux.HandleFunc("/elsewhere.jar", http.RedirectHandler("http://127.0.0.1:1/x.jar?token=s3cr3t", http.StatusFound).ServeHTTP)
	mux.HandleFunc("/short.jar", with("Content-Length", "1000"))
	mux.HandleFunc("/md5.jar", with("Content-MD5", base64.StdEncoding.EncodeToString(md[:])))
	mux.HandleFunc("/badmd5.jar", with("Content-MD5", base64.StdEncoding.EncodeToString(make([]byte, 16))))
	mux.HandleFunc("/sha.jar", with("X-Checksum-Sha256", hex.EncodeToString(sha[:])))
	mux.HandleFunc("/badsha.jar", with("X-Checksum-Sha256", strings.Repeat("0", 64)))
	mux.HandleFunc("/huge.jar", with("Content-Length", "9000000000000000000"))
	mux.HandleFunc("/cut.jar", func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush() // no length: in chunks
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/endless.jar", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/silent.jar", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	s := start(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	return s
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	s := serve(t, httptest.NewServer)
	f := New(Config{})
	for path, want := range map[string]string{
		"/good.jar?token=1": "good.jar:good", "/moved.jar": "moved.jar:good", "/md5.jar": "md5.jar:good", "/sha.jar#x": "sha.jar:good", "/empty.jar": "empty.jar:",
	} {
		if name, text := fetched(t, f, s.URL+path, nil); name+":"+text != want {
			t.Errorf("%s is %s:%s, want %s", path, name, text, want)
		}
	}
	for path, want := range map[string]struct {
		words string
		err   error
	}{
		"/none.jar":              {"404 Not Found", fs.ErrNotExist},
		"/secret.jar":            {"403 Forbidden", fs.ErrPermission},
		"/broken.jar":            {"500 Internal", nil},
		"/nothing.jar":           {"204 No Content, not 200", nil},
		"/loop.jar?token=s3cr3t": {"from one address to the next", errRedirects},
		"/elsewhere.jar":         {"127.0.0.1:1: connect: connection refused; nothing listens there", syscall.ECONNREFUSED},
		"/short.jar":             {"cut short, 4 bytes came of 1000", ErrTruncated},
		"/cut.jar":               {"cut short, 4 bytes came: unexpected EOF; nothing of it was kept", ErrTruncated},
		"/badmd5.jar":            {"MD5 (Content-MD5) is 755f85c2723bb39381c7379a604160d8, and should be 00000000000000000000000000000000", ErrChecksum},
		"/badsha.jar":            {"SHA-256", ErrChecksum},
		"/huge.jar":              {"9000000000000000000 bytes, at most 17179869184", ErrTooLarge},
	} {
		if err := refused(t, f, s.URL+path, nil, want.words); want.err != nil && !errors.Is(err, want.err) {
			t.Errorf("%s: %v is no %v", path, err, want.err)
		}
	}
	refusedSoon(t, f, s.URL+"/silent.jar", "silent for 1s", "spark.files.fetchTimeout")
	if err := refused(t, New(Config{MaxBytes: 1 << 20}), s.URL+"/endless.jar", nil, "no end", "at most 1048576"); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	s := serve(t, httptest.NewTLSServer)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	f := New(Config{RootCAs: roots})
	if name, text := fetched(t, f, s.URL+"/good.jar", nil); name != "good.jar" || text != "good" {
		t.Errorf("%s: %q", name, text)
	}
	refused(t, New(Config{}), s.URL+"/good.jar", nil, "unknown authority", "SSL_CERT_FILE")
	refused(t, f, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)+"/good.jar", nil, "certificate", "localhost", "a name that stands in the server's certificate")
	refused(t, f, s.URL+"/plain.jar", nil, "from https to http")
	plain := serve(t, httptest.NewServer)
	refused(t, f, strings.Replace(plain.URL, "http:", "https:", 1)+"/good.jar", nil, "speaks no TLS")
}

func TestHTTPServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	refused(t, New(Config{}), "http://user:s3cr3t@127.0.0.1:1/x.jar?sig=s3cr3t", nil, "http://user:xxxxx@127.0.0.1:1/x.jar?sig=xxxxx", "refused", "check host and port")
	noNames := &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server here")
	}}}
	refused(t, New(Config{Dial: noNames.DialContext}), "http://jars.example.com/x.jar", nil, "lookup jars.example.com", "workers can resolve")
	silent, _ := endless(t, "")
	for _, scheme := range []string{"http", "https"} {
		if err := refused(t, New(Config{}), scheme+"://"+silent+"/x.jar", short, "silent for 1s"); !errors.Is(err, ErrSilent) {
			t.Error(err)
		}
	}
	hangs := New(Config{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	refusedSoon(t, hangs, "http://10.0.0.1/x.jar", "connect to 10.0.0.1:80: the server was silent for 1s")
}

func TestHTTPFetchIsCancelled(t *testing.T) {
	t.Parallel()
	silent, asked := endless(t, "HTTP/1.1 200 OK\r\n\r\nhalf")
	cancelled(t, New(Config{}), "http://"+silent+"/x.jar", nil, asked)
	dialled := make(chan struct{}, 1)
	cancelled(t, New(Config{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dialled <- struct{}{}
		<-ctx.Done()
		return nil, fmt.Errorf("dial: %w", ctx.Err())
	}}), "http://h/x.jar", nil, dialled)
}

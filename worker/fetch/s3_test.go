package fetch

import (
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"github.com/firesteel/firesteel/config"
)

// s3Server is an S3 server of its own kind that checks signatures. Objects of bucket "jars" are there; wrap changes what
// it answers.
func s3Server(t *testing.T, wrap func(http.Handler) http.Handler) (endpoint string) {
	t.Helper()
	backend := s3mem.New()
	fake := gofakes3.New(backend, gofakes3.WithV4Auth(map[string]string{"key": "s3cr3t"}))
	handler := fake.Server()
	if wrap != nil {
		handler = wrap(handler)
	}
	s := httptest.NewServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	if err := backend.CreateBucket(t.Context(), "jars"); err != nil {
		t.Fatal(err)
	}
	for key, text := range map[string]string{"dir/a b.jar": "good", "big.jar": strings.Repeat("0123456789", 100_000), "empty.jar": ""} {
		if _, err := backend.PutObject(t.Context(), "jars", key, map[string]string{"Last-Modified": "Mon, 2 Jan 2006 15:04:05 GMT"}, strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
	return s.URL
}

// given makes properties of what stands behind fs.s3a.
func given(endpoint string, kv ...string) map[string]string {
	p := map[string]string{"spark.hadoop.fs.s3a.endpoint": endpoint, "spark.hadoop.fs.s3a.path.style.access": "true"}
	for i := 0; i < len(kv); i += 2 {
		p["spark.hadoop.fs.s3a."+kv[i]] = kv[i+1]
	}
	return p
}

func withKeys(endpoint string, kv ...string) map[string]string {
	return given(endpoint, append([]string{"access.key", "key", "secret.key", "s3cr3t"}, kv...)...)
}

func TestS3(t *testing.T) {
	t.Parallel()
	url := s3Server(t, nil)
	host := strings.TrimPrefix(url, "http://")
	f := New(Config{})
	for by, p := range map[string]map[string]string{
		"URL": withKeys(url), "host": withKeys(host, "connection.ssl.enabled", "false"), "region": withKeys(url, "endpoint.region", "eu-west-1"),
		"of the bucket": given("http://127.0.0.1:1", "bucket.jars.endpoint", url, "access.key", "wrong", "secret.key", "wrong", "bucket.jars.access.key", "key", "bucket.jars.secret.key", "s3cr3t"),
	} {
		if name, text := fetched(t, f, "s3a://jars/dir/a%20b.jar", p); name != "a b.jar" || text != "good" {
			t.Errorf("%s: %s: %q", by, name, text)
		}
	}
	if _, text := fetched(t, f, "s3://jars/big.jar", withKeys(url)); len(text) != 1_000_000 {
		t.Errorf("%d bytes", len(text))
	}
	if _, text := fetched(t, f, "s3a://jars/empty.jar", withKeys(url)); text != "" {
		t.Errorf("%q", text)
	}
}

func TestS3Credentials(t *testing.T) {
	t.Parallel()
	url := s3Server(t, nil)
	conf := t.TempDir()
	write(t, filepath.Join(conf, "core-site.xml"), `<?xml version="1.0"?><configuration><property><name>fs.s3a.access.key</name><value>
		key </value></property><property><name>fs.s3a.secret.key</name><value>${env.SECRET}</value></property></configuration>`)
	worker := withKeys(url)
	for name, c := range map[string]Config{
		"worker":        {Properties: func(k string) (string, bool) { v, ok := worker[k]; return v, ok }},
		"environment":   {Env: config.Env{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}},
		"core-site.xml": {Env: config.Env{"HADOOP_CONF_DIR": conf, "SECRET": "s3cr3t"}},
	} {
		if _, text := fetched(t, New(c), "s3a://jars/dir/a b.jar", given(url)); text != "good" {
			t.Errorf("%s: %q", name, text)
		}
	}
	f := New(Config{Env: config.Env{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "wrong"}})
	for words, p := range map[string]map[string]string{
		"SignatureDoesNotMatch": given(url),
		"InvalidAccessKeyId":    given(url, "access.key", "nobody", "secret.key", "wrong"),
		"answers AccessDenied":  given(url, "aws.credentials.provider", "org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider"),
		"check the credentials": given(url),
	} {
		if err := refused(t, f, "s3a://jars/dir/x.jar", p, words); !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	}
	if err := refused(t, New(Config{}), "s3a://user:s3cr3t@jars/dir/x.jar", given(url), "there are no credentials", "AWS_ACCESS_KEY_ID"); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

// The token of one key does not go with another's.
func TestS3SessionToken(t *testing.T) {
	t.Parallel()
	tokens := make(chan string, 100)
	url := s3Server(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tokens <- r.Header.Get("X-Amz-Security-Token")
			h.ServeHTTP(w, r)
		})
	})
	worker := withKeys(url, "session.token", "of the worker")
	f := New(Config{Properties: func(k string) (string, bool) { v, ok := worker[k]; return v, ok }})
	for want, p := range map[string]map[string]string{
		"of the worker": given(url, "endpoint.region", "us-east-1"), "": withKeys(url, "endpoint.region", "us-east-1"), "mine": withKeys(url, "session.token", "mine", "endpoint.region", "us-east-1"),
	} {
		fetched(t, f, "s3a://jars/big.jar", p)
		if got := <-tokens; got != want {
			t.Errorf("the token is %q, want %q", got, want)
		}
	}
}

func TestS3BadInput(t *testing.T) {
	t.Parallel()
	url := s3Server(t, nil)
	f := New(Config{})
	for resource, words := range map[string]string{
		"s3a://jars/none.jar": "answers NoSuchKey", "s3a://nobucket/x.jar": "answers NoSuchBucket", "s3a://jars/dir": "answers NoSuchKey",
	} {
		if err := refused(t, f, resource, withKeys(url), words, "check the path"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
	refused(t, f, "s3a://jars/dir/", withKeys(url), "is no file")
	refused(t, f, "s3a://j/x.jar", withKeys(url), "Bucket name")
	refused(t, f, "s3a://jars/x.jar", withKeys("http://127.0.0.1:1"), "refused", "nothing listens there")
	refused(t, f, "s3a://jars/x.jar", withKeys(strings.TrimPrefix(url, "http://")), "fs.s3a.connection.ssl.enabled=false")
	refused(t, f, "s3a://jars/x.jar", withKeys("ftp://h/"), "fs.s3a.endpoint is \"ftp://h/\"")
	refused(t, f, "s3a://jars/x.jar", withKeys("h/with/path"), "fs.s3a.endpoint")
	conf := t.TempDir()
	write(t, filepath.Join(conf, "core-site.xml"), "<configuration><property>")
	refused(t, New(Config{Env: config.Env{"HADOOP_CONF_DIR": conf}}), "s3a://jars/x.jar", withKeys(url), filepath.Join(conf, "core-site.xml"))
	if err := os.Remove(filepath.Join(conf, "core-site.xml")); err != nil {
		t.Fatal(err)
	}
	silent, _ := endless(t, "")
	p := withKeys("http://"+silent, "endpoint.region", "us-east-1")
	p["spark.files.fetchTimeout"] = "1s"
	refused(t, f, "s3a://jars/x.jar", p, "silent for 1s")
}

// spoilt serves big.jar as a broken server would; the rest as it is.
func spoilt(t *testing.T, spoil func(w http.ResponseWriter, r *http.Request, body string)) string {
	t.Helper()
	return s3Server(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/big.jar") {
				h.ServeHTTP(w, r)
				return
			}
			good := httptest.NewRecorder()
			h.ServeHTTP(good, r)
			for k, v := range good.Header() {
				w.Header()[k] = v
			}
			spoil(w, r, good.Body.String())
		})
	})
}

func TestS3ObjectThatIsSpoilt(t *testing.T) {
	t.Parallel()
	f := New(Config{})
	changed := spoilt(t, func(w http.ResponseWriter, _ *http.Request, body string) { _, _ = io.WriteString(w, "x"+body[1:]) })
	if err := refused(t, f, "s3a://jars/big.jar", withKeys(changed), "MD5 (ETag)"); !errors.Is(err, ErrChecksum) {
		t.Error(err)
	}
	parts := spoilt(t, func(w http.ResponseWriter, _ *http.Request, body string) {
		w.Header().Set("ETag", w.Header().Get("ETag")+"-2") // of an upload in parts: no MD5 of the whole
		_, _ = io.WriteString(w, "x"+body[1:])
	})
	if _, text := fetched(t, f, "s3a://jars/big.jar", withKeys(parts)); text[0] != 'x' {
		t.Errorf("%q", text[:1])
	}
	cut := spoilt(t, func(w http.ResponseWriter, _ *http.Request, body string) {
		_, _ = io.WriteString(w, body[:300_000])
		panic(http.ErrAbortHandler)
	})
	if err := refused(t, f, "s3a://jars/big.jar", withKeys(cut), "cut short", "of 1000000"); !errors.Is(err, ErrTruncated) {
		t.Error(err)
	}
}

func TestS3FetchIsCancelled(t *testing.T) {
	t.Parallel()
	underWay := make(chan struct{}, 1)
	silent := spoilt(t, func(w http.ResponseWriter, r *http.Request, body string) {
		_, _ = io.WriteString(w, body[:300_000])
		w.(http.Flusher).Flush()
		underWay <- struct{}{}
		<-r.Context().Done()
	})
	cancelled(t, New(Config{}), "s3a://jars/big.jar", withKeys(silent), underWay)
}

package worker

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A driver is killed while its jar comes, without an end: nothing of the jar is left.
func TestDriverIsKilledWhileItIsFetched(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 100_000))
		w.(http.Flusher).Flush()
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	f := newDrivers(t, "exit 0", nil)
	spec := driverSpec(t)
	spec.Resource = s.URL + "/app.jar"
	f.Start(spec)
	f.expect(DriverRunning)
	<-asked
	if !f.Kill(spec.RunID, "asked") {
		t.Error("it is not there")
	}
	if r := f.expect(DriverKilled); r.Message != "asked" {
		t.Errorf("%+v", r)
	}
	left, err := os.ReadDir(filepath.Join(f.work, spec.RunID))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range left {
		if strings.Contains(file.Name(), "fetch") || strings.Contains(file.Name(), "jar") {
			t.Errorf("%s is left", file.Name())
		}
	}
}

// What a driver's own properties say of S3 holds for the fetch of its jar.
func TestDriverIsFetchedByItsProperties(t *testing.T) {
	t.Parallel()
	f := newDrivers(t, "exit 0", nil)
	spec := driverSpec(t)
	spec.Resource = "s3a://jars/app.jar"
	spec.Command.JavaOpts = []string{
		"-Dspark.hadoop.fs.s3a.endpoint=http://127.0.0.1:1", "-Dspark.hadoop.fs.s3a.access.key=key", "-Dspark.hadoop.fs.s3a.secret.key=s3cr3t",
	}
	f.Start(spec)
	f.expect(DriverRunning)
	if r := f.expect(DriverError); !strings.Contains(r.Message, "fetch s3a://jars/app.jar: ") || !strings.Contains(r.Message, "127.0.0.1:1: connect: connection refused") {
		t.Errorf("%q", r.Message)
	}
}

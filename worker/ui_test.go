package worker

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// goldenJSON has the form, field by field and blank by blank, of what a 4.1.4
// Worker answered at /json/.
const goldenJSON = `{
  "id" : "worker-20260102030405-10.0.0.7-41001",
  "masterurl" : "spark://m1:7077",
  "masterwebuiurl" : "http://m1:8080",
  "cores" : 4,
  "coresused" : 2,
  "memory" : 2048,
  "memoryused" : 512,
  "resources" : {
    "gpu" : {
      "name" : "gpu",
      "addresses" : [ "0", "1" ]
    }
  },
  "resourcesused" : {
    "gpu" : {
      "name" : "gpu",
      "addresses" : [ "0" ]
    }
  },
  "executors" : [ {
    "id" : 0,
    "memory" : 512,
    "resources" : {
      "gpu" : {
        "name" : "gpu",
        "addresses" : [ "0" ]
      }
    },
    "appid" : "app-20260102030500-0000",
    "appdesc" : {
      "name" : "night \"ly\" <b>",
      "cores" : 0,
      "memoryperexecutor" : 512,
      "resourcesperexecutor" : [ {
        "name" : "gpu",
        "amount" : 1
      } ],
      "memoryperslave" : 512,
      "resourcesperslave" : [ {
        "name" : "gpu",
        "amount" : 1
      } ],
      "user" : "etl",
      "command" : "Command(Main,List(--cores, {{CORES}}),Map(A -> 1, MY_TOKEN -> *********(redacted)),ArraySeq(/x.jar),ArraySeq(),ArraySeq(-Dp.password=*********(redacted), -Dq=1))"
    }
  }, {
    "id" : 1,
    "memory" : 0,
    "resources" : { },
    "appid" : "app-2",
    "appdesc" : {
      "name" : "",
      "cores" : 0,
      "memoryperexecutor" : 0,
      "resourcesperexecutor" : [ ],
      "memoryperslave" : 0,
      "resourcesperslave" : [ ],
      "user" : "",
      "command" : "Command(,List(),Map(),ArraySeq(),ArraySeq(),ArraySeq())"
    }
  } ],
  "finishedexecutors" : [ ]
}`

func goldenStatus() Status {
	return Status{
		ID: "worker-20260102030405-10.0.0.7-41001", MasterURL: "spark://m1:7077", MasterWebUIURL: "http://m1:8080",
		Cores: 4, MemoryMiB: 2048, Resources: map[string][]string{"gpu": {"0", "1"}},
		Running: []ExecutorInfo{
			{
				Report: Report{State: Running},
				Spec: ExecutorSpec{
					AppID: "app-20260102030500-0000", Cores: 2, MemoryMiB: 512, Resources: map[string][]string{"gpu": {"0"}},
					App: AppDescription{Name: `night "ly" <b>`, User: "etl", MemoryPerExecutorMiB: 512, ResourcesPerExecutor: []ResourceAmount{{"gpu", 1}},
						UIURL: "http://driver:4040"},
					Command: Command{MainClass: "Main", Arguments: []string{"--cores", "{{CORES}}"}, Environment: map[string]string{"MY_TOKEN": "t", "A": "1"},
						ClassPath: []string{"/x.jar"}, JavaOpts: []string{"-Dp.password=x", "-Dq=1"}},
				},
			},
			{Spec: ExecutorSpec{AppID: "app-2", ExecID: 1}},
		},
	}
}

type site struct {
	t    *testing.T
	url  string
	work string
}

func newSite(t *testing.T) site {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	ui, err := NewUI(UIConfig{Listener: ln, WorkDir: work, Status: goldenStatus, Redaction: regexp.MustCompile("(?i)token|password"), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ui.Close(); err != nil {
			t.Error(err)
		}
	})
	return site{t, fmt.Sprintf("http://127.0.0.1:%d", ui.Port()), work}
}

func (s site) get(path string) (string, *http.Response) {
	s.t.Helper()
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body), resp
}

func TestJSONDocument(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	body, resp := s.get("/json/whatever")
	if body != goldenJSON {
		t.Errorf("got\n%s", body)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/json;charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if resp.Header.Get("Cache-Control") != "no-cache, no-store, must-revalidate" || resp.Header.Get("X-Frame-Options") != "SAMEORIGIN" {
		t.Errorf("headers %v", resp.Header)
	}
	if _, resp := s.get("/json"); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/json/" {
		t.Errorf("/json: %d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
}

func TestIndexPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	body, _ := s.get("/")
	for _, want := range []string{
		"worker-20260102030405-10.0.0.7-41001", "4 (2 Used)", "2.0 GiB (512.0 MiB Used)", "gpu: Free: [1] / Used: [0]",
		"Running Executors (2)", "night &#34;ly&#34; &lt;b&gt;", `href="http://driver:4040"`,
		`href="logPage/?appId=app-20260102030500-0000&amp;executorId=0&amp;logType=stderr"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in\n%s", want, body)
		}
	}
	if strings.Contains(body, "Finished Executors") {
		t.Error("an empty table of finished executors")
	}
	if body, resp := s.get("/nope"); resp.StatusCode != 200 || !strings.Contains(body, "Running Executors") {
		t.Errorf("unknown paths show the index, got %d", resp.StatusCode)
	}
	if _, resp := s.get("/static/x.js"); resp.StatusCode != 404 {
		t.Errorf("static: %d", resp.StatusCode)
	}
	resp, err := http.Post(s.url+"/", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

// Drivers are on the page, and count as used there and in the JSON.
func TestStatusWithDrivers(t *testing.T) {
	t.Parallel()
	status := goldenStatus()
	info := func(run string, state DriverState, notes string) DriverInfo {
		return DriverInfo{
			Spec: DriverSpec{
				ID: "driver-1", RunID: run, Cores: 1, MemoryMiB: 1024, Resources: map[string][]string{"gpu": {"1"}},
				Command: Command{MainClass: "org.apache.spark.deploy.worker.DriverWrapper", Arguments: []string{"{{WORKER_URL}}", "{{USER_JAR}}", "org.example.Nightly"}},
			},
			Report: DriverReport{RunID: run, State: state, Message: notes},
		}
	}
	status.Drivers, status.FinishedDrivers = []DriverInfo{info("driver-2", DriverRunning, "")}, []DriverInfo{info("driver-1", DriverError, "no such jar")}
	if c, m, gpu := status.coresUsed(), status.memoryUsed(), status.resourcesUsed()["gpu"]; c != 3 || m != 512+1024 || !slices.Equal(gpu, []string{"0", "1"}) {
		t.Errorf("used: %d cores, %d MiB, gpu %v", c, m, gpu)
	}
	rec := httptest.NewRecorder()
	(&UI{cfg: UIConfig{Status: func() Status { return status }, Logger: quiet()}}).index(rec, nil)
	for _, want := range []string{
		"Running Drivers (1)", "Finished Drivers (1)", "org.example.Nightly", "<td>ERROR</td>", "<td>no such jar</td>", `href="logPage/?driverId=driver-2&amp;logType=stderr"`,
	} {
		if body := rec.Body.String(); !strings.Contains(body, want) {
			t.Errorf("%q is missing in\n%s", want, body)
		}
	}
}

func TestLogRanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir := filepath.Join(s.work, "app-1", "0")
	writeFile(t, filepath.Join(dir, "stdout"), "0123456789", 0o644)
	writeFile(t, filepath.Join(dir, "stderr"), "klmno", 0o644)
	writeFile(t, filepath.Join(dir, "stderr--2026-01-02--04-00"), "fghij", 0o644)
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	io.WriteString(w, "abcde")
	w.Close()
	writeFile(t, filepath.Join(dir, "stderr--2026-01-02--03-00.gz"), z.String(), 0o644)
	writeFile(t, filepath.Join(s.work, "driver-1", "stdout"), "driver", 0o644)

	const app = "/log/?appId=app-1&executorId=0&logType="
	line := func(start, end, total int, logType string) string {
		return fmt.Sprintf("==== Bytes %d-%d of %d of %s/%s ====\n", start, end, total, dir, logType)
	}
	for path, want := range map[string]string{
		app + "stdout":                                  line(0, 10, 10, "stdout") + "0123456789",
		app + "stdout&byteLength=3":                     line(7, 10, 10, "stdout") + "789",
		app + "stdout&offset=2&byteLength=3":            line(2, 5, 10, "stdout") + "234",
		app + "stdout&offset=-5&byteLength=2":           line(0, 2, 10, "stdout") + "01",
		app + "stdout&offset=99":                        line(10, 10, 10, "stdout"),
		app + "stdout&byteLength=-1":                    line(10, 10, 10, "stdout"),
		app + "stderr":                                  line(0, 15, 15, "stderr") + "abcdefghijklmno",
		app + "stderr&offset=3&byteLength=9":            line(3, 12, 15, "stderr") + "defghijkl",
		app + "stderr&offset=2&byteLength=2":            line(2, 4, 15, "stderr") + "cd",
		"/log/?driverId=driver-1&logType=stdout":        "==== Bytes 0-6 of 6 of " + s.work + "/driver-1/stdout ====\ndriver",
		app + "../../secret":                            line(0, 0, 0, "../../secret") + "Error: Log type must be one of stderr, stdout",
		"/log/?appId=app-1&executorId=7&logType=stdout": "==== Bytes 0-0 of 0 of " + s.work + "/app-1/7/stdout ====\nError: invalid log directory " + s.work + "/app-1/7/",
	} {
		body, resp := s.get(path)
		if body != want || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/plain;charset=utf-8" {
			t.Errorf("%s: %d %q\nwant %q", path, resp.StatusCode, body, want)
		}
	}
	for _, path := range []string{"/log/?logType=stdout", "/log/?appId=a&logType=stdout", app + "stdout&offset=x", app + "stdout&byteLength=99999999999"} {
		if _, resp := s.get(path); resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if _, resp := s.get("/log?appId=a"); resp.Header.Get("Location") != "/log/?appId=a" {
		t.Errorf("redirect to %q", resp.Header.Get("Location"))
	}
}

func TestLogsOutsideTheWorkDirectoryAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	outside := filepath.Join(filepath.Dir(s.work), "outside-"+filepath.Base(s.work))
	writeFile(t, filepath.Join(outside, "0", "stdout"), "TOP SECRET", 0o644)
	dir := filepath.Join(s.work, "app-1", "0")
	writeFile(t, filepath.Join(dir, "stderr"), "", 0o644)
	for link, target := range map[string]string{
		filepath.Join(dir, "stdout"):       filepath.Join(outside, "0", "stdout"),
		filepath.Join(s.work, "app-link"):  outside,
		filepath.Join(dir, "stderr--2026"): filepath.Join(outside, "0", "stdout"),
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(s.work, "app-2", "0"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(s.work, "app-2", "0", "stdout"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(outside)
	for _, path := range []string{
		"/log/?appId=..&executorId=" + name + "&logType=stdout",
		"/log/?appId=../" + name + "&executorId=0&logType=stdout",
		"/log/?appId=app-1&executorId=../../../" + name + "/0&logType=stdout",
		"/log/?appId=%2e%2e%2f" + name + "&executorId=0&logType=stdout",
		"/log/?driverId=../" + name + "/0&logType=stdout",
		"/log/?appId=app-link&executorId=0&logType=stdout",
		"/log/?appId=app-1&executorId=0&logType=stdout",
		"/log/?appId=app-1&executorId=0&logType=stderr",
		"/log/?appId=app-2&executorId=0&logType=stdout", // a pipe must not block us
		"/logPage/?appId=app-1&executorId=0&logType=stdout",
	} {
		body, resp := s.get(path)
		if resp.StatusCode != 200 || strings.Contains(body, "TOP SECRET") || !strings.Contains(body, "Error") {
			t.Errorf("%s: %d %q", path, resp.StatusCode, body)
		}
	}
}

func TestLogPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	writeFile(t, filepath.Join(s.work, "app-1", "0", "stdout"), "<script>0123456789", 0o644)
	body, resp := s.get("/logPage/?appId=app-1&executorId=0&logType=stdout&offset=4&byteLength=6")
	for _, want := range []string{
		"Showing 6 Bytes: 4 - 10 of 18", "stdout log page for app-1/0",
		`href="?appId=app-1&amp;executorId=0&amp;logType=stdout&amp;offset=0&amp;byteLength=4"`,
		`href="?appId=app-1&amp;executorId=0&amp;logType=stdout&amp;offset=10&amp;byteLength=6"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in\n%s", want, body)
		}
	}
	if got := resp.Header.Get("Content-Type"); got != "text/html;charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if body, _ := s.get("/logPage/?appId=app-1&executorId=0&logType=stdout"); strings.Contains(body, "<script>") || !strings.Contains(body, "&lt;script&gt;") {
		t.Errorf("log text is not escaped:\n%s", body)
	}
}

func TestUICloseEndsServing(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ui, err := NewUI(UIConfig{Listener: ln, WorkDir: t.TempDir(), Status: goldenStatus, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := ui.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-ui.done:
	case <-time.After(patience):
		t.Error("still serving")
	}
}

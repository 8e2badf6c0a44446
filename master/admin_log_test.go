package master

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What Spark's own Worker and ours answer to a request for a log, and what is none.
func TestLogPages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body             string
		start, end, size int64
		text             string
		code             codes.Code
	}{
		"text":      {"==== Bytes 5-10 of 20 of /work/app-1/0/stdout ====\nhello", 5, 10, 20, "hello", codes.OK},
		"lines":     {"==== Bytes 0-4 of 4 of /w/driver-1/stderr ====\na\nb\n", 0, 4, 4, "a\nb\n", codes.OK},
		"empty":     {"==== Bytes 0-0 of 0 of /w/driver-1/stderr ====\n", 0, 0, 0, "", codes.OK},
		"no folder": {"==== Bytes 0-0 of 0 of /w/app-1/0/stdout ====\nError: invalid log directory /w/app-1/0/", 0, 0, 0, "", codes.NotFound},
		"a page":    {"<html>", 0, 0, 0, "", codes.FailedPrecondition},
		"numbers":   {"==== Bytes 0-99999999999999999999 of 4 of x ====\n", 0, 0, 0, "", codes.FailedPrecondition},
		"nothing":   {"", 0, 0, 0, "", codes.FailedPrecondition},
	} {
		got, err := parseLog("http://w", []byte(c.body))
		if status.Code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (got.GetStart() != c.start || got.GetEnd() != c.end || got.GetTotal() != c.size || string(got.GetText()) != c.text) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The worker's own address is asked, not the one that its pages are shown at, unless that is all there is.
func TestLogsAreFetchedFromTheWorker(t *testing.T) {
	t.Parallel()
	var asked url.Values
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/log/" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		asked = r.URL.Query()
		fmt.Fprint(w, "==== Bytes 0-2 of 2 of x ====\nok")
	}))
	defer s.Close()
	u, _ := url.Parse(s.URL)
	q := url.Values{"appId": {"app-1"}, "executorId": {"0"}, "logType": {"stdout"}}
	for _, w := range []fsm.Worker{
		{Host: "127.0.0.1", WebUIURL: "http://public.invalid:" + u.Port()},
		{Host: "host.invalid", WebUIURL: s.URL + "/"},
		{Host: "127.0.0.1", WebUIURL: s.URL},
	} {
		out, err := fetchLog(t.Context(), &w, q)
		if err != nil || string(out.GetText()) != "ok" || asked.Get("appId") != "app-1" || asked.Get("logType") != "stdout" {
			t.Errorf("%+v: %v, %v", w.WebUIURL, out, err)
		}
	}
	for _, c := range []struct {
		url  string
		code codes.Code
	}{{"", codes.FailedPrecondition}, {"http://127.0.0.1:1", codes.Unavailable}} {
		if _, err := fetchLog(context.Background(), &fsm.Worker{ID: "w1", Host: "127.0.0.1", WebUIURL: c.url}, q); status.Code(err) != c.code || !strings.Contains(err.Error(), "w1") {
			t.Errorf("%q: %v", c.url, err)
		}
	}
}

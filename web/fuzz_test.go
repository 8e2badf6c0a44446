package web

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// FuzzHTTP: whatever request the HTTP server of Go lets through, the pages answer it.
func FuzzHTTP(f *testing.F) {
	for _, s := range []string{
		"GET /json/ HTTP/1.1\r\nHost: m\r\n\r\n", "GET /json/clusterutilization?consistency=linearizable HTTP/1.1\r\nHost: m\r\n\r\n",
		"GET /v1/cluster HTTP/1.1\r\nHost: m\r\n\r\n", "POST /app/kill/?id=app-1&terminate=true HTTP/1.1\r\nHost: m\r\nContent-Length: 1\r\n\r\nx",
		"POST /workers/kill/?host=a&host=b HTTP/1.1\r\nHost: m\r\nOrigin: http://x\r\n\r\n",
		"OPTIONS * HTTP/1.0\r\n\r\n", "GET /json/%00%ff/../x HTTP/1.1\r\nHost: m\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	m := &fakeMaster{machine: fsm.New(fsm.Config{Fatal: func(err error) { f.Error(err) }}), leading: true}
	op := &fakeOperator{}
	handlers := []http.Handler{Handler(m, Actions{Operator: op, KillEnabled: true, Decommission: true, Allow: AllowAll}), RPCPortHandler(m, nil), JSONHandler(m, time.Now), ClusterHandler(m)}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, h := range handlers {
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
			if err != nil {
				return
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			op.did = nil
			if w.Code < 200 || w.Code > 599 {
				t.Errorf("status %d", w.Code)
			}
		}
	})
}

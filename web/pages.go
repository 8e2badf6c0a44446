package web

import (
	"net/http"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// Handler serves the web UI port, 8080. Actions without an Operator are not served.
func Handler(m Master, a Actions) http.Handler {
	mux := http.NewServeMux()
	if a.Operator != nil {
		a.add(mux)
	}
	json := JSONHandler(m, time.Now)
	mux.Handle("GET /json", http.RedirectHandler("/json/", http.StatusFound))
	mux.Handle("GET /json/", json)
	mux.Handle("GET /app/json/", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // 200 and empty, as Spark's
	mux.Handle("GET /v1/cluster", ClusterHandler(m))
	mux.Handle("GET /v1/digest", stateHandler(m, func(s *fsm.State) any { return digestOf(s) }))
	mux.Handle("GET /v1/executors", stateHandler(m, func(s *fsm.State) any { return executorsOf(s) }))
	mux.Handle("GET /v1/waiting", stateHandler(m, func(s *fsm.State) any { return WaitingOf(s, nil) }))
	return mux
}

// RPCPortHandler serves the HTTP that comes on the RPC port, 7077: GET /v1/cluster, and all else as the REST submission server
// does, since spark-submit --status and --kill speak HTTP to whatever port --master names. submissions may be nil.
func RPCPortHandler(m Master, submissions http.Handler) http.Handler {
	cluster := http.NewServeMux()
	cluster.Handle("GET /v1/cluster", ClusterHandler(m))
	if submissions == nil {
		return cluster
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/cluster" { // a mux would redirect paths that the protocol answers with an error
			cluster.ServeHTTP(w, r)
			return
		}
		submissions.ServeHTTP(w, r)
	})
}

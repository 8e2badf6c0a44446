package web

import (
	"net/http"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// Handler serves the web UI port, 8080.
func Handler(m Master) http.Handler {
	mux := http.NewServeMux()
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

// RPCPortHandler serves the HTTP that comes on the RPC port, 7077.
func RPCPortHandler(m Master) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /v1/cluster", ClusterHandler(m))
	return mux
}

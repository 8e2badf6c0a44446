package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"time"
)

// profilesDir names a folder in which this process opens a socket for those who look for what it spends its time on:
//
//	curl --unix-socket DIR/PID.sock 'http://profiles/cpu?seconds=10' >cpu.pprof
//
// and likewise heap, allocs, goroutine, mutex, block. It is for development, so it is no flag; no port is
// opened, and only this process's user may use the socket.
const profilesDir = "FIRESTEEL_PPROF_DIR"

// serveProfiles opens the socket where the environment asks for it. It lives as long as the process.
func serveProfiles() error {
	dir := os.Getenv(profilesDir)
	if dir == "" {
		return nil
	}
	path := filepath.Join(dir, strconv.Itoa(os.Getpid())+".sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("%s: open %s: %w", profilesDir, path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("%s: keep %s to ourselves: %w", profilesDir, path, err)
	}
	s := &http.Server{Handler: profilesHandler(), ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(ln) }() // ends with the process
	return nil
}

// maxProfile bounds one CPU profile.
const maxProfile = 10 * time.Minute

func profilesHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cpu", func(w http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.Atoi(r.URL.Query().Get("seconds"))
		d := time.Duration(seconds) * time.Second
		if err != nil || d <= 0 || d > maxProfile {
			http.Error(w, fmt.Sprintf("seconds=%q: give a number of seconds, at most %d", r.URL.Query().Get("seconds"), int(maxProfile.Seconds())), http.StatusBadRequest)
			return
		}
		if err := pprof.StartCPUProfile(w); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		defer pprof.StopCPUProfile()
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /{profile}", func(w http.ResponseWriter, r *http.Request) {
		p := pprof.Lookup(r.PathValue("profile"))
		if p == nil {
			http.NotFound(w, r)
			return
		}
		_ = p.WriteTo(w, 0) // whoever asked has gone
	})
	return mux
}

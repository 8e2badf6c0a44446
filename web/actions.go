package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
)

// Operator is what the web UI's forms have done, on whichever master they come.
type Operator interface {
	// DecommissionHosts drains all workers of some hosts and tells how many there are.
	DecommissionHosts(ctx context.Context, hosts []string) (int, error)
	// KillApp and KillDriver end what they name; nothing, where it is unknown or over.
	KillApp(ctx context.Context, id string) error
	KillDriver(ctx context.Context, id string) error
}

// Who may POST /workers/kill/ (spark.master.ui.decommission.allow.mode). Any other value allows nobody.
const (
	AllowLocal = "LOCAL" // requests from this machine
	AllowAll   = "ALLOW"
)

// Actions are the settings of the web UI's forms.
type Actions struct {
	Operator     Operator
	KillEnabled  bool   // spark.ui.killEnabled: of /app/kill/ and /driver/kill/
	Decommission bool   // spark.decommission.enabled: of /workers/kill/
	Allow        string // AllowLocal, AllowAll
}

// add serves POST /app/kill/, /driver/kill/ and /workers/kill/ as MasterWebUI does, with the codes of Spark 3.5.9 and 4.1.4 as
// they were captured. Since 4.1.4 Spark asks for a token that only its pages give; here what a browser sends from the pages
// of others is refused, and so is what it fetches unasked, while scripts go on as ever.
func (a Actions) add(mux *http.ServeMux) {
	a.handle(mux, "/app/kill", a.KillEnabled, a.kill(a.Operator.KillApp))
	a.handle(mux, "/driver/kill", a.KillEnabled, a.kill(a.Operator.KillDriver))
	a.handle(mux, "/workers/kill", a.Decommission, http.HandlerFunc(a.decommission))
}

func (a Actions) handle(mux *http.ServeMux, path string, enabled bool, h http.Handler) {
	if !enabled {
		h = http.HandlerFunc(notAllowed)
	}
	h = wanted(h)
	mux.Handle("POST "+path+"/", h)
	mux.HandleFunc(path+"/", notAllowed)
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { // as Jetty does
		if !enabled {
			notAllowed(w, r)
			return
		}
		redirect(w, r, path+"/", r.URL.RawQuery)
	})
}

func notAllowed(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
}

// redirect answers 302 with the whole URL, as Spark does, and keeps the scheme that a proxy in front was asked with.
func redirect(w http.ResponseWriter, r *http.Request, path, query string) {
	u := url.URL{Scheme: "http", Host: r.Host, Path: path, RawQuery: query}
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		u.Scheme = "https"
	}
	w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate")
	w.Header().Set("Location", u.String())
	w.WriteHeader(http.StatusFound)
}

// wanted lets through what somebody meant to send.
func wanted(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := origin.Check(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		for _, mark := range []string{"Purpose", "Sec-Purpose", "X-Moz"} {
			if r.Header.Get(mark) != "" {
				http.Error(w, "a prefetch does nothing here", http.StatusForbidden)
				return
			}
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// maxForm bounds what a form sends, in bytes.
const maxForm = 1 << 20

// kill is MasterPage.handleKillRequest: without terminate=true and an id nothing is done, and the answer is the same.
func (a Actions) kill(end func(ctx context.Context, id string) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if id := r.Form.Get("id"); id != "" && r.Form.Get("terminate") == "true" {
			if err := end(r.Context(), id); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		redirect(w, r, "/", "")
	})
}

func (a Actions) decommission(w http.ResponseWriter, r *http.Request) {
	if a.Allow != AllowAll && !(a.Allow == AllowLocal && isLocal(r.RemoteAddr)) {
		notAllowed(w, r)
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n, err := 0, error(nil)
	if hosts := r.Form["host"]; len(hosts) > 0 {
		n, err = a.Operator.DecommissionHosts(r.Context(), hosts)
	}
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case n == 0:
		http.Error(w, http.StatusText(http.StatusNotFound), http.StatusNotFound)
	}
}

// isLocal is MasterWebUI.isLocal: a loopback address, or one of this machine's own.
func isLocal(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := peer.Addr().Unmap().WithZone("")
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip.AsSlice()) {
			return true
		}
	}
	return false
}

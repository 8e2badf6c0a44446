package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// UIConfig configures the worker's web pages.
type UIConfig struct {
	Listener  net.Listener // see Listen; UI owns it
	WorkDir   string       // must exist
	Status    func() Status
	Redaction *regexp.Regexp
	Logger    *slog.Logger // default slog.Default()
}

// UI serves the worker's web pages: an overview at /, Spark's worker document
// at /json/, and executors' logs at /logPage/ (HTML) and /log/ (text).
type UI struct {
	cfg    UIConfig
	logs   logDir
	server *http.Server
	done   chan struct{}
}

// NewUI starts serving.
func NewUI(cfg UIConfig) (*UI, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	root, err := os.OpenRoot(cfg.WorkDir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWorkDir, err)
	}
	u := &UI{cfg: cfg, logs: logDir{root: root}, done: make(chan struct{})}
	u.server = &http.Server{
		Handler:           u.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    8 << 10, // spark.ui.requestHeaderSize
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	go u.serve()
	return u, nil
}

func (u *UI) serve() {
	defer close(u.done)
	if err := u.server.Serve(u.cfg.Listener); !errors.Is(err, http.ErrServerClosed) {
		u.cfg.Logger.Error("web pages stopped", "err", err)
	}
}

// Port is the port that is bound.
func (u *UI) Port() int { return u.cfg.Listener.Addr().(*net.TCPAddr).Port }

// Close waits a little for requests under way and ends the pages.
func (u *UI) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := u.server.Shutdown(ctx)
	if err != nil {
		err = u.server.Close()
	}
	<-u.done
	return errors.Join(err, u.logs.root.Close())
}

func (u *UI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", u.index) // also for unknown paths, as Spark's pages do
	mux.HandleFunc("/static/", http.NotFound)
	mux.HandleFunc("/json/", u.json)
	mux.HandleFunc("/log/", u.log)
	mux.HandleFunc("/logPage/", u.logPage)
	for _, path := range []string{"/json", "/log", "/logPage"} {
		mux.HandleFunc(path, addSlash)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
		h.Set("X-Frame-Options", "SAMEORIGIN")
		h.Set("X-XSS-Protection", "1; mode=block")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// addSlash redirects with a 302 as Jetty does, and keeps the query.
func addSlash(w http.ResponseWriter, r *http.Request) {
	u := *r.URL
	u.Path += "/"
	http.Redirect(w, r, u.RequestURI(), http.StatusFound)
}

func (u *UI) json(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/json;charset=utf-8")
	_, _ = w.Write([]byte(u.cfg.Status().document(u.cfg.Redaction).String()))
}

// logRequest is what /log/ and /logPage/ are asked for.
type logRequest struct {
	dir     string // below the work directory
	name    string // "app/executor" or the driver's id
	query   string // that names it again
	logType string
	offset  *int64
	length  int64
}

var errNoSubject = errors.New("request must specify either application or driver identifiers")

func parseLogRequest(r *http.Request) (logRequest, error) {
	q := r.URL.Query()
	req := logRequest{logType: q.Get("logType"), length: 100 * 1024}
	app, exec, driver := q.Get("appId"), q.Get("executorId"), q.Get("driverId")
	switch {
	case app != "" && exec != "" && driver == "":
		req.name, req.dir = app+"/"+exec, pathOf(app, exec)
		req.query = "appId=" + queryEscape(app) + "&executorId=" + queryEscape(exec)
	case app == "" && exec == "" && driver != "":
		req.name, req.dir = driver, pathOf(driver)
		req.query = "driverId=" + queryEscape(driver)
	default:
		return req, errNoSubject
	}
	if text := q.Get("offset"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return req, fmt.Errorf("offset %q is no number", text)
		}
		req.offset = &n
	}
	if text := q.Get("byteLength"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return req, fmt.Errorf("byteLength %q is no number", text)
		}
		req.length = n
	}
	return req, nil
}

// pathOf joins ids to a path below the work directory, or gives "" if one of
// them is no plain name.
func pathOf(ids ...string) string {
	for _, id := range ids {
		if !isPathElement(id) {
			return ""
		}
	}
	return strings.Join(ids, "/")
}

// read never fails: as in Spark, what goes wrong is the text of the log.
func (u *UI) read(req logRequest) logRange {
	if req.dir == "" {
		return logRange{Text: []byte(errLogDir.Error() + u.shownDir(req))}
	}
	piece, err := u.logs.read(req.dir, req.logType, req.offset, req.length)
	switch {
	case errors.Is(err, errLogDir):
		return logRange{Text: []byte(errLogDir.Error() + u.shownDir(req))}
	case err != nil:
		return logRange{Text: []byte(err.Error())}
	}
	return piece
}

func (u *UI) shownDir(req logRequest) string { return u.cfg.WorkDir + "/" + req.name + "/" }

// log answers with a first line that scripts parse: keep its form.
func (u *UI) log(w http.ResponseWriter, r *http.Request) {
	req, err := parseLogRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError) // Spark's status for it
		return
	}
	piece := u.read(req)
	w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	fmt.Fprintf(w, "==== Bytes %d-%d of %d of %s%s ====\n", piece.Start, piece.End, piece.Total, u.shownDir(req), req.logType)
	_, _ = w.Write(piece.Text)
}

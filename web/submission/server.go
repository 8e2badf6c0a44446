package submission

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/firesteel/firesteel/web/sparkjson"
)

// Backend does what requests ask for.
type Backend interface {
	// Create queues a driver and gives its id. The same key, unless it is "", gives the same id again. An error that is
	// ErrUnavailable lets the client try another master; any other one is final.
	Create(ctx context.Context, r *Request, key string) (id string, err error)
	// Kill asks for the end of a driver. found is false where it is unknown or has ended.
	Kill(ctx context.Context, id string) (found bool, err error)
	KillAll(ctx context.Context) error
	// Status gives found = false for an unknown driver.
	Status(ctx context.Context, id string) (s Status, found bool, err error)
	// Clear empties the lists of completed drivers and applications.
	Clear(ctx context.Context) error
	// Ready tells why no request can be served now.
	Ready(ctx context.Context) error
}

// Status is where a driver stands.
type Status struct {
	State          string // SUBMITTED, RUNNING, FINISHED, RELAUNCHING, KILLED, FAILED, ERROR
	WorkerID       string
	WorkerHostPort string
	Exception      string
	Note           string // what a waiting driver waits for; shown as message
}

// ErrUnavailable says that this master cannot serve a request now, and another one may.
var ErrUnavailable = errors.New("no leader can be reached")

// BackupPrefix starts every message that sends clients to the next master of their list
// (Utils.BACKUP_STANDALONE_MASTER_PREFIX).
const BackupPrefix = "Current state is not alive"

// maxBody bounds a request. The largest real ones carry a class path of some kilobytes.
const maxBody = 8 << 20

// IdempotencyKey is the header that makes the repetition of a request harmless, and IdempotencyProperty the property
// for clients that cannot set headers.
const (
	IdempotencyKey      = "Idempotency-Key"
	IdempotencyProperty = "spark.firesteel.idempotencyKey"
)

// KillAllSubmitted is the message of a request to end all drivers, and the others those about one driver. Tools look for them.
const KillAllSubmitted = "Kill request for all drivers submitted"

// Submitted is the message for a driver that was taken.
func Submitted(id string) string { return "Driver successfully submitted as " + id }

// KillSubmitted is the message for a driver whose end is on its way.
func KillSubmitted(id string) string { return "Kill request for " + id + " submitted" }

// KillUnknown is the message for a driver that is not there, or no more.
func KillUnknown(id string) string { return "Driver " + id + " has already finished or does not exist" }

// Handler serves the protocol.
type Handler struct {
	Backend Backend
	// Version is what answers give as serverSparkVersion.
	Version string
}

const base = "/v1/submissions/"

var help = "Please submit requests through http://[host]:[port]" + base + "..."

type action struct {
	method string
	serve  func(h *Handler, r *http.Request, id string) answer
}

// actions are StandaloneRestServer's servlets.
var actions = map[string]action{
	"create":  {http.MethodPost, (*Handler).create},
	"kill":    {http.MethodPost, (*Handler).kill},
	"killall": {http.MethodPost, (*Handler).killAll},
	"status":  {http.MethodGet, (*Handler).status},
	"clear":   {http.MethodPost, (*Handler).clear},
	"readyz":  {http.MethodGet, (*Handler).readyz},
}

// answer is a status code with a document, or with a page where there is none.
type answer struct {
	status int
	doc    sparkjson.Object
	page   string // its title
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "//") {
		page(w, r, http.StatusBadRequest, "Bad Request")
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, base)
	name, id, _ := strings.Cut(rest, "/")
	act, known := actions[name]
	if !ok || !known {
		h.write(w, r, h.lost(r.URL.Path))
		return
	}
	method := r.Method
	if method == http.MethodHead && act.method == http.MethodGet {
		method = http.MethodGet // as servlets do; the body stays behind
	}
	switch method {
	case act.method:
		id, _, _ = strings.Cut(id, "/") // what follows the id is ignored
		h.write(w, r, act.serve(h, r, id))
	case http.MethodOptions:
		w.Header().Set("Allow", allowed(act.method))
	case http.MethodPatch:
		w.WriteHeader(http.StatusNotImplemented)
	case http.MethodPut, http.MethodDelete:
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		page(w, r, http.StatusMethodNotAllowed, "HTTP method "+r.Method+" is not supported by this URL")
	}
}

func allowed(method string) string {
	if method == http.MethodGet {
		return "GET, HEAD, OPTIONS"
	}
	return method + ", OPTIONS"
}

// lost is ErrorServlet: it says what is missing from a path.
func (h *Handler) lost(path string) answer {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case parts[0] == "":
		return h.refuse(http.StatusBadRequest, "Missing protocol version. "+help)
	case len(parts) == 1 && parts[0] == "v1":
		return h.refuse(http.StatusBadRequest, "Missing the /submissions prefix. "+help)
	case parts[0] == "v1" && parts[1] == "submissions":
		return h.refuse(http.StatusBadRequest, "Missing an action: please specify one of /create, /kill, /killall, /clear, /status, or /readyz. "+help)
	}
	a := h.refuse(statusUnknownVersion, "Unknown protocol version '"+parts[0]+"'. "+help)
	a.doc = append(a.doc, sparkjson.Member{Key: "highestProtocolVersion", Value: "v1"})
	return a
}

// statusUnknownVersion is RestSubmissionServer.SC_UNKNOWN_PROTOCOL_VERSION.
const statusUnknownVersion = 468

func (h *Handler) refuse(status int, message string) answer {
	return answer{status: status, doc: sparkjson.Object{{Key: "action", Value: "ErrorResponse"}, {Key: "message", Value: message}}}
}

func (h *Handler) create(r *http.Request, _ string) answer {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return h.refuse(http.StatusBadRequest, "Malformed request: its body could not be read: "+err.Error())
	}
	if len(body) > maxBody {
		return h.refuse(http.StatusBadRequest, fmt.Sprintf("Malformed request: its body has more than %d bytes", maxBody))
	}
	req, err := ParseRequest(body)
	if err != nil {
		return h.rejected(err)
	}
	key := r.Header.Get(IdempotencyKey)
	if key == "" {
		key = req.Properties[IdempotencyProperty]
	}
	id, err := h.Backend.Create(r.Context(), req, key)
	doc := sparkjson.Object{{Key: "action", Value: "CreateSubmissionResponse"}, {Key: "success", Value: err == nil}}
	if len(req.Unknown) > 0 {
		doc = append(doc, sparkjson.Member{Key: "unknownFields", Value: req.Unknown})
	}
	var no *rejection
	switch {
	case errors.As(err, &no):
		return h.rejected(err)
	case err != nil:
		return answer{doc: append(doc, sparkjson.Member{Key: "message", Value: Failure(err)})}
	}
	return answer{doc: append(doc, sparkjson.Member{Key: "message", Value: Submitted(id)}, sparkjson.Member{Key: "submissionId", Value: id})}
}

func (h *Handler) rejected(err error) answer {
	var no *rejection
	if !errors.As(err, &no) {
		no = &rejection{status: http.StatusInternalServerError, class: sparkException, text: err.Error()}
	}
	if no.status != http.StatusBadRequest {
		return answer{status: no.status, page: no.Error()}
	}
	message := "Malformed request: " + no.Error()
	if no.reason != "" {
		message += "\n\t" + no.reason
	}
	return h.refuse(no.status, message)
}

// Failure is the message of a request that could not be carried out: one that sends the client to another master, where
// that may help.
func Failure(err error) string {
	if errors.Is(err, ErrUnavailable) {
		return BackupPrefix + ": " + err.Error()
	}
	return err.Error()
}

func (h *Handler) kill(r *http.Request, id string) answer {
	if id == "" {
		return h.refuse(http.StatusBadRequest, "Submission ID is missing in kill request.")
	}
	found, err := h.Backend.Kill(r.Context(), id)
	message := KillSubmitted(id)
	switch {
	case err != nil:
		message = Failure(err)
	case !found:
		message = KillUnknown(id)
	}
	return answer{doc: sparkjson.Object{
		{Key: "action", Value: "KillSubmissionResponse"}, {Key: "message", Value: message}, {Key: "submissionId", Value: id}, {Key: "success", Value: found && err == nil},
	}}
}

func (h *Handler) killAll(r *http.Request, _ string) answer {
	return h.done("KillAllSubmissionResponse", KillAllSubmitted, h.Backend.KillAll(r.Context()))
}

func (h *Handler) clear(r *http.Request, _ string) answer {
	return h.done("ClearResponse", "", h.Backend.Clear(r.Context()))
}

func (h *Handler) done(action, message string, err error) answer {
	if err != nil {
		message = Failure(err)
	}
	return answer{doc: sparkjson.Object{{Key: "action", Value: action}, {Key: "message", Value: message}, {Key: "success", Value: err == nil}}}
}

func (h *Handler) status(r *http.Request, id string) answer {
	if id == "" {
		return h.refuse(http.StatusBadRequest, "Submission ID is missing in status request.")
	}
	s, found, err := h.Backend.Status(r.Context(), id)
	doc := sparkjson.Object{{Key: "action", Value: "SubmissionStatusResponse"}, {Key: "submissionId", Value: id}, {Key: "success", Value: found && err == nil}}
	set := func(key, value string) {
		if value != "" {
			doc = append(doc, sparkjson.Member{Key: key, Value: value})
		}
	}
	switch {
	case err != nil:
		set("message", Failure(err))
	case found:
		set("driverState", s.State)
		set("workerId", s.WorkerID)
		set("workerHostPort", s.WorkerHostPort)
		if s.Exception != "" {
			set("message", "Exception from the cluster:\n"+s.Exception)
		} else {
			set("message", s.Note)
		}
	}
	return answer{doc: doc}
}

func (h *Handler) readyz(r *http.Request, _ string) answer {
	if err := h.Backend.Ready(r.Context()); err != nil {
		return h.refuse(http.StatusServiceUnavailable, "Master is not ready: "+err.Error())
	}
	return h.done("ReadyzResponse", "", nil)
}

// write prints a document with its keys in the alphabet's order, as Spark's does.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, a answer) {
	if a.page != "" {
		page(w, r, a.status, a.page)
		return
	}
	doc := append(slices.Clone(a.doc), sparkjson.Member{Key: "serverSparkVersion", Value: h.Version})
	slices.SortFunc(doc, func(x, y sparkjson.Member) int { return strings.Compare(x.Key, y.Key) })
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, _ = io.WriteString(w, doc.String())
}

// page is what the original's web server (Jetty) shows of an error.
func page(w http.ResponseWriter, r *http.Request, status int, title string) {
	w.Header().Set("Content-Type", "text/html;charset=iso-8859-1")
	w.Header().Set("Cache-Control", "must-revalidate,no-cache,no-store")
	w.WriteHeader(status)
	t := html.EscapeString(title)
	_, _ = fmt.Fprintf(w, "<html>\n<head>\n<title>Error %d %s</title>\n</head>\n<body><h2>HTTP ERROR %d %s</h2>\n<table>\n<tr><th>URI:</th><td>%s</td></tr>\n<tr><th>STATUS:</th><td>%d</td></tr>\n</table>\n</body>\n</html>\n",
		status, t, status, t, html.EscapeString(r.URL.Path), status)
}

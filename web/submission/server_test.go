package submission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/web/submission/contract"
)

// backend keeps drivers as the original does: waiting ones only, since no worker is there.
type backend struct {
	n       int
	state   map[string]string
	masters string
	asked   []*Request
	keys    []string
	down    error
}

func newBackend() *backend {
	return &backend{state: map[string]string{}, masters: "spark://m1:7077,m2:7077"}
}

func (b *backend) Create(_ context.Context, r *Request, key string) (string, error) {
	if b.down != nil {
		return "", b.down
	}
	if _, err := r.Describe(Context{Masters: b.masters, Environment: os.LookupEnv}); err != nil {
		return "", err
	}
	b.n++
	id := fmt.Sprintf("driver-20260102030405-%04d", b.n)
	b.state[id] = "SUBMITTED"
	b.asked, b.keys = append(b.asked, r), append(b.keys, key)
	return id, nil
}

func (b *backend) Kill(_ context.Context, id string) (bool, error) {
	found := b.state[id] == "SUBMITTED"
	if found {
		b.state[id] = "KILLED"
	}
	return found, b.down
}

func (b *backend) KillAll(context.Context) error {
	for id := range b.state {
		b.state[id] = "KILLED"
	}
	return b.down
}

func (b *backend) Status(_ context.Context, id string) (Status, bool, error) {
	s, ok := b.state[id]
	return Status{State: s}, ok, b.down
}

func (b *backend) Clear(context.Context) error {
	maps.DeleteFunc(b.state, func(_, s string) bool { return s == "KILLED" })
	return b.down
}

func (b *backend) Ready(context.Context) error { return b.down }

func ask(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://m1:6066/", strings.NewReader(body))
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(target, "?")
	r.URL.Path = strings.ReplaceAll(r.URL.Path, "%20", " ")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestAnswersAsTheOriginal sends what the original of 4.3.0 was sent, in the same order.
func TestAnswersAsTheOriginal(t *testing.T) {
	h := &Handler{Backend: newBackend(), Version: "4.3.0"}
	differences, ids, err := contract.Run("4.3.0", func(x contract.Exchange) (contract.Answer, error) {
		w := ask(h, x.Method, x.Path, x.Body)
		return contract.Answer{Status: w.Code, ContentType: w.Header().Get("Content-Type"), Body: w.Body.Bytes()}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Error(d)
	}
	if len(ids) < 15 {
		t.Errorf("only %d drivers were submitted", len(ids))
	}
}

// Requests of 3.5 that 4.x takes and 3.5 does not are taken: a server of the newer kind.
func TestEverythingThatTheOlderReleaseTakesIsTaken(t *testing.T) {
	all, err := contract.Exchanges("3.5.9")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		if x.Status != 200 || x.Answer == nil || !strings.HasPrefix(x.Path, "/v1/submissions/create") || contract.Differs[x.Name] != "" {
			continue
		}
		if w := ask(&Handler{Backend: newBackend()}, x.Method, x.Path, x.Body); w.Code != 200 {
			t.Errorf("%s: %d %s", x.Name, w.Code, w.Body)
		}
	}
}

func TestAnswersArePrintedAsTheOriginals(t *testing.T) {
	h := &Handler{Backend: newBackend(), Version: "4.3.0"}
	want := `{
  "action" : "SubmissionStatusResponse",
  "serverSparkVersion" : "4.3.0",
  "submissionId" : "nope",
  "success" : false
}`
	if got := ask(h, "GET", "/v1/submissions/status/nope", "").Body.String(); got != want {
		t.Errorf("%s", got)
	}
}

const small = `{"action":"CreateSubmissionRequest","clientSparkVersion":"4.3.0","appResource":"a.jar","mainClass":"M","sparkProperties":{%s}}`

func TestIdempotencyKey(t *testing.T) {
	b := newBackend()
	h := &Handler{Backend: b}
	ask(h, "POST", "/v1/submissions/create", fmt.Sprintf(small, ""), IdempotencyKey, "one")
	ask(h, "POST", "/v1/submissions/create", fmt.Sprintf(small, `"spark.firesteel.idempotencyKey":"two"`))
	ask(h, "POST", "/v1/submissions/create", fmt.Sprintf(small, ""))
	if want := []string{"one", "two", ""}; !reflect.DeepEqual(b.keys, want) {
		t.Errorf("keys %q", b.keys)
	}
}

// A client goes on to the next master of its list when a message starts with the prefix, and gives up otherwise.
func TestClientsAreSentOnOnlyWhereAnotherMasterMayHelp(t *testing.T) {
	for _, c := range []struct {
		err  error
		next bool
	}{{fmt.Errorf("ask the leader: %w", ErrUnavailable), true}, {errors.New("the disk is full"), false}} {
		b := newBackend()
		b.down = c.err
		h := &Handler{Backend: b}
		for _, x := range [][2]string{{"POST", "create"}, {"POST", "kill/x"}, {"POST", "killall"}, {"POST", "clear"}, {"GET", "status/x"}} {
			w := ask(h, x[0], base+x[1], fmt.Sprintf(small, ""))
			var got struct {
				Success bool
				Message string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.Success {
				t.Errorf("%s: %d %s %v", x[1], w.Code, w.Body, err)
			}
			if strings.HasPrefix(got.Message, BackupPrefix) != c.next || !strings.Contains(got.Message, c.err.Error()) {
				t.Errorf("%s: message %q", x[1], got.Message)
			}
		}
		if w := ask(h, "GET", base+"readyz", ""); w.Code != 503 || !strings.Contains(w.Body.String(), `"ErrorResponse"`) {
			t.Errorf("readyz: %d %s", w.Code, w.Body)
		}
	}
}

// Load balancers ask with HEAD. What changes something does not answer to it.
func TestHead(t *testing.T) {
	h := &Handler{Backend: newBackend()}
	for path, want := range map[string]int{"readyz": 200, "status/nope": 200, "status": 400, "create": 405, "kill/nope": 405, "killall": 405, "clear": 405} {
		if w := ask(h, "HEAD", base+path, ""); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

func TestTooLargeABodyIsRefused(t *testing.T) {
	w := ask(&Handler{Backend: newBackend()}, "POST", "/v1/submissions/create", strings.Repeat(" ", maxBody+1))
	if w.Code != 400 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestStatusTellsWhatADriverWaitsForOrDiedOf(t *testing.T) {
	for _, c := range []struct {
		s    Status
		want string
	}{
		{Status{State: "SUBMITTED", Note: "no worker has 99 cores"}, "no worker has 99 cores"},
		{Status{State: "ERROR", Exception: "java.io.IOException: gone\n\tat X"}, "Exception from the cluster:\njava.io.IOException: gone\n\tat X"},
	} {
		w := ask(&Handler{Backend: fixed{newBackend(), c.s}}, "GET", "/v1/submissions/status/x", "")
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got["message"] != c.want || got["driverState"] != c.s.State {
			t.Errorf("%s %v", w.Body, err)
		}
	}
}

type fixed struct {
	*backend
	s Status
}

func (f fixed) Status(context.Context, string) (Status, bool, error) { return f.s, true, nil }

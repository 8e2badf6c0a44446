package master

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	defaultPiece = 100 << 10
	maxPiece     = 1 << 20
	// logTimeout bounds one request to a worker's pages.
	logTimeout = 3 * time.Second
)

// logSubject is whose output is asked for, and which worker has it.
type logSubject struct {
	name     string     // of the run, or application/executor
	query    url.Values // that names it to the worker's log pages
	workerID string
	ended    bool
}

// ReadLog implements clusterpb.AdminServer. The worker's own page gives the text, as a browser would be given it, so what is
// redacted there is redacted here; unmodified workers of Spark have the same page.
func (a admin) ReadLog(ctx context.Context, r *clusterpb.ReadLogRequest) (*clusterpb.ReadLogReply, error) {
	if t := r.GetLogType(); t != "stdout" && t != "stderr" {
		return nil, status.Errorf(codes.InvalidArgument, "the log type is stdout or stderr, not %q", t)
	}
	s, err := a.read(ctx, false)
	if err != nil {
		return nil, err
	}
	subject, err := findSubject(s, r)
	if err != nil {
		return nil, err
	}
	w, ok := s.Worker(subject.workerID)
	if !ok {
		return nil, status.Errorf(codes.NotFound, "%s ran on worker %s, which the cluster does not know any more: its logs are on that worker's disk", subject.name, subject.workerID)
	}
	q := subject.query
	q.Set("logType", r.GetLogType())
	length := r.GetLength()
	if length <= 0 {
		length = defaultPiece
	}
	q.Set("byteLength", strconv.Itoa(int(min(length, maxPiece))))
	if r.GetOffset() >= 0 {
		q.Set("offset", strconv.FormatInt(r.GetOffset(), 10))
	}
	out, err := fetchLog(ctx, w, q)
	if err != nil {
		return nil, err
	}
	out.WorkerId, out.Ended, out.Subject = w.ID, subject.ended, subject.name
	return out, nil
}

func findSubject(s *fsm.State, r *clusterpb.ReadLogRequest) (*logSubject, error) {
	switch {
	case r.GetDriverId() != "" && r.GetAppId() == "":
		return driverSubject(s, r.GetDriverId())
	case r.GetDriverId() == "" && r.GetAppId() != "":
		return executorSubject(s, r.GetAppId(), int(r.GetExecutorId()))
	}
	return nil, status.Error(codes.InvalidArgument, "name either a driver, or an application and one of its executors")
}

func driverSubject(s *fsm.State, id string) (*logSubject, error) {
	d, err := findDriver(s, id)
	if err != nil {
		return nil, err
	}
	run := runOf(d)
	if id != d.ID && id != run {
		return nil, status.Errorf(codes.NotFound, "%s is an earlier run of %s: which worker has its logs is not known any more; the last run is %s", id, d.ID, run)
	}
	switch {
	case d.WorkerID == "" && d.State.Ends():
		return nil, status.Errorf(codes.NotFound, "driver %s (%s) has run on no worker that is known: there are no logs", d.ID, d.State)
	case d.WorkerID == "":
		return nil, status.Errorf(codes.FailedPrecondition, "driver %s is %s and on no worker now: there are no logs yet", d.ID, d.State)
	}
	return &logSubject{name: run, query: url.Values{"driverId": {run}}, workerID: d.WorkerID, ended: d.State.Ends()}, nil
}

func executorSubject(s *fsm.State, appID string, id int) (*logSubject, error) {
	app, executors, err := findApp(s, appID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(executors, func(e *fsm.Executor) bool { return e.ID == id })
	if i < 0 {
		return nil, status.Errorf(codes.NotFound, "application %s has no executor %d that is still known; app show %s lists them", appID, id, appID)
	}
	e := executors[i]
	return &logSubject{
		name: appID + "/" + strconv.Itoa(id), query: url.Values{"appId": {appID}, "executorId": {strconv.Itoa(id)}},
		workerID: e.WorkerID, ended: app.State.Ended() || e.State.Finished(),
	}, nil
}

// logClient keeps no connection: logs are asked for seldom, and workers come and go.
var logClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// fetchLog asks the worker at its own address first: the one on its pages may be meant for browsers outside.
func fetchLog(ctx context.Context, w *fsm.Worker, q url.Values) (*clusterpb.ReadLogReply, error) {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	var failed []error
	for _, base := range logBases(w) {
		out, err := fetchLogAt(ctx, base, q)
		if err == nil {
			return out, nil
		}
		if s, ok := status.FromError(err); ok && s.Code() != codes.Unavailable {
			return nil, err
		}
		failed = append(failed, err)
	}
	if len(failed) == 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "worker %s serves no pages: its logs are on its disk", w.ID)
	}
	return nil, status.Errorf(codes.Unavailable, "the pages of worker %s (%s) do not answer this master: %v", w.ID, w.State, errors.Join(failed...))
}

func logBases(w *fsm.Worker) []string {
	u, err := url.Parse(w.WebUIURL)
	if err != nil || u.Host == "" {
		return nil
	}
	own := *u
	own.Host = net.JoinHostPort(w.Host, u.Port())
	if own.Host == u.Host || u.Port() == "" {
		return []string{u.String()}
	}
	return []string{own.String(), u.String()}
}

func fetchLogAt(ctx context.Context, base string, q url.Values) (*clusterpb.ReadLogReply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/log/?"+q.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask for a log: %w", err)
	}
	resp, err := logClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	// Text of another encoding grows when a JVM worker writes it as UTF-8.
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4*maxPiece))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", base, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, status.Errorf(codes.FailedPrecondition, "%s answers %s to a request for a log", base, resp.Status)
	}
	return parseLog(base, body)
}

// logHead is the first line of a worker's log page; Spark's own script reads it too.
var logHead = regexp.MustCompile(`^==== Bytes (\d+)-(\d+) of (\d+) of (.*) ====$`)

func parseLog(base string, body []byte) (*clusterpb.ReadLogReply, error) {
	head, text, _ := bytes.Cut(body, []byte("\n"))
	m := logHead.FindSubmatch(head)
	if m == nil {
		return nil, status.Errorf(codes.FailedPrecondition, "%s serves no log pages of a Spark worker", base)
	}
	out := &clusterpb.ReadLogReply{Text: text}
	for i, field := range []*int64{&out.Start, &out.End, &out.Total} {
		n, err := strconv.ParseInt(string(m[i+1]), 10, 64)
		if err != nil {
			return nil, status.Errorf(codes.FailedPrecondition, "%s gives %q as the range of a log", base, head)
		}
		*field = n
	}
	if out.Total == 0 && len(text) > 0 { // the worker's word on what is wrong
		return nil, status.Errorf(codes.NotFound, "the worker has no such log (it was cleaned up, or was never begun): %s", bytes.TrimSpace(text))
	}
	return out, nil
}

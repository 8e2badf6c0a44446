package submit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/internal/delay"
)

// Answer is any answer of the REST server.
type Answer struct {
	Action         string `json:"action"`
	Success        bool   `json:"success"`
	SubmissionID   string `json:"submissionId"`
	Message        string `json:"message"`
	DriverState    string `json:"driverState"`
	WorkerID       string `json:"workerId"`
	WorkerHostPort string `json:"workerHostPort"`
}

// Exception is what a driver's end was caused by, as the status tells it.
func (a Answer) Exception() string {
	_, e, _ := strings.Cut(a.Message, "Exception from the cluster:\n")
	return e
}

// requestLimit is the patience with one master. Spark's client has 10 s.
const requestLimit = 10 * time.Second

// client opens a connection for each request: one to a master that was killed must not be used for its successor.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: requestLimit}

// ErrRefused says that a master has understood a request and will not carry it out.
var ErrRefused = errors.New("the request is refused")

// backup begins the message of a master that wants to be left for another one.
const backup = "Current state is not alive"

// Create submits a driver to one master, http://host:port of any of its ports that speak REST. key may be "".
func Create(ctx context.Context, base string, d Driver, key string) (id string, err error) {
	body, err := json.Marshal(d.request())
	if err != nil {
		return "", err
	}
	a, err := do(ctx, http.MethodPost, base+"/v1/submissions/create", body, key)
	if err != nil {
		return "", err
	}
	if !a.Success || a.SubmissionID == "" {
		return "", a.failure("create")
	}
	return a.SubmissionID, nil
}

// Status asks one master where a driver stands. Without an error, Success tells whether it is known.
func Status(ctx context.Context, base, id string) (Answer, error) {
	return known(do(ctx, http.MethodGet, base+"/v1/submissions/status/"+id, nil, ""))
}

// Kill asks one master for the end of a driver. Without an error, Success tells whether there was one to end.
func Kill(ctx context.Context, base, id string) (Answer, error) {
	return known(do(ctx, http.MethodPost, base+"/v1/submissions/kill/"+id, nil, ""))
}

// known is an answer about one driver: that it is not known is an answer, too.
func known(a Answer, err error) (Answer, error) {
	if err == nil && strings.HasPrefix(a.Message, backup) {
		err = a.failure("ask")
	}
	return a, err
}

func (a Answer) failure(what string) error {
	if strings.HasPrefix(a.Message, backup) {
		return fmt.Errorf("%s: %s", what, a.Message)
	}
	return fmt.Errorf("%s: %w: %s", what, ErrRefused, a.Message)
}

func do(ctx context.Context, method, url string, body []byte, key string) (Answer, error) {
	var a Answer
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	response, err := client.Do(r)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return a, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if response.StatusCode >= 400 && response.StatusCode < 500 {
		return a, fmt.Errorf("%s %s: %w: %s: %.300s", method, url, ErrRefused, response.Status, text)
	}
	if err := json.Unmarshal(text, &a); err != nil || response.StatusCode != http.StatusOK {
		return a, fmt.Errorf("%s %s: %s: %.300s", method, url, response.Status, text)
	}
	return a, nil
}

// retryAfter is the pause between two attempts; the next one goes to the next master.
const retryAfter = 5 * time.Millisecond

// Surely submits a driver under a key until a master has taken it: at each master in turn, from the first-th, whatever goes
// wrong, but a refusal. It tells how many times it asked.
func Surely(ctx context.Context, bases []string, first int, d Driver, key string) (id string, attempts int, err error) {
	for attempts = 1; ; attempts++ {
		id, err := Create(ctx, bases[(first+attempts-1)%len(bases)], d, key)
		if err == nil || errors.Is(err, ErrRefused) {
			return id, attempts, err
		}
		if !delay.For(ctx, retryAfter) {
			return "", attempts, fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		}
	}
}

// WaitStatus waits until a driver is as want (nil) says, by the answers of the masters in turn.
func WaitStatus(ctx context.Context, bases []string, id string, want func(Answer) error) (Answer, error) {
	var last Answer
	n := -1
	err := books.Poll(ctx, "the status of "+id, func(ctx context.Context) error {
		n++
		a, err := Status(ctx, bases[n%len(bases)], id)
		if err != nil {
			return err
		}
		last = a
		if err := want(a); err != nil {
			return fmt.Errorf("%w: %+v", err, a)
		}
		return nil
	})
	return last, err
}

// Is wants a driver to be in one of these states.
func Is(states ...string) func(Answer) error {
	return func(a Answer) error {
		for _, s := range states {
			if a.DriverState == s {
				return nil
			}
		}
		return fmt.Errorf("it is not %s", strings.Join(states, " or "))
	}
}

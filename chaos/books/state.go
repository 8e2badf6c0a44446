package books

import (
	"context"
	"slices"
)

// ReadExecutors asks a master's web UI, http://host:port, where the executors are as far as that master knows.
func ReadExecutors(ctx context.Context, web string) ([]Executor, error) {
	var all struct {
		Executors []Executor `json:"executors"`
	}
	return all.Executors, get(ctx, web+"/v1/executors", &all)
}

// Wait is an entry of GET /v1/waiting: an application that has no executor though it wants one, or a driver.
type Wait struct {
	App     string `json:"app"`
	Driver  string `json:"driver"`
	Release string `json:"release"`
	Cause   string `json:"cause"`
	Nowhere bool   `json:"nowhere"` // on no worker that there is, not even on an empty one
	Reason  string `json:"reason"`
}

// Waiting is all that waits.
type Waiting []Wait

// ReadWaiting asks a master's web UI, http://host:port.
func ReadWaiting(ctx context.Context, web string) (Waiting, error) {
	var doc struct {
		Waiting Waiting `json:"waiting"`
	}
	return doc.Waiting, get(ctx, web+"/v1/waiting", &doc)
}

// Of tells what an application waits for.
func (all Waiting) Of(app string) (Wait, bool) {
	i := slices.IndexFunc(all, func(w Wait) bool { return w.App == app })
	if i < 0 {
		return Wait{}, false
	}
	return all[i], true
}

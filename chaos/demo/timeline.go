package demo

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// timeline collects what happened after the kill.
type timeline struct {
	kill   time.Time
	mu     sync.Mutex
	events []event
}

type event struct {
	at       time.Time
	what     string
	observed string
}

func (t *timeline) add(at time.Time, what, observed string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, event{at, what, observed})
}

func (t *timeline) print(out io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.events, func(a, b event) int { return a.at.Compare(b.at) })
	fmt.Fprintf(out, "\n  ms after the kill   what happened                                seen by\n")
	for _, e := range t.events {
		fmt.Fprintf(out, "  %17d   %-44s %s\n", e.at.Sub(t.kill).Milliseconds(), e.what, e.observed)
	}
	fmt.Fprintln(out)
}

package demo

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// printer writes the demo's lines, each with the time since the start.
type printer struct {
	mu    sync.Mutex
	out   io.Writer
	began time.Time
}

func (p *printer) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}

// progressEvery is how long something may take before a line says that it goes on.
const progressEvery = 5 * time.Second

// during runs a step and says now and then that it goes on.
func (p *printer) during(ctx context.Context, what string, step func(ctx context.Context) error) error {
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- step(ctx) }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			return nil
		case <-tick.C:
			p.say("  ... %s: %d s", what, int(time.Since(began).Seconds()))
		}
	}
}

// Package delay waits for a while or for the end of a context, whichever comes first.
package delay

import (
	"context"
	"time"
)

// For waits for d, not at all where that is not positive, and tells whether ctx goes on.
func For(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

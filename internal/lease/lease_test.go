package lease

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestLease: the term counts from when a heartbeat was sent that a leader has acknowledged, not from its answer.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var left []time.Duration
		l := New(10*time.Second, func(d time.Duration) { left = append(left, d) })
		expired := make(chan time.Duration, 10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go l.Watch(ctx, func() { expired <- time.Since(start) })
		time.Sleep(3 * time.Second)
		l.Begin(time.Now()) // 3 s: a session
		l.Beat(1)
		time.Sleep(4 * time.Second) // 7 s
		l.Beat(2)
		time.Sleep(time.Second) // 8 s
		l.Acknowledged(1)
		l.Acknowledged(1)
		l.Acknowledged(99) // of no heartbeat of this session
		if at := <-expired; at != 13*time.Second {
			t.Errorf("expired after %s, want 10 s after the last heartbeat that was acknowledged was sent", at)
		}
		if !l.Over() {
			t.Error("it has expired, and is not over")
		}
		l.Acknowledged(2) // forgotten by the acknowledgement of a later one
		l.Begin(time.Now())
		if l.Over() {
			t.Error("renewed, and over")
		}
		if at := <-expired; at != 23*time.Second {
			t.Errorf("expired after %s", at)
		}
		if len(left) != 3 || left[1] != 5*time.Second {
			t.Errorf("renewed with %v left", left)
		}
	})
}

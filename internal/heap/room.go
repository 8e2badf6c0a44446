// Package heap lets a process with a small heap collect its garbage less often.
//
// Go collects when the heap has grown by as much as was live: a master whose state is some megabytes, and which makes a
// gigabyte of garbage a minute under load, then spends a fifth of its time in the collector, going over the same live
// megabytes again and again. With some room beyond them it hardly shows.
package heap

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	lookEvery = 2 * time.Second
	// usual is GOGC's default: a large heap grows by as much as is live, as everywhere.
	usual = 100
	// live is what the last collection left.
	live = "/gc/heap/live:bytes"
)

// KeepRoom lets the heap grow by at least room bytes between two collections, until ctx ends. Where the environment sets
// GOGC it does nothing: whoever does that knows better.
func KeepRoom(ctx context.Context, room uint64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: live}}
	set := usual
	for {
		metrics.Read(sample)
		// To set it stops the world for a moment, so it is not done for little.
		if p := percent(sample[0].Value.Uint64(), room); p != set && (p == usual || math.Abs(float64(p-set)) > float64(set)/8) {
			debug.SetGCPercent(p)
			set = p
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// smallest stands for a heap of which next to nothing is live.
const smallest = 4 << 20

// percent is the GOGC by which a heap of so many live bytes grows by room.
func percent(live, room uint64) int {
	return max(usual, int(room*100/max(live, smallest)))
}

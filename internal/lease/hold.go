package lease

import "time"

// A leader's clock may be faster than a worker's by slack, and signals take some time to be delivered.
const (
	slack  = 0.1
	margin = time.Second
)

// Hold is how long a leader waits, from when it takes over or commits the loss of a worker, which is later than the last
// word that it or an earlier leader has acknowledged, until what the worker has promised to end must have ended.
func Hold(promise time.Duration) time.Duration {
	return time.Duration(float64(promise)*(1+slack)) + margin
}

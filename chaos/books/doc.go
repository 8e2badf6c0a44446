// Package books reads what a cluster says of itself: GET /json/ of a Spark master, ours or the original, and
// GET /v1/cluster of ours. It waits for what they say by looking again every 20 ms, in one place (Poll): neither has
// a way to watch.
package books

//go:build race

package virtual

// shortFaults is how many faults a seed has where nobody says: fewer with the race detector, which makes them cost ten
// times as much.
const shortFaults = 20

// shortFleet is how many rounds of worker faults TestDriverRuns makes.
const shortFleet = 15

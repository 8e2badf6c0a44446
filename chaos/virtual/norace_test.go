//go:build !race

package virtual

// shortFaults is how many faults a seed has where nobody says.
const shortFaults = 60

// shortFleet is how many rounds of worker faults TestDriverRuns makes.
const shortFleet = 40

// Package bench measures what Firesteel promises, with real processes, and prints percentiles over enough runs: machines
// are noisy, so nothing of it is a timed test.
package bench

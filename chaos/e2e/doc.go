// Package e2e holds the tests with real processes and real Spark: build tag realspark, run by ./scripts/test.
//
// One cluster of three masters and two workers serves all tests, one after the other; a test that finds it damaged by
// the one before repairs it. Every test checks three things: the result of its jobs, the books of the masters
// afterwards, and that no process is left over. Every wait is for an event, and its context only bounds a hang.
package e2e

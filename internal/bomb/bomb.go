// Package bomb helps the tests of decoders with hostile input: what a decoder may allocate for so many bytes. It is used
// by tests only.
package bomb

import (
	"runtime"
	"testing"
)

// Bounded runs decode on input and fails the test if it allocates, in all, more than perByte bytes for each byte of the
// input and fixed bytes beside. A test that calls it must not run in parallel with others, whose allocations would count.
func Bounded(t testing.TB, name string, input []byte, perByte, fixed uint64, decode func([]byte)) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	decode(input)
	runtime.ReadMemStats(&after)
	used, limit := after.TotalAlloc-before.TotalAlloc, perByte*uint64(len(input))+fixed
	if used > limit {
		t.Errorf("%s: %d bytes of input cost %d, at most %d are allowed", name, len(input), used, limit)
	}
}

package storm

import (
	"fmt"
	"testing"

	"github.com/firesteel/firesteel/chaos/books"
)

func TestDigestsAreCompared(t *testing.T) {
	t.Parallel()
	var complaints []string
	r := &readers{digests: map[uint64]digestAt{}, complain: func(format string, args ...any) {
		complaints = append(complaints, fmt.Sprintf(format, args...))
	}}
	for _, d := range []struct {
		master string
		index  uint64
		digest string
		right  bool
	}{
		{"m1", 5, "a", true}, {"m2", 5, "a", true}, {"m2", 6, "b", true}, {"m3", 6, "c", false}, {"m1", 7, "a", true}, {"m1", 7, "x", false},
	} {
		if err := r.sawDigest(d.master, books.Digest{Index: d.index, Digest: d.digest}); (err == nil) != d.right {
			t.Errorf("%+v: %v", d, err)
		}
	}
	if len(complaints) != 2 || r.compare != 2 {
		t.Errorf("%d comparisons of two masters, complaints %v", r.compare, complaints)
	}
}

package master

import (
	"errors"
	"fmt"
	"testing"

	"github.com/firesteel/firesteel/fsm"
)

func TestIDPartsSplitThePatternsOfSpark(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string][2]string{
		"app-%s-%04d":     {"app-20260102030405-0000", "app-20260102030405-12345"},
		"driver-%s-%04d":  {"driver-20260102030405-0000", "driver-20260102030405-12345"},
		"my-app-%2$05d":   {"my-app-00000", "my-app-12345"},
		"%2$d_%1$s":       {"0_20260102030405", "12345_20260102030405"},
		"a111-%s-%03d-22": {"a111-20260102030405-000-22", "a111-20260102030405-12345-22"},
	} {
		p, err := idParts(pattern, "20260102030405")
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		for i, n := range []uint64{0, 12345} {
			if got := format(p, n); got != want[i] {
				t.Errorf("%s with %d gives %q, want %q", pattern, n, got, want[i])
			}
		}
	}
}

func TestIDPartsRefuseWhatTheStateMachineCannotWrite(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"app-%s-%,d", "app-%s-%x", "app-%s", "app-%s-%5d"} {
		if _, err := idParts(pattern, "20260102030405"); !errors.Is(err, errIDPattern) {
			t.Errorf("%s: got %v, want a refusal", pattern, err)
		}
	}
}

// format writes an id as the state machine does.
func format(p fsm.IDParts, n uint64) string {
	return fmt.Sprintf("%s%0*d%s", p.Prefix, p.Width, n, p.Suffix)
}

package heap

import "testing"

func TestPercent(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, c := range []struct {
		live, room uint64
		want       int
	}{
		{0, 64 * mib, 1600},        // nothing collected yet
		{8 * mib, 64 * mib, 800},   // 8 MiB grow to 72
		{64 * mib, 64 * mib, 100},  // as usual
		{640 * mib, 64 * mib, 100}, // and never less
	} {
		if got := percent(c.live, c.room); got != c.want {
			t.Errorf("%d MiB live, room for %d: %d, want %d", c.live/mib, c.room/mib, got, c.want)
		}
	}
}

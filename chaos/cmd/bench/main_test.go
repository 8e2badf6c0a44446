package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/bench"
)

func TestParse(t *testing.T) {
	t.Parallel()
	full, err := parse(nil, io.Discard)
	if err != nil || full.Options != bench.Full() || len(full.rows) != len(bench.All()) || !strings.HasPrefix(full.json, resultsDir+"/") {
		t.Errorf("nothing given: %+v, %v", full, err)
	}
	// Whatever is given beside -quick wins over it, before and behind it.
	c, err := parse([]string{"-kills", "7", "-quick", "-busy", "3s", "-original=false", "-only", "churn,kill", "-json", "x.json"}, io.Discard)
	want := bench.Quick()
	want.Kills, want.Busy, want.Original = 7, 3*time.Second, false
	if err != nil || c.Options != want || strings.Join(bench.Names(c.rows), " ") != "kill churn-100 churn-1000 churn-kept" || c.json != "x.json" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-only", "nothing"}, {"-kills", "0"}, {"kill"}, {"-busy", "-1s"}} {
		if _, err := parse(args, io.Discard); !errors.Is(err, bench.ErrOptions) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := parse([]string{"-kills", "many"}, io.Discard); err == nil {
		t.Error("-kills many is taken")
	}
}

package worker

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firesteel/firesteel/rpc"
)

var errDown = errors.New("connection refused")

func pointingAt(addr string) error {
	return fmt.Errorf("session: %w", &rpc.NotLeaderError{LeaderID: "x", LeaderRPC: addr})
}

// hunt runs a search for a while against masters that answer as given, and lists whom it tried.
func hunt(t *testing.T, ask func() ([]string, error), session func(addr string) (opened bool, err error), until time.Duration) (tried []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), until)
	defer cancel()
	s := newSearch(func(context.Context) ([]string, error) { return ask() }, quiet())
	for {
		addr, ok := s.next(ctx)
		if !ok {
			return tried
		}
		tried = append(tried, addr)
		opened, err := session(addr)
		s.tried(addr, opened, err)
	}
}

func TestSearchFollowsHints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var found time.Duration
		tried := hunt(t, func() ([]string, error) { return []string{"m1", "m2", "m3"}, nil }, func(addr string) (bool, error) {
			switch addr {
			case "m1":
				return false, pointingAt("m3")
			case "m3":
				if found == 0 {
					found = time.Since(began)
				}
				time.Sleep(time.Hour)
				return true, errors.New("it ended")
			}
			return false, errDown
		}, 30*time.Minute)
		if want := []string{"m1", "m3"}; !reflect.DeepEqual(tried, want) || found != 0 {
			t.Errorf("tried %v, found after %s", tried, found)
		}
	})
}

func TestSearchDoesNotSpin(t *testing.T) {
	t.Parallel()
	for name, session := range map[string]func(addr string) (bool, error){
		"two that point at each other": func(addr string) (bool, error) {
			if addr == "m1" {
				return false, pointingAt("m2")
			}
			return false, pointingAt("m1")
		},
		"one that points at itself":        func(addr string) (bool, error) { return false, pointingAt(addr) },
		"all are down":                     func(string) (bool, error) { return false, errDown },
		"all know of no leader":            func(string) (bool, error) { return false, pointingAt("") },
		"one that points at nobody's port": func(string) (bool, error) { return false, pointingAt("gone") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const seconds = 60
				tried := hunt(t, func() ([]string, error) { return []string{"m1", "m2"}, nil }, session, seconds*time.Second)
				// A round has at most both masters and their hints, and after a moment there is one a second.
				if n := len(tried); n < 2*seconds/2 || n > 7*(seconds+10) {
					t.Errorf("%d tries in %d s", n, seconds)
				}
				seen := map[string]bool{}
				for _, addr := range tried {
					seen[addr] = true
				}
				if !seen["m1"] || !seen["m2"] {
					t.Errorf("not everybody was tried: %v", seen)
				}
			})
		})
	}
}

func TestSearchPausesAndStartsAnewAfterASession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		up := false
		hunt(t, func() ([]string, error) { return []string{"m1"}, nil }, func(string) (bool, error) {
			at = append(at, time.Since(began))
			if time.Since(began) > 10*time.Second && !up {
				up = true
				time.Sleep(time.Second)
				return true, errors.New("the leader died")
			}
			return false, errDown
		}, 30*time.Second)
		if at[0] != 0 || at[1] != firstRetry || at[2] != firstRetry+2*firstRetry {
			t.Errorf("tries at %v", at[:3])
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap > lastRetry+time.Second {
				t.Errorf("a pause of %s", gap)
			}
			if at[i] > 11*time.Second && at[i-1] < 11*time.Second && at[i]-at[i-1] != time.Second {
				t.Errorf("after the session it waited %s", at[i]-at[i-1]-time.Second)
			}
		}
	})
}

func TestSearchKeepsTheLastListItKnew(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]func() ([]string, error){
		"nobody answers":         func() ([]string, error) { return nil, errDown },
		"a list without masters": func() ([]string, error) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				tried := hunt(t, func() ([]string, error) {
					if asked++; asked == 1 {
						return []string{"m1", "m2"}, nil
					}
					return later()
				}, func(string) (bool, error) { return false, errDown }, time.Minute)
				if len(tried) < 20 {
					t.Errorf("%d tries", len(tried))
				}
			})
		})
	}
}

func TestSearchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if tried := hunt(t, func() ([]string, error) { return nil, errDown }, nil, time.Minute); len(tried) != 0 || time.Since(began) != time.Minute {
			t.Errorf("tried %v, ended after %s", tried, time.Since(began))
		}
	})
}

//go:build realspark

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/submit"
	"github.com/firesteel/firesteel/internal/delay"
)

// steps are how long after a submission was sent its leader is killed: before the request is read, while it is forwarded, while
// its log entry is on the way to the others, when it is committed and not yet answered, and after that. A submission takes
// 2 to 5 ms on a machine that is idle.
var steps = []time.Duration{0, 300 * time.Microsecond, 600 * time.Microsecond, time.Millisecond, 1500 * time.Microsecond, 2 * time.Millisecond, 3 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond}

// TestSubmissionsAcrossLeaderKills: clients that ask again, at any master, until they have an answer; ten leaders killed by
// SIGKILL, each at another step of submissions under way. Every submission is one driver, on every master.
func TestSubmissionsAcrossLeaderKills(t *testing.T) {
	const submissions, clients = 200, 8
	c := newMasters(t, cluster.Config{})
	c.must(c.Start())
	_, err := c.WaitWhole(c.ctx)
	c.must(err)
	var bases, sparks []string
	for i, m := range c.Masters {
		if bases = append(bases, m.REST()); i == 1 {
			bases[i] = "http://" + m.Spark() // REST on Spark's port
		}
		sparks = append(sparks, m.Spark())
	}

	// Submissions wait for their turn: a tenth of them goes with each kill.
	turns := make(chan struct{}, submissions)
	var mu sync.Mutex
	ids, attempts := map[int]string{}, 0
	sent := make(chan struct{}, submissions)
	var all sync.WaitGroup
	next := make(chan int, submissions)
	for n := range submissions {
		next <- n
	}
	close(next)
	for range clients {
		all.Go(func() {
			for n := range next {
				<-turns
				sent <- struct{}{}
				id, tries, err := submitOnce(c.ctx, n, bases, sparks)
				if err != nil {
					t.Errorf("submission %d: %v", n, err)
					return
				}
				mu.Lock()
				ids[n] = id
				attempts += tries
				mu.Unlock()
			}
		})
	}
	for _, step := range steps {
		lead := c.leader().Master
		for len(sent) > 0 {
			<-sent
		}
		for range submissions / len(steps) {
			turns <- struct{}{}
		}
		<-sent
		delay.For(c.ctx, step)
		c.must(lead.Kill())
		_, err := c.WaitLeader(c.ctx, 0)
		c.must(err)
		c.must(lead.Start())
		_, err = c.WaitWhole(c.ctx)
		c.must(err)
	}
	all.Wait()
	if len(ids) != submissions {
		t.Fatalf("%d of %d submissions have an answer", len(ids), submissions)
	}
	t.Logf("%d submissions took %d attempts", submissions, attempts)
	want := slices.Sorted(maps.Values(ids))
	if n := len(slices.Compact(slices.Clone(want))); n != submissions {
		t.Fatalf("%d different drivers came of %d submissions", n, submissions)
	}
	for _, m := range c.Masters {
		c.must(books.Poll(c.ctx, "the drivers on "+m.ID, func(ctx context.Context) error {
			b, err := books.Read(ctx, m.Web())
			if err != nil {
				return err
			}
			var got []string
			for _, d := range b.ActiveDrivers {
				got = append(got, d.ID)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				return fmt.Errorf("%d drivers, not the %d that clients were told of", len(got), len(want))
			}
			return nil
		}))
	}
	// And whoever asks once more, wherever, is told the same.
	for n := 0; n < submissions; n += 20 {
		id, _, err := submit.Surely(c.ctx, bases, n, waitingDriver, fmt.Sprint("submission ", n))
		if c.must(err); id != ids[n] {
			t.Errorf("submission %d was %s, and is %s", n, ids[n], id)
		}
	}
}

var waitingDriver = submit.Driver{Version: "4.3.0", Resource: "file:/x/app.jar", MainClass: "org.acme.Main"}

// submitOnce submits until a master has taken the driver: under a key by REST, or, a quarter of them, by a client that is a
// process of Spark's, which asks all masters at once and is known by its address.
func submitOnce(ctx context.Context, n int, bases, sparks []string) (id string, attempts int, err error) {
	if n%4 != 1 {
		return submit.Surely(ctx, bases, n, waitingDriver, fmt.Sprint("submission ", n))
	}
	client, err := submit.NewRPC()
	if err != nil {
		return "", 0, err
	}
	defer client.Close()
	d := waitingDriver.With("spark.app.submitTime", strconv.Itoa(n)) // spark-submit dates it: ports are used again
	for attempts = 1; ; attempts++ {
		ids, err := client.Submit(ctx, sparks, d)
		if err == nil {
			if same := slices.Compact(slices.Clone(ids)); len(same) != 1 {
				return "", attempts, fmt.Errorf("one client was told of %v", ids)
			}
			return ids[0], attempts, nil
		}
		if !delay.For(ctx, 5*time.Millisecond) {
			return "", attempts, err
		}
	}
}

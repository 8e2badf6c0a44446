//go:build realspark

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/netns"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/puppet"
	"github.com/firesteel/firesteel/chaos/submit"
	"github.com/firesteel/firesteel/internal/delay"
)

// driverLease is that of TestDriverLease's workers: long enough for a worker to come back within it on a busy machine.
const driverLease = 12 * time.Second

// TestDriverLease: a supervised driver never lives twice at a time, whatever its worker is: cut off from all masters, or
// stopped by SIGSTOP. Where that passes within the lease, the driver goes on; where it does not, the driver has ended there
// before it begins elsewhere. And an outage of the whole quorum ends supervised drivers after the lease, and nobody else.
func TestDriverLease(t *testing.T) {
	th, network := leaseCluster(t)
	f := th.fixture
	ids := map[string]string{}
	on := func(name string) *cluster.Worker { return f.worker(th.is(ids[name], "RUNNING").WorkerID) }
	begin := func(n int, name string) {
		ids[name] = th.submit(n, th.puppet(name).Supervised())
		th.life(name, 1)
	}
	a, b := "a", "b"
	begin(0, a)
	for begin(1, b); on(b) == on(a); begin(1, b) { // chance has put it beside the other one
		th.kill(2, ids[b])
		th.is(ids[b], "KILLED")
		delete(ids, b)
		b += "b"
	}
	lives := func() map[string]*puppet.Life {
		now := map[string]*puppet.Life{}
		for _, l := range th.Lives("") {
			if ids[l.Name] != "" {
				now[l.Name] = l
			}
		}
		return now
	}
	// go on: their present lives are not over, and the books have them again.
	goOn := func(what string, before map[string]*puppet.Life) {
		t.Helper()
		for name, l := range before {
			if s := th.is(ids[name], "RUNNING"); s.WorkerID == "" {
				t.Errorf("%s: %+v", what, s)
			}
			if !l.Ended().IsZero() || len(th.Lives(name)) > 1 && th.Lives(name)[len(th.Lives(name))-1] != l {
				t.Errorf("%s: %s was ended: %v", what, name, th.Lives(name))
			}
		}
	}

	before := lives()
	wa, wb := on(a), on(b)
	began := time.Now()
	strike := func() {
		cutOff(f, network, wa)
		f.must(wb.Stop())
		for _, name := range []string{a, b} {
			if s := th.is(ids[name], "RELAUNCHING"); s.Message == "" {
				t.Errorf("a driver that waits for its old run to be over says nothing of it: %+v", s)
			}
		}
	}
	mend := func() {
		f.must(wb.Cont())
		reconnect(f, network, wa)
	}
	strike()
	mend()
	goOn(fmt.Sprintf("healed after %v", time.Since(began)), before)
	if on(a) != wa || on(b) != wb {
		t.Errorf("the drivers are on %s and %s, and were on %s and %s", on(a).ID, on(b).ID, wa.ID, wb.ID)
	}
	_, err := f.WaitWhole(f.ctx)
	f.must(err)

	began = time.Now()
	strike()
	for _, name := range []string{a, b} {
		l := th.life(name, 2)
		if old := before[name]; l.Run == old.Run || old.Ended().IsZero() {
			t.Errorf("%s: %v, then %v", name, old, l)
		} else {
			t.Logf("%s: ended %v after the fault, begun again %v after it", name, old.Ended().Sub(began).Round(time.Millisecond), l.Began.Sub(began).Round(time.Millisecond))
		}
		for _, id := range []string{ids[name], l.Run} {
			th.is(id, "RUNNING")
		}
		if w := on(name); w == wa || w == wb {
			t.Errorf("%s runs on %s, which is lost", name, w.ID)
		}
	}
	mend()
	_, err = f.WaitWhole(f.ctx)
	f.must(err)

	ids["plain"] = th.submit(0, th.puppet("plain"))
	th.life("plain", 1)
	before = lives()
	outage(th, func() { delay.For(f.ctx, driverLease/4) })
	goOn("after a short outage", before)
	began = time.Now()
	outage(th, func() {
		for _, name := range []string{a, b} {
			f.must(before[name].WaitOver(f.ctx))
		}
		t.Logf("without a quorum supervised drivers were ended after %v", time.Since(began).Round(time.Millisecond))
	})
	for _, name := range []string{a, b} {
		th.life(name, 3)
	}
	goOn("after a long outage", map[string]*puppet.Life{"plain": before["plain"]})
	for i, name := range []string{a, b, "plain"} {
		th.kill(i, ids[name])
		th.is(ids[name], "KILLED")
	}
	th.never()
	f.quiet()
}

// leaseCluster is a cluster with a short lease, on hosts of its own where that is possible.
func leaseCluster(t *testing.T) (*theatre, *netns.Net) {
	t.Helper()
	run, err := proc.NewRun("")
	if err != nil {
		t.Fatal(err)
	}
	network, err := netns.New()
	if err != nil && !errors.Is(err, netns.ErrUnavailable) {
		t.Fatal(err)
	}
	c, err := cluster.New(cluster.Config{
		Binary: suite.binary, Run: run, Workers: 3, Cores: 4, Homes: suite.releases, Net: network,
		Properties: map[string]string{
			"spark.firesteel.worker.driverLease": driverLease.String(), "spark.worker.driverTerminateTimeout": "1s",
			"spark.firesteel.worker.damping.enabled": "false",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ownCluster(t, c, network)
	f := newFixture(t, c)
	f.must(c.Start())
	_, err = c.WaitWhole(f.ctx)
	f.must(err)
	return f.theatre(), network
}

// ownCluster ends a cluster with its test, and keeps its logs if that has failed.
func ownCluster(t *testing.T, c *cluster.Cluster, network *netns.Net) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, w := range c.Workers {
			_ = w.Cont() // one that is stopped cannot end
		}
		if err := c.Stop(ctx); err != nil && !t.Failed() {
			t.Error(err)
		}
		if network != nil {
			if err := network.Close(); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("logs of this test's own cluster are in %s", c.Run.Dir)
			return
		}
		if err := os.RemoveAll(c.Run.Dir); err != nil {
			t.Error(err)
		}
	})
}

// cutOff cuts a worker off from all masters. Where the network cannot be cut it is stopped.
func cutOff(f *fixture, network *netns.Net, w *cluster.Worker) {
	f.Helper()
	if network == nil {
		f.must(w.Stop())
		return
	}
	var masters []*netns.Host
	for _, m := range f.Masters {
		masters = append(masters, m.Host())
	}
	f.must(network.Cut([]*netns.Host{w.Host()}, masters))
}

func reconnect(f *fixture, network *netns.Net, w *cluster.Worker) {
	f.Helper()
	if network == nil {
		f.must(w.Cont())
		return
	}
	dropped, err := network.Heal()
	f.must(err)
	if dropped == 0 {
		f.Error("the cut dropped no packet")
	}
}

// outage kills all masters, and starts them again after meanwhile.
func outage(th *theatre, meanwhile func()) {
	th.Helper()
	for _, m := range th.Masters {
		th.must(m.Kill())
	}
	meanwhile()
	th.must(th.Start())
	_, err := th.WaitWhole(th.ctx)
	th.must(err)
}

// ended waits until no driver is active and so many have ended whose main class begins like that, and gives those by id.
func (th *theatre) ended(class string, n int) map[string]books.Driver {
	th.Helper()
	var all map[string]books.Driver
	_, err := th.WaitBooks(th.ctx, fmt.Sprintf("the end of %d drivers", n), func(b books.Books) error {
		all = map[string]books.Driver{}
		for _, d := range b.CompletedDrivers {
			if strings.HasPrefix(d.MainClass, class) {
				all[d.ID] = d
			}
		}
		if len(b.ActiveDrivers) > 0 || len(all) < n {
			return fmt.Errorf("%d are active, %d have ended", len(b.ActiveDrivers), len(all))
		}
		return nil
	})
	th.must(err)
	return all
}

// TestSubmissionsDuringFailovers: 200 drivers are submitted, by REST under keys of their own and by Spark's RPC, while ten
// leaders are killed one after the other. Who gets no answer asks again, elsewhere. There are exactly 200 drivers then, each
// under the id that its submitter was told, and each was run exactly once.
func TestSubmissionsDuringFailovers(t *testing.T) {
	f := begin(t)
	th := f.theatre()
	const byREST, byRPC, kills = 150, 50, 10
	var spark []string
	for _, m := range f.Masters {
		spark = append(spark, m.Spark())
	}
	var next atomic.Int64
	var mu sync.Mutex
	names, attempts := map[string]string{}, 0 // names by id
	take := func(name, id string, tries int) {
		mu.Lock()
		defer mu.Unlock()
		if other, ok := names[id]; ok {
			t.Errorf("%s and %s were both told %s", name, other, id)
		}
		names[id] = name
		attempts += tries
	}
	submitOne := func(n int) error {
		name := fmt.Sprintf("one-%d", n)
		d := th.puppet(name, "exit 0")
		if n < byREST {
			id, tries, err := submit.Surely(f.ctx, th.bases, n, d, name)
			if err == nil {
				take(name, id, tries)
			}
			return err
		}
		ids, tries, err := submit.SurelyRPC(f.ctx, spark, d)
		if err == nil {
			take(name, ids[0], tries)
		}
		if i := slices.IndexFunc(ids, func(id string) bool { return id != ids[0] }); i > 0 {
			return fmt.Errorf("%s: the masters answered %v", name, ids)
		}
		return err
	}
	// So many at a time that there are some under way at each kill, and so few that they last for all of them.
	const atOnce = 8
	pace := make(chan struct{}, atOnce)
	var clients sync.WaitGroup
	for range atOnce {
		clients.Go(func() {
			for range pace {
				if err := submitOne(int(next.Add(1)) - 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	failovers := 0
	for n := range byREST + byRPC {
		if n%((byREST+byRPC)/kills) == (byREST+byRPC)/kills/2 {
			v, _ := f.killLeader()
			failovers++
			f.must(v.Master.Start())
		}
		pace <- struct{}{}
	}
	close(pace)
	clients.Wait()
	all := th.ended("one-", byREST+byRPC)
	for id, d := range all {
		if d.State != "FINISHED" || names[id] == "" {
			t.Errorf("driver %s (%s) is %s, and was submitted as %q", id, d.MainClass, d.State, names[id])
		}
	}
	if len(all) != byREST+byRPC || len(names) != byREST+byRPC {
		t.Errorf("%d drivers came of %d submissions, which were told %d ids", len(all), byREST+byRPC, len(names))
	}
	for id, name := range names {
		if lives := th.Lives(name); len(lives) != 1 || lives[0].Run != id {
			t.Errorf("%s, which is %s, was run as %v", name, id, lives)
		}
	}
	t.Logf("%d drivers of %d submissions, asked for %d times during %d kills of the leader", len(all), byREST+byRPC, attempts, failovers)
	th.never()
	f.quiet()
}

package master

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/wire"
)

func TestLabelOf(t *testing.T) {
	t.Parallel()
	_, r41 := tableOf(t, "4.1.4", "2.13")
	_, r34 := tableOf(t, "3.4.4", "2.12")
	opts := messages.Command{JavaOpts: r41.ModuleOptions}
	wish := messages.Command{Environment: map[string]string{releases.HomeWish: "3.4.4"}}
	for _, c := range []struct {
		build   releases.Build
		probe   int64
		command messages.Command
		want    string
	}{
		{"3.4/2.12", r34.ProbeSUID, messages.Command{}, "3.4/2.12@3.4"},
		{"4.1/2.13", r41.ProbeSUID, messages.Command{}, "4.1/2.13@4.1"},
		{"4.1/2.13", 0, opts, "4.1/2.13@4.1"}, // a driver that does not tell
		{"4.1/2.13", 0, messages.Command{}, "4.1/2.13"},
		{"4.1/2.13", 77, opts, "?/2.13@x000000000000004d"}, // its word counts for more than what its options look like
		{"3.4/2.12", r34.ProbeSUID, wish, "3.4/2.12@3.4=3.4.4"},
		{"3.4/2.12", 0, wish, "3.4/2.12=3.4.4"},
	} {
		if got := labelOf(c.build, c.probe, c.command); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

// TestGuesses: the last answer of a build's peers is the next guess; builds that are not known are not remembered.
func TestGuesses(t *testing.T) {
	t.Parallel()
	var g guesses
	const b = releases.Build("4.1/2.13|4.3/2.13")
	if got := g.of(b); got != b.Guess() || got == 0 {
		t.Errorf("the first guess is %d", got)
	}
	g.learn(b, 41)
	if got := g.of(b); got != 41 {
		t.Errorf("got %d", got)
	}
	for i := range 100 {
		g.learn(releases.Build(fmt.Sprintf("x%08x.?/2.13", i)), 1)
	}
	if len(g.last) != 1 {
		t.Errorf("%d are remembered", len(g.last))
	}
}

// The release of a worker is part of the state: the next leader and the other masters know it, and a worker that
// registers again is not asked again.
func TestReleaseIsKept(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	table, r := tableOf(t, "4.1.4", "2.13")
	side := newSparkSideOf(t, table, r.ProbeSUID, workerEndpoint, wire.Address{})
	for _, m := range masters {
		sendOn(t, side.dial(m), side.worker("worker-1", m))
	}
	want := []string{"4.1/2.13", "4.1/2.13@4.1"}
	agree(t, masters, "the worker's release", func(s *fsm.State) bool {
		w, ok := s.Worker("worker-1")
		return ok && slices.Equal(w.Builds, want)
	})
	moveLead(t, masters)
	until[*messages.MasterChanged](side)
	if w, _ := leader(t, masters).fsm.State().Worker("worker-1"); !slices.Equal(w.Builds, want) {
		t.Errorf("the new leader has %v", w.Builds)
	}
}

// A JVM worker of a release that we do not speak is told so, instead of being left to ask for minutes.
func TestUnknownWorkerIsRefusedInWords(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	side := newSparkSide(t, newestTable(), workerEndpoint, wire.Address{})
	msg := side.worker("worker-1", m)
	msg.Worker.Template = changedRef(t, side)
	sendOn(t, side.dial(m), msg)
	if r, _ := next[*messages.RegisterWorkerFailed](side); !strings.Contains(r.Reason, "this master speaks Spark 3.5 (Scala 2.13), Spark 3.4-3.5 (Scala 2.12)") || !strings.Contains(r.Reason, "RpcAddress") {
		t.Errorf("told %q", r.Reason)
	}
	if n := m.fsm.State().WorkerCount(); n != 0 {
		t.Errorf("%d workers", n)
	}
}

// changedRef is a ref in which a class has another serialVersionUID than in any release that we know.
func changedRef(t *testing.T, side *sparkSide) *javaser.Object {
	t.Helper()
	tree, err := messages.Tree(&messages.Heartbeat{WorkerID: "w", Worker: side.ref()}, messages.Env{Classes: side.table})
	if err != nil {
		t.Fatal(err)
	}
	ref, _ := tree.(*javaser.Object).Get("worker")
	endpoint, _ := ref.(*javaser.Object).Get("endpointAddress")
	address, _ := endpoint.(*javaser.Object).Get("rpcAddress")
	o := address.(*javaser.Object)
	class := *o.Class
	class.SUID++
	o.Class, o.Data[len(o.Data)-1].Class = &class, &class
	return ref.(*javaser.Object)
}

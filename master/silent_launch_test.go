package master

import (
	"slices"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/wire"
)

func TestUnansweredLaunches(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for id, kind := range map[string]fsm.WorkerKind{"go": fsm.WorkerGo, "jvm": fsm.WorkerJVM} {
		b.do(&fsm.RegisterWorker{Worker: fsm.Worker{
			ID: id, Host: "host-" + id, Port: 7000, Cores: 8, MemoryMB: 8192, Kind: kind, Builds: []string{testBuild}, Incarnation: "1",
		}}, nil)
	}
	a := b.app(1)
	b.place(a, "jvm", "jvm", "go")
	b.report(a, 0, fsm.ExecutorRunning)
	launched := now()
	of := func(id string, after time.Duration) []fsm.ExecutorKey {
		w, _ := b.State().Worker(id)
		return unanswered(b.State(), w, launched+after.Milliseconds())
	}
	if got := of("jvm", unansweredAfter-time.Second); len(got) > 0 {
		t.Errorf("early: %v", got)
	}
	if got := of("jvm", unansweredAfter+time.Second); !slices.Equal(got, []fsm.ExecutorKey{{AppID: a.ID, ID: 1}}) {
		t.Errorf("late: %v", got)
	}
	if got := of("go", time.Hour); len(got) > 0 {
		t.Errorf("a Go worker reports what it does not launch: %v", got)
	}
	b.do(&fsm.DecommissionWorker{ID: "jvm"}, nil)
	if got := of("jvm", time.Hour); len(got) > 0 {
		t.Errorf("of a drained worker: %v", got)
	}
}

// What a worker refuses without a word is given to another one, though the first has more room.
func TestRefusedLaunchGoesElsewhere(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	deaf := newSparkSide(t, newestTable(), workerEndpoint, wire.Address{})
	w := deaf.dial(m)
	sendOn(t, w, deaf.worker("worker-1", m))
	next[*messages.RegisteredWorker](deaf)
	sendOn(t, w, &messages.WorkerLatestState{ID: "worker-1"})
	driver, _, app := startJob(t, m, 1)
	next[*messages.LaunchExecutor](deaf)
	next[*messages.ExecutorAdded](driver)
	side := workerSide(t)
	hello := helloOf(side, "w2")
	hello.Cores = 1
	other := session(t, m, side, hello)
	other.welcome()
	eventually(t, m, "attached", attached(m, "w2"))

	d := m.duties.Load()
	s := m.fsm.State()
	x, _ := s.Worker("worker-1")
	d.giveUpRefused(x, unanswered(s, x, now()+2*unansweredAfter.Milliseconds()))
	if u, _ := next[*messages.ExecutorUpdated](driver); u.ID != 0 || u.State != messages.ExecutorLost || u.WorkerHost != "" {
		t.Errorf("%+v", u)
	}
	if l := other.next().GetLaunchExecutor(); l.GetAppId() != app || l.GetExecutorId() != 1 {
		t.Errorf("%v", l)
	}
	if k, _ := next[*messages.KillExecutor](deaf); k.AppID != app || k.ExecID != 0 {
		t.Errorf("%+v", k)
	}
	x, _ = m.fsm.State().Worker("worker-1")
	if !d.live.damping.holds(x.Watched(), time.Now()) {
		t.Errorf("it is not held back: %+v", x.Watched())
	}
}

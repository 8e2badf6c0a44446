package master

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/messages"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A master alone has nobody to hand the lead to: its duties end and begin anew, with the state as it is then.
func TestRestoreOnASingleMaster(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	jvm := workerSide(t)
	sendOn(t, jvm.dial(m), jvm.worker("jvm-1", m))
	_, line := next[*messages.RegisteredWorker](jvm)
	sendOn(t, line, &messages.WorkerLatestState{ID: "jvm-1"})
	before := m.duties.Load()
	past := m.fsm.State()
	driver, _, app := startJob(t, m, 1)
	until[*messages.LaunchExecutor](jvm)
	done, index, err := admin{m: m}.restore(t.Context(), past, &clusterpb.RestoreOptions{})
	if err != nil || done.EndedApps != 1 || index == 0 {
		t.Fatalf("%+v at %d, %v", done, index, err)
	}
	// Its driver is told, also where the duties of before had no time for it.
	if r, _ := until[*messages.ApplicationRemoved](driver); r.Reason != "KILLED" {
		t.Errorf("%+v", r)
	}
	if a := endOf(t, m, app); a.State != fsm.AppKilled {
		t.Errorf("%+v", a)
	}
	// The worker is greeted again, shows its list, and has work.
	_, line = until[*messages.MasterChanged](jvm)
	sendOn(t, line, &messages.WorkerSchedulerStateResponse{ID: "jvm-1"})
	_, _, again := startJob(t, m, 1)
	if l, _ := until[*messages.LaunchExecutor](jvm); l.AppID != again {
		t.Errorf("%+v", l)
	}
	if now := m.duties.Load(); now == before || now == nil {
		t.Error("the duties go on with the state of before")
	}
}

// A restore that has begun to come is given up with the leader's term, so that nothing of it stays for ever.
func TestStagedRestoreIsGivenUp(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	if _, err := propose[none](t.Context(), masters[0], &fsm.StageRestore{ID: "r", Data: []byte("the beginning")}); err != nil {
		t.Fatal(err)
	}
	agree(t, masters, "it is staged", func(s *fsm.State) bool { return s.RestoreStaged() == "r" })
	moveLead(t, masters)
	agree(t, masters, "it is given up", func(s *fsm.State) bool { return s.RestoreStaged() == "" })
}

// Masters that have lost their disks begin with term 1 again, while workers hold on to what they run for a master of a higher
// term. They obey nobody until a snapshot that knows them is restored; then they come back with their list.
func TestWorkersOfARestoredStateComeBack(t *testing.T) {
	t.Parallel()
	past := fsm.New(fsm.Config{})
	side := workerSide(t)
	hello := helloOf(side, "w1")
	hello.SeenTerm = 500
	past.Apply(9, 400, [][]byte{fsm.Encode(&fsm.SetCluster{ID: "lost"}, ""), fsm.Encode(&fsm.RegisterWorker{Worker: fsm.Worker{
		ID: "w1", Host: side.addr.Host, Port: side.addr.Port, Cores: 4, MemoryMB: 4096, Kind: fsm.WorkerGo, Incarnation: hello.Incarnation, Registered: 1,
	}}, "")})

	masters := openThree(t)
	l := leader(t, masters)
	if err := session(t, l, side, hello).ended(); status.Code(err) != codes.FailedPrecondition || l.node.Term() > 500 {
		t.Fatalf("a worker that nobody knows: %v; the term is %d", err, l.node.Term())
	}
	if _, _, err := (admin{m: follower(t, masters)}).restore(t.Context(), past.State(), &clusterpb.RestoreOptions{Foreign: true}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		w := session(t, leader(t, masters), side, hello)
		if m, ok := <-w.inbox; ok && m.GetWelcome() != nil {
			if m.GetTerm() <= 500 {
				t.Errorf("welcomed in term %d", m.GetTerm())
			}
			break
		}
		if !delay.For(ctx, 20*time.Millisecond) { // it asks again, as an agent does
			t.Fatal("it is never welcome")
		}
	}
}

// A worker that runs something for a cluster whose masters are gone is not made to end it by new ones, whatever their terms.
func TestWorkersOfAnotherCluster(t *testing.T) {
	t.Parallel()
	m := openThree(t)
	l := leader(t, m)
	own := l.fsm.State().ClusterID()
	running := []*clusterpb.ExecutorReport{{AppId: "app-1", State: clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING}}
	for name, c := range map[string]struct {
		cluster string
		runs    []*clusterpb.ExecutorReport
		taken   bool
	}{
		"busy":          {"lost", running, false},
		"idle":          {"lost", nil, true},
		"own":           {own, running, true},
		"no leader yet": {"", running, true},
	} {
		side := workerSide(t)
		hello := helloOf(side, "w-"+strings.ReplaceAll(name, " ", "-"))
		hello.ClusterId, hello.Executors = c.cluster, c.runs
		w := session(t, l, side, hello)
		if !c.taken {
			if err := w.ended(); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "cluster lost") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got := w.welcome().GetWelcome().GetClusterId(); got != own {
			t.Errorf("%s: welcomed to cluster %q", name, got)
		}
	}
}

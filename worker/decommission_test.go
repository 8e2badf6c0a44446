package worker

import (
	"fmt"
	"testing"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var errDies = status.Error(codes.Unavailable, "dies")

func (s *served) decommission() {
	s.send(1, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_Decommission{Decommission: &clusterpb.DecommissionWorker{}}})
}

func (s *served) recommission() {
	s.send(1, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_Recommission{Recommission: &clusterpb.RecommissionWorker{}}})
}

// saidOf is what a Hello says about being drained.
func saidOf(h *clusterpb.Hello) string {
	return fmt.Sprintf("drained %v, wished %v", h.GetDecommissioned(), h.GetDecommissionAsked())
}

func TestDecommissionIsRemembered(t *testing.T) {
	t.Parallel()
	s := make(seen, 100)
	turn := 0
	lead := startLeader(t, func(x *served) error {
		s <- saidOf(x.hello)
		x.welcome(1)
		if turn++; turn == 1 {
			x.decommission()
		} else {
			x.recommission()
		}
		return errDies
	})
	agentOf(t, "exit 0", startCluster(t, lead.addr))
	s.want(t, "drained false, wished false")
	s.want(t, "drained true, wished false")
	s.want(t, "drained false, wished false")
}

// A wish is repeated to every leader until one has granted it.
func TestWishToBeDrainedIsNotLost(t *testing.T) {
	t.Parallel()
	s := make(seen, 100)
	wish := make(chan struct{})
	turn := 0
	lead := startLeader(t, func(x *served) error {
		s <- saidOf(x.hello)
		switch turn++; turn {
		case 1:
			x.welcome(1)
			s <- "welcome"
			<-wish
			for m, err := x.stream.Recv(); ; m, err = x.stream.Recv() {
				if err != nil {
					return err
				}
				if m.GetDecommissioning() != nil {
					s <- "it wishes"
					x.recommission() // was on its way when it wished, and does not count
					return errDies   // before it could be committed
				}
			}
		case 2:
			return errDies // before it answered
		}
		x.welcome(1)
		return errDies
	})
	w := agentOf(t, "exit 0", startCluster(t, lead.addr))
	s.want(t, "drained false, wished false")
	s.want(t, "welcome")
	w.Decommission()
	close(wish)
	s.want(t, "it wishes")
	s.want(t, "drained true, wished true")
	s.want(t, "drained true, wished true")  // the second leader died
	s.want(t, "drained true, wished false") // the third had answered
}

// Signals that come while it is drained, or again after it was recommissioned, are as good as the first.
func TestDrainStates(t *testing.T) {
	t.Parallel()
	type step struct {
		do   func(d *drain)
		want string
	}
	wish := func(d *drain) { d.wish() }
	hello := func(d *drain) { d.hello() }
	welcomed := func(d *drain) { d.welcomed() }
	on := func(d *drain) { d.set(true) }
	off := func(d *drain) { d.set(false) }
	for name, steps := range map[string][]step{
		"by a leader":                         {{on, "on"}, {on, "on"}, {off, "off"}, {off, "off"}},
		"at its own wish":                     {{wish, "on wished"}, {off, "on wished"}, {on, "on"}, {off, "off"}, {wish, "on wished"}},
		"said in a Hello":                     {{wish, "on wished"}, {hello, "on wished"}, {welcomed, "on"}, {off, "off"}},
		"wished between Hello and Welcome":    {{hello, "off"}, {wish, "on wished"}, {welcomed, "on wished"}, {off, "on wished"}, {on, "on"}},
		"a Hello that nobody answered":        {{wish, "on wished"}, {hello, "on wished"}, {hello, "on wished"}, {welcomed, "on"}},
		"wished while drained":                {{on, "on"}, {wish, "on wished"}, {off, "on wished"}, {on, "on"}, {off, "off"}},
		"granted and withdrawn in one breath": {{wish, "on wished"}, {on, "on"}, {off, "off"}},
	} {
		d := &drain{}
		for i, s := range steps {
			s.do(d)
			got := map[bool]string{true: "on", false: "off"}[d.on]
			if d.wishes > d.granted {
				got += " wished"
			}
			if got != s.want || d.active() != d.on {
				t.Errorf("%s, step %d: %s, want %s", name, i, got, s.want)
			}
		}
	}
}

// What was on its way when the worker was drained is not started, and not reported either: the leader gives it up itself.
// Drivers are started: those that were placed run to their end.
func TestDrainedWorkerStartsNoExecutor(t *testing.T) {
	t.Parallel()
	s := make(seen, 100)
	lead := startLeader(t, func(x *served) error {
		x.welcome(1)
		x.decommission()
		x.launch(1, "app-1", 1)
		x.send(1, &clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_LaunchDriver{LaunchDriver: &clusterpb.LaunchDriver{RunId: "driver-1"}}})
		x.recommission()
		x.launch(1, "app-2", 1)
		for {
			m, err := x.stream.Recv()
			if err != nil {
				return err
			}
			if r := m.GetExecutor(); r != nil {
				s <- "executor of " + r.GetAppId()
			}
			if r := m.GetDriver(); r != nil {
				s <- "driver " + r.GetRunId()
			}
		}
	})
	w := agentOf(t, "exit 0", startCluster(t, lead.addr))
	s.want(t, "driver driver-1") // neither description can be read, which is reported at once
	s.want(t, "executor of app-2")
	if w.Draining() {
		t.Error("it is drained")
	}
}

package master

import (
	"testing"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/wire"
)

func TestArrivals(t *testing.T) {
	t.Parallel()
	a := newArrivals()
	here, there := wire.Address{Host: "here", Port: 1}, wire.Address{Host: "there", Port: 1}
	first, stopFirst := a.await(here)
	second, stopSecond := a.await(here)
	other, stopOther := a.await(there)
	stopSecond()
	app := &fsm.App{DriverHost: "here", DriverPort: 1}
	a.tell(app)
	a.tell(app) // nobody waits any more
	if got := <-first; got != app {
		t.Errorf("got %+v", got)
	}
	select {
	case got := <-second:
		t.Errorf("one that had stopped to wait got %+v", got)
	case got := <-other:
		t.Errorf("one that waits for another driver got %+v", got)
	default:
	}
	stopFirst()
	stopOther()
	if len(a.waiting) != 0 {
		t.Errorf("left behind: %v", a.waiting)
	}
}

// A driver registers with all masters at once, and only the leader's copy goes into the log.
func TestOneRegistrationInTheLog(t *testing.T) {
	t.Parallel()
	masters := openThree(t, func(c *Config) { c.leaderHears = time.Minute })
	for name, table := range dialects(t) {
		driver := newSparkSide(t, table, appClient, wire.Address{})
		l := leader(t, masters)
		term, before := l.node.Term(), proposed(masters)
		for _, m := range masters {
			sendOn(t, driver.dial(m), driver.application("job", 0))
		}
		reg, _ := next[*messages.RegisteredApplication](driver)
		for _, m := range masters {
			eventually(t, m, "it has the application, and waits for nothing", func(s *fsm.State) bool {
				m.arrivals.mu.Lock()
				defer m.arrivals.mu.Unlock()
				_, ok := s.App(reg.AppID)
				return ok && len(m.arrivals.waiting) == 0
			})
		}
		if n := proposed(masters) - before; n != 1 && l.node.Term() == term {
			t.Errorf("%s: %s was proposed %d times", name, reg.AppID, n)
		}
	}
}

func proposed(masters []*Master) (n int64) {
	for _, m := range masters {
		n += m.arrivals.proposed.Load()
	}
	return n
}

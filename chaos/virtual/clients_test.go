package virtual

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// keepAll is a retention that forgets nothing, so that the end can count everything that ever was.
const keepAll = 1 << 20

const build = "spark-test"

// load is the clients: drivers of applications, submitters of cluster-mode drivers, workers with what they run, readers.
type load struct {
	c      *cluster
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu     sync.Mutex
	made   int
	apps   map[string]string // tag -> id, empty while the outcome is unknown
	drives map[string]string
}

const (
	appClients, driverClients, workers, readers = 3, 1, 4, 1
)

func startLoad(c *cluster) *load {
	l := &load{c: c, apps: map[string]string{}, drives: map[string]string{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for range appClients {
		l.tasks.Go(func() { l.loop(l.application) })
	}
	for range driverClients {
		l.tasks.Go(func() { l.loop(l.driver) })
	}
	for i := range workers {
		w := &worker{l: l, id: fmt.Sprintf("w%d", i+1), port: 7000 + i}
		l.tasks.Go(func() { l.loop(w.step) })
	}
	for range readers {
		l.tasks.Go(func() { l.loop(func() { l.look(); l.think(200) }) })
	}
	return l
}

func (l *load) stop() { l.cancel(); l.tasks.Wait() }

func (l *load) loop(step func()) {
	for l.ctx.Err() == nil {
		step()
	}
}

// think waits up to so many milliseconds.
func (l *load) think(ms int) {
	_ = rest(l.ctx, l.c.dice.upTo(time.Duration(ms)*time.Millisecond))
}

func (l *load) tag(kind string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	return fmt.Sprintf("%s-%d", kind, l.made)
}

// commit has a command carried out under a request id, through any master, with the same bytes each time. It gives up now
// and then after an unknown outcome, and always when the load ends: acked is then false, and it may have been done or not.
func (l *load) commit(cmd fsm.Command, out any) (acked bool, refusal error) {
	request := l.tag("r")
	bytes := fsm.Encode(cmd, request)
	for l.ctx.Err() == nil {
		p := l.c.any()
		if p == nil {
			l.think(40)
			continue
		}
		ctx, cancel := context.WithTimeout(l.ctx, 50*time.Millisecond+l.c.dice.upTo(4*time.Second))
		result, index, err := l.propose(ctx, p, bytes)
		cancel()
		switch {
		case p.dead(): // an answer that nobody can send
		case err == nil:
			l.c.ledger.acknowledged(request, index, result)
			return true, fsm.DecodeResult(result, out)
		case l.c.dice.oneIn(20):
			return false, nil
		}
		l.think(40)
	}
	return false, nil
}

// propose is one call of a client to a master.
func (l *load) propose(ctx context.Context, p *process, cmd []byte) (result []byte, index uint64, err error) {
	_ = rest(ctx, l.c.dice.upTo(normalLatency))
	if err := p.awakeWithin(ctx); err != nil {
		return nil, 0, err
	}
	result, index, err = p.node.Propose(ctx, cmd)
	if late := p.awakeWithin(ctx); late != nil {
		return nil, 0, late
	}
	return result, index, err
}

// look makes one linearizable read on any master; nil if it did not come about.
func (l *load) look() *fsm.State {
	p := l.c.any()
	if p == nil {
		l.think(40)
		return nil
	}
	ctx, cancel := context.WithTimeout(l.ctx, 50*time.Millisecond+l.c.dice.upTo(4*time.Second))
	defer cancel()
	if p.awakeWithin(ctx) != nil {
		return nil
	}
	return l.c.read(ctx, p)
}

func now() int64 { return time.Now().UnixMilli() }

// application registers, changes its mind about executors, and ends.
func (l *load) application() {
	l.think(300)
	tag := l.tag("app")
	l.mu.Lock()
	port := 10_000 + l.made
	l.apps[tag] = ""
	l.mu.Unlock()
	app := fsm.App{
		Name: tag, User: "user", MaxCores: 6, Build: build, DriverHost: "driver", DriverPort: port, DriverRef: []byte("ref"), Description: []byte(tag), Submitted: now(),
		Profiles: []fsm.Profile{{Cores: 1 + l.c.dice.intn(2), MemoryMB: 128, Target: l.c.dice.intn(4)}},
	}
	var out fsm.AppRegistered
	acked, refusal := l.commit(&fsm.RegisterApplication{App: app, ID: fsm.IDParts{Prefix: "app-", Width: 4}, Retained: keepAll}, &out)
	if !acked {
		return
	}
	if refusal != nil || out.AppID == "" {
		l.c.ledger.violate("lost", "registration of %s is answered with %q, %v", tag, out.AppID, refusal)
		return
	}
	l.mu.Lock()
	l.apps[tag] = out.AppID
	l.mu.Unlock()
	for range l.c.dice.intn(3) {
		l.think(400)
		if l.c.dice.oneIn(2) {
			_, _ = l.commit(&fsm.RequestExecutors{AppID: out.AppID, Targets: []fsm.Profile{{ID: l.c.dice.intn(2), Cores: 1, MemoryMB: 128, Target: l.c.dice.intn(5)}}}, nil)
		} else {
			_, _ = l.commit(&fsm.KillExecutors{AppID: out.AppID, IDs: []int{0, l.c.dice.intn(4)}, At: now()}, nil)
		}
	}
	l.think(400)
	_, _ = l.commit(&fsm.FinishApplication{AppID: out.AppID, State: fsm.AppFinished, At: now(), Retained: keepAll}, nil)
}

// driver submits a cluster-mode driver, and now and then kills it.
func (l *load) driver() {
	l.think(400)
	tag := l.tag("driver")
	l.mu.Lock()
	l.drives[tag] = ""
	l.mu.Unlock()
	var out fsm.DriverSubmittedResult
	acked, refusal := l.commit(&fsm.SubmitDriver{
		ID:     fsm.IDParts{Prefix: "driver-", Width: 4},
		Driver: fsm.Driver{Cores: 1, MemoryMB: 128, Build: build, MainClass: tag, Supervise: l.c.dice.oneIn(2), Submitted: now()},
	}, &out)
	if !acked {
		return
	}
	if refusal != nil || out.DriverID == "" {
		l.c.ledger.violate("lost", "submission of %s is answered with %q, %v", tag, out.DriverID, refusal)
		return
	}
	l.mu.Lock()
	l.drives[tag] = out.DriverID
	l.mu.Unlock()
	if l.c.dice.oneIn(3) {
		l.think(1000)
		_, _ = l.commit(&fsm.KillDriver{ID: out.DriverID, At: now(), Retained: keepAll}, nil)
	}
}

// worker registers, reports the states of what the masters placed on it, and now and then is lost and comes back.
type worker struct {
	l    *load
	id   string
	port int
	life int
}

func (w *worker) incarnation() string { return fmt.Sprintf("life %d", w.life) }

func (w *worker) step() {
	w.l.think(600)
	s := w.l.look()
	if s == nil {
		return
	}
	me, ok := s.Worker(w.id)
	switch {
	case !ok || me.State != fsm.WorkerAlive || me.Incarnation != w.incarnation():
		w.life++
		_, _ = w.l.commit(&fsm.RegisterWorker{ReplaceAddress: true, Worker: fsm.Worker{
			ID: w.id, Host: "host", Port: w.port, Cores: 8, MemoryMB: 4096, Kind: fsm.WorkerGo, Builds: []string{build}, Incarnation: w.incarnation(), Registered: now(),
			Resources: map[string][]string{"gpu": {"0", "1"}},
		}}, nil)
	case w.l.c.dice.oneIn(40):
		_, _ = w.l.commit(&fsm.WorkerLost{ID: w.id, Incarnation: w.incarnation(), At: now(), Reason: "test", Retained: keepAll}, nil)
	case w.l.c.dice.oneIn(60):
		_, _ = w.l.commit(&fsm.DecommissionWorker{ID: w.id, At: now()}, nil)
	default:
		w.report(s)
	}
}

// report tells of one or two changes of what runs here.
func (w *worker) report(s *fsm.State) {
	told := 0
	for e := range s.ExecutorsOn(w.id) {
		c := &fsm.ExecutorStateChanged{AppID: e.AppID, ID: e.ID, WorkerID: w.id, State: fsm.ExecutorRunning, At: now(), MaxRetries: 10, Retained: keepAll}
		if e.State != fsm.ExecutorLaunching {
			if !w.l.c.dice.oneIn(4) {
				continue
			}
			code := w.l.c.dice.intn(2)
			c.State, c.ExitStatus = fsm.ExecutorExited, &code
		}
		_, _ = w.l.commit(c, nil)
		if told++; told == 2 {
			return
		}
	}
	for d := range s.DriversOn(w.id) {
		if w.l.c.dice.oneIn(3) || d.KillAsked {
			_, _ = w.l.commit(&fsm.DriverStateChanged{ID: d.ID, State: fsm.DriverFinished, At: now(), Retained: keepAll}, nil)
			return
		}
	}
}

// audit notes what every client has asked for until now, and gives a check of a state that is read later: once where it was
// acknowledged, at most once where it was not.
func (l *load) audit() func(by string, s *fsm.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := []map[string]string{maps.Clone(l.apps), maps.Clone(l.drives)}
	return func(by string, s *fsm.State) {
		for i, there := range records(s) {
			for tag, id := range asked[i] {
				got := there[tag]
				switch {
				case len(got) > 1:
					l.c.ledger.violate("applied twice", "%s has %d records of %s: %v", by, len(got), tag, got)
				case id != "" && (len(got) == 0 || got[0] != id):
					l.c.ledger.violate("lost", "%s was acknowledged as %s; %s has %v", tag, id, by, got)
				}
			}
		}
	}
}

// records are the ids of all applications and of all drivers that a state knows, by tag.
func records(s *fsm.State) []map[string][]string {
	apps, drivers := map[string][]string{}, map[string][]string{}
	for a := range s.Apps() {
		apps[a.Name] = append(apps[a.Name], a.ID)
	}
	for a := range s.CompletedApps() {
		apps[a.App.Name] = append(apps[a.App.Name], a.App.ID)
	}
	for d := range s.Drivers() {
		drivers[d.MainClass] = append(drivers[d.MainClass], d.ID)
	}
	for d := range s.CompletedDrivers() {
		drivers[d.MainClass] = append(drivers[d.MainClass], d.ID)
	}
	return []map[string][]string{apps, drivers}
}

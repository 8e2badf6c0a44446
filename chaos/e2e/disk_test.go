//go:build realspark

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/diskfault"
	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
)

// exitFatal is the exit code of a master that cannot go on: see package master.
const exitFatal = 70

// diskSet is a cluster of masters whose disks can fail.
type diskSet struct {
	*masterSet
	disks map[string]*diskfault.Disk // by id
	apps  []*simapp.App
}

// newDisks puts every master on a disk of its own, and starts nothing.
func newDisks(t *testing.T, masters int) *diskSet {
	t.Helper()
	if err := diskfault.Available(); err != nil {
		t.Skip(err)
	}
	s := &diskSet{masterSet: newMasters(t, cluster.Config{Masters: masters}), disks: map[string]*diskfault.Disk{}}
	t.Cleanup(func() {
		for _, a := range s.apps {
			a.Close()
		}
	})
	for _, m := range s.Masters {
		d, err := diskfault.Mount(diskfault.Config{Backing: filepath.Join(s.Cluster.Run.Dir, "disk", m.ID), Point: s.DataDir(m)})
		if errors.Is(err, diskfault.ErrUnavailable) {
			t.Skip(err)
		}
		s.must(err)
		t.Cleanup(d.Close) // before the processes are swept away: one that hangs cannot be killed
		s.disks[m.ID] = d
	}
	return s
}

func (s *diskSet) start() cluster.View {
	s.Helper()
	s.must(s.Start())
	leader, err := s.WaitWhole(s.ctx)
	s.must(err)
	return leader
}

// registering registers an application with the masters, again and again until one takes it.
type registering struct {
	name string
	done chan struct{}
	id   string
	at   time.Time
	err  error
}

func (s *diskSet) register(masters ...*cluster.Master) *registering {
	s.Helper()
	app, err := simapp.New(simapp.Config{})
	s.must(err)
	s.apps = append(s.apps, app)
	var addrs []string
	for _, m := range masters {
		addrs = append(addrs, m.Spark())
	}
	r := &registering{name: fmt.Sprintf("app %d of %s", len(s.apps), s.Name()), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.id, r.at, r.err = app.Register(s.ctx, r.name, addrs, 100*time.Millisecond)
	}()
	return r
}

func (s *diskSet) registered(r *registering) {
	s.Helper()
	<-r.done
	s.must(r.err)
}

// others are the masters but one.
func (s *diskSet) others(not *cluster.Master) []*cluster.Master {
	return slices.DeleteFunc(slices.Clone(s.Masters), func(m *cluster.Master) bool { return m == not })
}

// agree waits until all masters have the same state at the same index, with all applications of rs in it once.
func (s *diskSet) agree(rs ...*registering) {
	s.Helper()
	s.must(books.Poll(s.ctx, "the same state on all masters", func(ctx context.Context) error {
		var first books.Digest
		for i, m := range s.Masters {
			d, err := books.ReadDigest(ctx, m.Web())
			if err != nil {
				return err
			}
			if i == 0 {
				first = d
			} else if d != first {
				return fmt.Errorf("%s has %v, %s has %v", s.Masters[0].ID, first, m.ID, d)
			}
		}
		return nil
	}))
	b, err := s.Books(s.ctx)
	s.must(err)
	for _, r := range rs {
		if a, ok := b.Active(r.id); !ok || a.Name != r.name || named(b, r.name) != 1 {
			s.Errorf("%q was registered as %s, and the books have %+v, %d of the name", r.name, r.id, a, named(b, r.name))
		}
	}
}

// samePIDs gives a check that no master was started anew since.
func (s *diskSet) samePIDs() func() {
	before := map[string]int{}
	for _, m := range s.Masters {
		before[m.ID] = m.Process().PID()
	}
	return func() {
		s.Helper()
		for _, m := range s.Masters {
			if m.Process().PID() != before[m.ID] || !m.Running() {
				s.Errorf("%s did not live through it; its log ends with\n%s", m.ID, m.Process().Tail(5))
			}
		}
	}
}

// TestHungDisk hangs the leader's disk: another leads, and takes what the hung one was given; let go, the old one follows
// by itself, with the same log. FIRESTEEL_DISK_ROUNDS says how often.
func TestHungDisk(t *testing.T) {
	s := newDisks(t, 3)
	s.start()
	alive := s.samePIDs()
	var all []*registering
	var took, led []time.Duration
	for round := range diskRounds(3) {
		old := s.leader()
		disk := s.disks[old.Master.ID]
		hang := diskfault.HangSyncs
		if round%3 == 2 {
			hang = diskfault.HangWrites
		}
		s.must(disk.Set(diskfault.Faults{Hang: hang}))
		at := time.Now()
		r := s.register(s.others(old.Master)...)
		next, err := s.WaitLeader(s.ctx, old.Term+1)
		s.must(err)
		led = append(led, time.Since(at))
		s.registered(r)
		took = append(took, r.at.Sub(at))
		if next.Master == old.Master {
			t.Fatalf("%s leads again, with a disk that hangs", old.Master.ID)
		}
		all = append(all, r)
		s.must(disk.Clear())
		released := time.Now()
		_, err = s.WaitWhole(s.ctx)
		s.must(err)
		t.Logf("%s hung (%s): %s leads after %d ms, a registration through a survivor is taken after %d ms; released, it follows after %d ms",
			old.Master.ID, hang, next.Master.ID, led[round].Milliseconds(), took[round].Milliseconds(), time.Since(released).Milliseconds())
	}
	alive()
	s.agree(all...)
	t.Logf("leader at most after %v, registration at most after %v", slices.Max(led), slices.Max(took))
}

// diskRounds is how often a fault is repeated.
func diskRounds(short int) int {
	if n, err := strconv.Atoi(os.Getenv("FIRESTEEL_DISK_ROUNDS")); err == nil {
		return n
	}
	return short
}

var mustStop = regexp.MustCompile(`this master must stop.*error=(.*)`)

// ended waits for the end of a master that cannot go on, and checks what it leaves behind.
func (s *diskSet) ended(m *cluster.Master, want string) {
	s.Helper()
	line, err := m.Process().WaitFor(s.ctx, mustStop)
	s.must(err)
	s.must(s.disks[m.ID].Clear()) // one that hangs ends only now
	code, err := m.Process().Wait(s.ctx)
	s.must(err)
	if code != exitFatal || !regexp.MustCompile(want).MatchString(line.Match[1]) {
		s.Errorf("%s ended with code %d and %s", m.ID, code, line.Text)
	}
	if last := m.Process().Tail(1); !mustStop.MatchString(last) {
		s.Errorf("the last line of %s is %s", m.ID, last)
	}
	s.Logf("%s", line.Match[1])
}

// TestDiskThatStaysHung: a master whose disk hangs for longer than it has patience for ends, and says why; its supervisor
// starts it again.
func TestDiskThatStaysHung(t *testing.T) {
	s := newDisks(t, 3)
	old := s.start()
	s.must(s.disks[old.Master.ID].Set(diskfault.Faults{Hang: diskfault.HangSyncs}))
	r := s.register(s.others(old.Master)...)
	s.registered(r)
	s.ended(old.Master, `local disk does not answer: a write to .* has been in flight for 1\d(\.\d+)?s; check the disk, then restart`)
	s.start()
	s.agree(r)
}

// TestFailingDisk: what Raft cannot write, it cannot go on without.
func TestFailingDisk(t *testing.T) {
	s := newDisks(t, 3)
	old := s.start()
	s.must(s.disks[old.Master.ID].Set(diskfault.Faults{Err: syscall.EIO}))
	r := s.register(s.others(old.Master)...)
	s.registered(r)
	s.ended(old.Master, `local disk fails: append to the log in .*: input/output error; check the disk, then restart`)
	s.start()
	s.agree(r)
}

// filler fills and frees disks.
type filler interface {
	fill(m *cluster.Master)
	free(m *cluster.Master)
	// harsh: not even what has its place on the disk can be written again, so that a full master cannot note a new term, and
	// does not know who leads then.
	harsh() bool
}

// faultyFiller has the file system say that it is full.
type faultyFiller struct{ *diskSet }

func (f faultyFiller) fill(m *cluster.Master) {
	f.must(f.disks[m.ID].Set(diskfault.Faults{Full: true}))
}
func (f faultyFiller) harsh() bool            { return true }
func (f faultyFiller) free(m *cluster.Master) { f.must(f.disks[m.ID].Clear()) }

// TestFullDisk with a file system that says that it is full, and fails all writes.
func TestFullDisk(t *testing.T) {
	s := newDisks(t, 3)
	s.start()
	s.fullDisk(faultyFiller{s})
}

// realFiller fills small disks.
type realFiller struct{ *diskSet }

func (f realFiller) harsh() bool { return false }

func (f realFiller) path(m *cluster.Master) string { return filepath.Join(f.DataDir(m), "filler") }

func (f realFiller) fill(m *cluster.Master) {
	f.Helper()
	file, err := os.Create(f.path(m))
	f.must(err)
	defer file.Close()
	for chunk := make([]byte, 64<<10); len(chunk) > 0; {
		if _, err := file.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			chunk = chunk[:len(chunk)/2]
		} else {
			f.must(err)
		}
	}
}

func (f realFiller) free(m *cluster.Master) { f.Helper(); f.must(os.Remove(f.path(m))) }

// TestReallyFullDisk with a tmpfs of 48 MiB.
func TestReallyFullDisk(t *testing.T) {
	s := &diskSet{masterSet: newMasters(t, cluster.Config{})}
	for _, m := range s.Masters {
		dir := s.DataDir(m)
		s.must(os.MkdirAll(dir, 0o755))
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"); err != nil {
			t.Skipf("no file system can be mounted here: %v", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	}
	t.Cleanup(func() {
		for _, a := range s.apps {
			a.Close()
		}
	})
	s.start()
	s.fullDisk(realFiller{s})
}

var (
	diskFull  = regexp.MustCompile(`disk full: no commands are taken until there is space`)
	refused   = regexp.MustCompile(`no space left for commands: \S+ on this master: .*; free some there`)
	spaceAgin = regexp.MustCompile(`there is space again`)
)

// fullDisk fills the leader's disk, then all of them, and frees them.
func (s *diskSet) fullDisk(disks filler) {
	s.Helper()
	alive := s.samePIDs()
	old := s.leader()
	disks.fill(old.Master)
	_, err := old.Master.Process().WaitFor(s.ctx, diskFull)
	s.must(err)
	next, err := s.WaitLeader(s.ctx, old.Term+1)
	s.must(err)
	if next.Master == old.Master {
		s.Errorf("%s leads on with a full disk", old.Master.ID)
	}
	one := s.register(s.Masters...)
	s.registered(one)
	s.Logf("%s is full: %s leads, and takes an application", old.Master.ID, next.Master.ID)

	for _, m := range s.others(old.Master) {
		disks.fill(m)
	}
	for _, m := range s.Masters {
		_, err := m.Process().WaitFor(s.ctx, diskFull)
		s.must(err)
	}
	two := s.register(s.Masters...)
	_, err = next.Master.Process().WaitFor(s.ctx, refused)
	s.must(err)
	leader := s.leader()
	steady := time.Now().Add(4 * time.Second) // as long as leadership must stay where it is
	for time.Now().Before(steady) {
		for _, m := range s.Masters {
			b, err := books.Read(s.ctx, m.Web())
			s.must(err)
			if _, ok := b.Active(one.id); !ok && m == leader.Master {
				s.Errorf("the leader's page has lost %s", one.id)
			}
			v, err := books.ReadCluster(s.ctx, m.Web())
			if err == nil && disks.harsh() && m != leader.Master && v.Leader == "" {
				continue
			}
			if err != nil || v.Leader != leader.Master.ID || v.Term != leader.Term {
				s.Fatalf("leadership moves while all disks are full: %v, %v; it was %s in term %d", v, err, leader.Master.ID, leader.Term)
			}
		}
	}
	select {
	case <-two.done:
		s.Fatalf("an application was taken with all disks full: %s, %v", two.id, two.err)
	default:
	}
	for _, m := range s.Masters {
		disks.free(m)
	}
	freed := time.Now()
	s.registered(two)
	s.Logf("all were full: reads went on, leader %s in term %d throughout; freed, an application is taken after %d ms",
		leader.Master.ID, leader.Term, two.at.Sub(freed).Milliseconds())
	for _, m := range s.Masters {
		_, err := m.Process().WaitFor(s.ctx, spaceAgin)
		s.must(err)
	}
	_, err = s.WaitWhole(s.ctx)
	s.must(err)
	alive()
	s.agree(one, two)
}

// TestPowerLoss kills a master while it takes applications, and loses what its disk has not synced: nothing that was
// acknowledged is missing. FIRESTEEL_DISK_ROUNDS says how often.
func TestPowerLoss(t *testing.T) {
	s := newDisks(t, 1)
	s.start()
	m := s.Masters[0]
	acked := map[string]string{}
	lost, seed := 0, rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for round := range diskRounds(12) {
		var rs []*registering
		for range 8 {
			rs = append(rs, s.register(m))
		}
		<-rs[rng.IntN(len(rs))].done                                 // the others are anywhere
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond) // a moment that nothing tells of
		s.must(m.Kill())
		n, err := s.disks[m.ID].PowerLoss(rng.Uint64N(4)) // every fourth time nothing is kept
		s.must(err)
		lost += n
		for _, r := range rs { // those that were told before the kill
			select {
			case <-r.done:
				s.must(r.err)
				acked[r.name] = r.id
			default:
			}
		}
		s.must(s.Start())
		_, err = s.WaitWhole(s.ctx)
		s.must(err)
		for _, r := range rs { // the others have asked on
			s.registered(r)
			acked[r.name] = r.id
		}
		b, err := s.Books(s.ctx)
		s.must(err)
		for name, id := range acked {
			if a, ok := b.Active(id); !ok || a.Name != name || named(b, name) != 1 {
				t.Fatalf("round %d: %q was acknowledged as %s; the books have %+v, and %d of the name", round, name, id, a, named(b, name))
			}
		}
	}
	t.Logf("%d applications acknowledged, all there; %d changes of the disk were lost", len(acked), lost)
}

// TestDamagedDisk: a master does not start on a directory with a wrong bit in what it reads; with an empty one it takes its
// place again.
func TestDamagedDisk(t *testing.T) {
	s := &diskSet{masterSet: newMasters(t, cluster.Config{})}
	t.Cleanup(func() {
		for _, a := range s.apps {
			a.Close()
		}
	})
	s.start()
	r := s.register(s.Masters...)
	s.registered(r)
	m := s.others(s.leader().Master)[0]
	s.must(m.Term(s.ctx))
	path := filepath.Join(s.DataDir(m), "raft.db")
	data, err := os.ReadFile(path)
	s.must(err)
	at := bytes.LastIndex(data, []byte(r.name)) // in the log entry that registered it
	if at < 0 {
		t.Fatal("the log does not name the application")
	}
	for i := at; i >= 0; i = bytes.LastIndex(data[:i], []byte(r.name)) { // bolt leaves copies on free pages
		data[i] ^= 1
	}
	s.must(os.WriteFile(path, data, 0o600))
	s.must(m.Start())
	code, err := m.Process().Wait(s.ctx)
	s.must(err)
	if last := m.Process().Tail(1); code != 1 || !regexp.MustCompile(`data directory is damaged: .*checksum of entry \d+ is wrong; move this directory away`).MatchString(last) {
		t.Fatalf("it ended with code %d and %s", code, last)
	}
	s.must(os.Rename(s.DataDir(m), s.DataDir(m)+".damaged"))
	s.start()
	s.agree(r)
}

// TestWorkerDisks: an executor that finds no space fails and says so; a disk that hangs holds its executors up and neither
// the worker's heartbeats nor its place with a new leader.
func TestWorkerDisks(t *testing.T) {
	if err := diskfault.Available(); err != nil {
		t.Skip(err)
	}
	i := slices.IndexFunc(suite.releases, func(r spark.Release) bool { return r.Major() == 3 })
	if i < 0 {
		t.Skip("no release of Scala 2.12 was chosen")
	}
	s := &diskSet{masterSet: newMasters(t, cluster.Config{Masters: 1, Workers: 1, Homes: suite.releases[i : i+1]})}
	mount := func(name string) *diskfault.Disk {
		d, err := diskfault.Mount(diskfault.Config{Backing: filepath.Join(s.Cluster.Run.Dir, "disk", name), Point: filepath.Join(s.Cluster.Run.Dir, name)})
		if errors.Is(err, diskfault.ErrUnavailable) {
			t.Skip(err)
		}
		s.must(err)
		t.Cleanup(d.Close)
		return d
	}
	work, local := mount("work"), mount("local")
	s.start()
	master := s.Masters[0]

	s.must(work.Set(diskfault.Faults{Full: true}))
	failed := make(chan string, 100)
	app := s.executing(func(m messages.Message) {
		if u, ok := m.(*messages.ExecutorUpdated); ok && u.State == messages.ExecutorFailed {
			select {
			case failed <- u.Message:
			default: // the first is enough
			}
		}
	})
	select {
	case text := <-failed:
		if !regexp.MustCompile(`Failed to create directory \S+: .*no space left on device`).MatchString(text) {
			t.Errorf("the driver was told %q", text)
		}
	case <-s.ctx.Done():
		t.Fatal("the driver was not told that its executor failed")
	}
	app.Close()
	s.must(work.Clear())

	s.must(local.Set(diskfault.Faults{Hang: diskfault.HangAll}))
	app = s.executing(func(messages.Message) {})
	defer app.Close()
	s.must(local.WaitHeld())
	pid := s.Workers[0].Process().PID()
	s.must(master.Kill())
	s.must(master.Start())
	_, err := s.WaitWhole(s.ctx) // the worker is alive in the books of the new leader
	s.must(err)
	mark := time.Now().Add(12 * time.Second) // a silent worker is lost after 10 s
	for time.Now().Before(mark) {
		if b, err := books.Read(s.ctx, master.Web()); err != nil || b.AliveWorkers != 1 {
			t.Fatalf("the worker is lost while a disk hangs: %v, %v", b, err)
		}
		time.Sleep(200 * time.Millisecond) // between two looks: that nothing changes has no event
	}
	s.must(local.Clear())
	s.must(app.WaitRunning(s.ctx))
	if s.Workers[0].Process().PID() != pid {
		t.Error("the worker was started anew")
	}
}

// executing registers an application that wants one executor.
func (s *diskSet) executing(observe func(messages.Message)) *simapp.App {
	s.Helper()
	var table *releases.Table
	for _, t := range releases.Tables() {
		if t.Scala() == "2.12" { // that of Spark 3
			table = t
		}
	}
	app, err := simapp.New(simapp.Config{Cores: 1, Table: table, Observe: func(_ *rpcenv.Peer, m messages.Message) { observe(m) }})
	s.must(err)
	_, _, err = app.Register(s.ctx, fmt.Sprintf("%s %d", s.Name(), time.Now().UnixNano()), []string{s.Masters[0].Spark()}, 100*time.Millisecond)
	s.must(err)
	return app
}

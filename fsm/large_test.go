package fsm

import (
	"bytes"
	"fmt"

	"sync"
	"testing"
)

// largeState is a busy large cluster: workers, applications with descriptions of a usual size, and five executors each.
func largeState(t testing.TB, workers, apps int) *Machine {
	t.Helper()
	m := New(Config{Fatal: func(err error) { t.Fatalf("fatal: %v", err) }})
	index := uint64(0)
	do := func(cmds ...Command) {
		var all [][]byte
		for _, c := range cmds {
			all = append(all, Encode(c, fmt.Sprint("request ", index, " ", len(all))))
		}
		index++
		for i, r := range m.Apply(index, 1, all) {
			if err := DecodeResult(r, nil); err != nil {
				t.Fatalf("%T: %v", cmds[i], err)
			}
		}
	}
	do(&SetCluster{ID: "large", Voters: 3})
	for i := range workers {
		do(&RegisterWorker{Worker: testWorker(fmt.Sprintf("worker-%05d", i), func(w *Worker) { w.Port, w.Cores, w.MemoryMB = 1+i, 64, 256<<10 })})
	}
	// The sizes are those of a driver of Spark 4 that sets a few settings: its ref, its ApplicationDescription.
	ref, description := bytes.Repeat([]byte("r"), 600), bytes.Repeat([]byte("description "), 200)
	for i := range apps {
		do(&RegisterApplication{App: testApp(1+i, func(a *App) { a.DriverRef, a.Description = ref, description }), ID: appIDs})
		var plan ApplyPlan
		for j := range 5 {
			plan.Executors = append(plan.Executors, Placement{AppSeq: m.State().c.AppSeq, WorkerID: fmt.Sprintf("worker-%05d", (i*5+j)%workers), Cores: 1})
		}
		do(&plan)
	}
	return m
}

var large struct {
	once sync.Once
	m    *Machine
}

// theLargeState is 5,000 workers, 20,000 applications and 100,000 executors, made once.
func theLargeState(t testing.TB) *Machine {
	large.once.Do(func() { large.m = largeState(t, 5_000, 20_000) })
	if n := large.m.State().execs.Len(); n != 100_000 {
		t.Fatalf("%d executors", n)
	}
	return large.m
}

// A snapshot is a pointer: taking one costs nothing, whatever the size, and it stays as it is while the machine goes on.
func TestSnapshotIsAPointer(t *testing.T) { // not parallel: it counts allocations
	for _, m := range []*Machine{largeState(t, 1, 0), largeState(t, 20, 100)} {
		if n := testing.AllocsPerRun(100, func() { _ = m.State() }); n != 0 {
			t.Errorf("taking a snapshot of %d executors allocates %v times", m.State().execs.Len(), n)
		}
	}
	m := largeState(t, 20, 100)
	snap := m.State()
	before := snap.Digest()
	for w := range snap.Workers() {
		m.Apply(snap.Index()+1, 1, [][]byte{Encode(&WorkerLost{ID: w.ID}, "")})
	}
	if m.State().Digest() == before || snap.Digest() != before {
		t.Error("a snapshot changed, or the machine did not")
	}
}

// BenchmarkSnapshotTake: the same time at any size.
func BenchmarkSnapshotTake(b *testing.B) {
	for name, m := range map[string]func() *Machine{
		"empty":            func() *Machine { return New(Config{}) },
		"100000_executors": func() *Machine { return theLargeState(b) },
	} {
		b.Run(name, func(b *testing.B) {
			m := m()
			b.ReportAllocs()
			for b.Loop() {
				if m.State() == nil {
					b.Fatal("no state")
				}
			}
		})
	}
}

// BenchmarkSnapshotWrite is what runs beside Apply: it is encoded while the machine goes on.
func BenchmarkSnapshotWrite(b *testing.B) {
	s := theLargeState(b).State()
	b.ReportAllocs()
	for b.Loop() {
		var n counting
		if err := s.Write(&n); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(n))
	}
}

type counting int64

func (c *counting) Write(p []byte) (int, error) { *c += counting(len(p)); return len(p), nil }

// BenchmarkSnapshotRestore: 2 s are allowed.
func BenchmarkSnapshotRestore(b *testing.B) {
	data := snapshot(b, theLargeState(b).State())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadSnapshot(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}

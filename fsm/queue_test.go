package fsm

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

// Drivers are queued by what they need, each queue in the order of submission, also after a snapshot was read.
func TestQueues(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	gpu := []ResourceAmount{{Name: "gpu", Amount: 1}}
	shapes := []Driver{
		{Cores: 1, MemoryMB: 512, Build: "a"}, {Cores: 1, MemoryMB: 512, Build: "a", Needs: gpu}, {Cores: 1, MemoryMB: 512, Build: "ab"},
		{Cores: 2, MemoryMB: 512, Build: "a"}, {Cores: 1, MemoryMB: 1024, Build: "a"},
	}
	want := map[string][]string{}
	for i := range 300 {
		d := shapes[i*7%len(shapes)]
		var out DriverSubmittedResult
		h.do(&SubmitDriver{Driver: d, ID: IDParts{Prefix: "driver-", Width: 4}}, &out)
		id := out.DriverID
		if i%10 == 3 {
			h.do(&KillDriver{ID: id}, nil)
			continue
		}
		want[shapeText(d)] = append(want[shapeText(d)], id)
	}
	restored, err := ReadSnapshot(bytes.NewReader(snapshot(t, h.m.State())))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*State{h.m.State(), restored} {
		queues, ok := s.Queues(len(shapes))
		if !ok || len(queues) != len(shapes) {
			t.Fatalf("%d queues, %v", len(queues), ok)
		}
		for _, q := range queues {
			var got []string
			text := shapeText(*q.First)
			for ; q.First != nil; q.Next() {
				got = append(got, q.First.ID)
			}
			if !slices.Equal(got, want[text]) {
				t.Errorf("%s: queued %v, want %v", text, got, want[text])
			}
		}
		if _, ok := s.Queues(len(shapes) - 1); ok {
			t.Error("more shapes than asked for are given")
		}
	}
}

func shapeText(d Driver) string {
	return fmt.Sprint(d.Build, " ", d.Cores, " ", d.MemoryMB, " ", len(d.Needs))
}

// What the ALIVE workers run and have.
func TestMakesOfWorkers(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	register := func(id string, memory int, builds ...string) {
		h.do(&RegisterWorker{Worker: Worker{ID: id, Host: id, Port: 1, Cores: 1, MemoryMB: memory, Builds: builds, Incarnation: "1"}}, nil)
	}
	check := func(most int, builds ...string) {
		t.Helper()
		s := h.m.State()
		got := slices.Collect(s.Builds())
		if s.LargestMemoryMB() != most || !slices.Equal(got, builds) || s.RunsAnywhere("a") != slices.Contains(builds, "a") {
			t.Errorf("%d MiB, %v; want %d, %v", s.LargestMemoryMB(), got, most, builds)
		}
	}
	check(0)
	register("w1", 1024, "a", "b")
	register("w2", 4096, "b")
	check(4096, "a", "b")
	h.do(&WorkerLost{ID: "w2", Reason: "test"}, nil)
	check(1024, "a", "b")
	register("w3", 512, "b", "c")
	h.do(&WorkerLost{ID: "w1", Reason: "test"}, nil)
	check(512, "b", "c")
	h.do(&DecommissionWorker{ID: "w3"}, nil)
	check(0)
}

package web

import (
	"fmt"
	"testing"

	"github.com/firesteel/firesteel/fsm"
)

// BenchmarkWaitingKinds is a look at drivers that wait, as the leader takes one every second.
func BenchmarkWaitingKinds(b *testing.B) {
	for _, drivers := range []int{5000, 20000} {
		b.Run(fmt.Sprint(drivers), func(b *testing.B) {
			m := fsm.New(fsm.Config{})
			apply := func(index int, c fsm.Command) { m.Apply(uint64(index), 1, [][]byte{fsm.Encode(c, "")}) }
			for i := range 1000 {
				apply(i+1, &fsm.RegisterWorker{Worker: fsm.Worker{ID: fmt.Sprint("w", i), Host: fmt.Sprint("h", i), Port: 1, Cores: 4, MemoryMB: 4096, Builds: []string{"4.1/2.13", "4.1/2.13@4.3"}, Incarnation: "1"}})
			}
			for i := range drivers {
				build := []string{"4.1/2.13@4.3", "3.4/2.12@3.5"}[i%2]
				apply(i+1001, &fsm.SubmitDriver{Driver: fsm.Driver{Cores: 99, MemoryMB: 1024, Build: build}, ID: fsm.IDParts{Prefix: "driver-", Width: 4}})
			}
			s := m.State()
			b.ReportAllocs()
			for b.Loop() {
				if n := len(WaitingKinds(s, nil).Waiting); n != 2 {
					b.Fatalf("%d kinds, want 2", n)
				}
			}
		})
	}
}

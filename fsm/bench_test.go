package fsm_test

import (
	"fmt"
	"testing"

	"github.com/firesteel/firesteel/fsm"
)

// churn makes the commands of applications that come, get an executor that runs, and go: n of them at a time, each kind
// of command in one entry, as group commit has it under load.
type churn struct {
	m       *fsm.Machine
	index   uint64
	apps    uint64
	request int
}

func newChurn(b *testing.B, workers int) *churn {
	b.Helper()
	c := &churn{m: fsm.New(fsm.Config{})}
	for i := range workers {
		c.apply(b, &fsm.RegisterWorker{Worker: fsm.Worker{
			ID: fmt.Sprintf("worker-%05d", i), Host: "10.0.0.1", Port: 10000 + i, Cores: 64, MemoryMB: 1 << 16, Builds: []string{"3.4/2.12"}, Incarnation: "1",
		}})
	}
	return c
}

func (c *churn) apply(b *testing.B, cmds ...fsm.Command) {
	b.Helper()
	encoded := make([][]byte, len(cmds))
	for i, cmd := range cmds {
		c.request++
		encoded[i] = fsm.Encode(cmd, fmt.Sprintf("request-%020d", c.request))
	}
	c.index++
	for _, r := range c.m.Apply(c.index, 1, encoded) {
		if err := fsm.DecodeResult(r, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func (c *churn) round(b *testing.B, n, workers int) {
	b.Helper()
	var register, running, finish []fsm.Command
	plan := &fsm.ApplyPlan{At: 2}
	description, ref := make([]byte, 2000), make([]byte, 700)
	for range n {
		id := fmt.Sprintf("app-20260101000000-%04d", c.apps)
		c.apps++
		register = append(register, &fsm.RegisterApplication{
			App: fsm.App{
				Name: "churn", User: "nobody", MaxCores: 1, Build: "3.4/2.12", DriverHost: "10.0.0.2", DriverPort: int(1024 + c.apps%60000), DriverRef: ref,
				Description: description, Profiles: []fsm.Profile{{Cores: 1, MemoryMB: 512, Target: fsm.Unlimited}}, Submitted: 1,
			},
			ID: fsm.IDParts{Prefix: "app-20260101000000-", Width: 4}, Retained: 200,
		})
		plan.Executors = append(plan.Executors, fsm.Placement{AppSeq: c.apps, WorkerID: fmt.Sprintf("worker-%05d", c.apps%uint64(workers)), Cores: 1})
		running = append(running, &fsm.ExecutorStateChanged{AppID: id, State: fsm.ExecutorRunning, At: 3, MaxRetries: 10, Retained: 200})
		finish = append(finish, &fsm.FinishApplication{AppID: id, State: fsm.AppFinished, At: 4, Retained: 200})
	}
	for _, cmds := range [][]fsm.Command{register, {plan}, running, finish} {
		c.apply(b, cmds...)
	}
}

// BenchmarkChurn is what one application costs a state machine, encoding included: registered, placed, running, finished.
func BenchmarkChurn(b *testing.B) {
	for _, workers := range []int{100, 1000} {
		for _, n := range []int{1, 16} {
			b.Run(fmt.Sprintf("%dWorkers/%dAtOnce", workers, n), func(b *testing.B) {
				c := newChurn(b, workers)
				for range 3000 / n {
					c.round(b, n, workers)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for i := 0; i < b.N; i += n {
					c.round(b, n, workers)
				}
			})
		}
	}
}

package fsm

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Config of a Machine.
type Config struct {
	// Fatal is called, and must not return, where going on would make this master differ from the others: an entry that
	// cannot be decoded, or a command of a newer release. Default: panic.
	Fatal func(error)
}

// Machine is the state machine that Raft drives. Apply and Restore are called by one goroutine; everything else is safe
// from any.
type Machine struct {
	cfg   Config
	state atomic.Pointer[State]

	answered answered // the requests that the newest state remembers; for Apply and Restore only

	mu   sync.Mutex // guards subs, and makes "state and events from here on" one step for Subscribe
	subs map[*Subscription]struct{}
}

// New makes a machine with an empty state.
func New(cfg Config) *Machine {
	if cfg.Fatal == nil {
		cfg.Fatal = func(err error) { panic(err) }
	}
	m := &Machine{cfg: cfg, answered: answered{}, subs: map[*Subscription]struct{}{}}
	m.state.Store(emptyState())
	return m
}

// State is the present state.
func (m *Machine) State() *State { return m.state.Load() }

// Apply carries out the commands of one log entry and gives their encoded results (see DecodeResult).
func (m *Machine) Apply(index, term uint64, cmds [][]byte) [][]byte {
	t := m.State().begin()
	t.c.Index, t.c.Term, t.answered = index, term, m.answered
	results := make([][]byte, len(cmds))
	for i, b := range cmds {
		if len(b) > MaxCommand {
			results[i] = encodeResult(nil, &Refusal{CodeInvalid, fmt.Sprintf("a command of %d bytes, of which at most %d are taken", len(b), MaxCommand)})
			continue
		}
		d, err := decode(b)
		if err != nil {
			m.cfg.Fatal(fmt.Errorf("apply command %d of log entry %d: %w", i, index, err))
			return results
		}
		results[i] = t.once(d)
	}
	m.publish(t)
	return results
}

func (m *Machine) publish(t *txn) {
	next := t.commit()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Store(next)
	if len(t.events) == 0 && len(m.subs) == 0 {
		return
	}
	for i := range t.events {
		t.events[i].Index = t.c.Index
	}
	for s := range m.subs {
		s.push(next, t.events)
	}
}

// once carries a command out unless its request was answered before.
func (t *txn) once(d decoded) []byte {
	if d.cmd == nil {
		return nil
	}
	if d.requestID == "" {
		return t.apply(d.cmd)
	}
	if result, ok := t.answer(d.requestID); ok {
		return result
	}
	result := t.apply(d.cmd)
	t.remember(d.requestID, result)
	return result
}

func (t *txn) apply(c Command) []byte {
	switch c := c.(type) {
	case *RegisterWorker:
		return encodeResult(t.registerWorker(c))
	case *WorkerLost:
		return encodeResult(t.workerLost(c))
	case *WorkerReport:
		return encodeResult(t.workerReport(c))
	case *DecommissionWorker:
		return encodeResult(t.decommissionWorker(c))
	case *PruneWorkers:
		return encodeResult(t.pruneWorkers(c))
	case *SuspectWorker:
		return encodeResult(t.suspectWorker(c))
	case *SetBrake:
		return encodeResult(t.setBrake(c))
	case *RecommissionWorker:
		return encodeResult(t.recommissionWorker(c))
	case *DecommissionHosts:
		return encodeResult(t.decommissionHosts(c))
	case *RegisterApplication:
		return encodeResult(t.registerApplication(c))
	case *FinishApplication:
		return encodeResult(t.finishApplication(c))
	case *RequestExecutors:
		return encodeResult(t.requestExecutors(c))
	case *KillExecutors:
		return encodeResult(t.killExecutors(c))
	case *ExecutorStateChanged:
		return encodeResult(t.executorStateChanged(c))
	case *ApplyPlan:
		return encodeResult(t.applyPlan(c))
	case *SubmitDriver:
		return encodeResult(t.submitDriver(c))
	case *KillDriver:
		return encodeResult(t.killDriver(c))
	case *LoseDriver:
		return encodeResult(t.driverLost(c))
	case *ReleaseDriver:
		return encodeResult(t.releaseDriver(c))
	case *DriverStateChanged:
		return encodeResult(t.driverStateChanged(c))
	case *ClearCompleted:
		return encodeResult(t.clearCompleted())
	case *SetCluster:
		return encodeResult(t.setCluster(c))
	case *SetAutopilot:
		return encodeResult(t.setAutopilot(c))
	case *RemoveMaster:
		return encodeResult(t.removeMaster(c))
	case *AdmitMaster:
		return encodeResult(t.admitMaster(c))
	case *StageRestore:
		return encodeResult(t.stageRestore(c))
	case *RestoreState:
		return encodeResult(t.restoreState(c))
	}
	panic(fmt.Sprintf("fsm: command %T is decoded but not applied", c)) // commandOf and this switch must agree
}

func (t *txn) setCluster(c *SetCluster) (any, *Refusal) {
	if t.c.ClusterID == "" {
		t.c.ClusterID = c.ID
		if c.Voters > 0 {
			t.editQuorum().Autopilot.Voters = min(c.Voters, maxVoters)
		}
	}
	return nil, nil
}

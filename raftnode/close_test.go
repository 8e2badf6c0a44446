package raftnode

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// lazyLogs is a log store whose writes take a while.
type lazyLogs struct {
	raft.LogStore
	delay atomic.Int64 // nanoseconds
}

func (l *lazyLogs) StoreLogs(logs []*raft.Log) error {
	time.Sleep(time.Duration(l.delay.Load())) // virtual
	return l.LogStore.StoreLogs(logs)
}

// TestCloseOfALostLeader: a leader that is stopped while it loses its leadership still answers what waits for raft. It used
// to hang on telling that it leads no more, which nobody heard, until the drain gave up and left goroutines behind.
func TestCloseOfALostLeader(t *testing.T) {
	t.Parallel()
	for range 8 { // raft chooses by chance whether it first looks at its lease or at what it is asked
		synctest.Test(t, closeLostLeader)
	}
}

func closeLostLeader(t *testing.T) {
	s := newSim(t, 1, 3)
	defer s.close()
	logs := make(map[string]*lazyLogs)
	for _, id := range s.ids {
		s.stop(id)
		store := s.stores[id]
		logs[id] = &lazyLogs{LogStore: store.logs}
		store.logs = logs[id]
		s.stores[id] = store
		s.start(id)
	}
	s.bootstrap()
	id, _ := s.newLeader(0)
	n := s.node(id)
	s.isolate(id, true)
	logs[id].delay.Store(int64(600 * time.Millisecond))
	go func() { _, _, _ = n.ApplyLocal(context.Background(), []byte("held by the disk")) }() // it ends with the node
	synctest.Wait()
	go func() { _, _ = n.ReadIndex(context.Background()) }() // raft cannot look at it before the disk has answered
	synctest.Wait()
	begin := time.Now()
	s.stop(id)
	if took := time.Since(begin); took >= drainTimeout {
		t.Errorf("the stop took %s: raft's answers were not drained", took)
	}
	logs[id].delay.Store(0)
	s.isolate(id, false)
	s.start(id)
}

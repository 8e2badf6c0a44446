package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// keptRemoved is how many finished executors of a live application are kept for its page, and for a new leader that
// must tell the driver of an end that the old one may not have told.
const keptRemoved = 100

// executorStateChanged is Master.receiveAndReply(ExecutorStateChanged).
func (t *txn) executorStateChanged(c *ExecutorStateChanged) (any, *Refusal) {
	a, ok := t.app(c.AppID)
	if !ok {
		return nil, &Refusal{CodeUnknownApp, fmt.Sprintf("a report for executor %s/%d: no such live application", c.AppID, c.ID)}
	}
	e, ok := t.execs.Get(execKey(a.Seq, c.ID))
	if !ok || e.State.Finished() || c.WorkerID != "" && c.WorkerID != e.WorkerID {
		return nil, &Refusal{CodeUnknownExecutor, fmt.Sprintf("a report for executor %s/%d: no such live executor", c.AppID, c.ID)}
	}
	switch {
	case c.State == ExecutorRunning:
		t.runExecutor(e, c.At)
	case c.State.Finished():
		t.finishExecutor(e, c)
	default:
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("a report for executor %s/%d: %s is not a state that a worker reports", c.AppID, c.ID, c.State)}
	}
	return nil, nil
}

// runExecutor: the first RUNNING ends the row of failures (ApplicationInfo.resetRetryCount).
func (t *txn) runExecutor(e *Executor, at int64) {
	if e.State != ExecutorLaunching {
		return
	}
	e = editExecutor(e)
	e.State, e.Changed = ExecutorRunning, at
	t.putExecutor(e)
	a, _ := t.app(e.AppID)
	a = editApp(a)
	a.Failures = 0
	a.Running++
	t.putApp(a)
	t.emit(Event{Kind: ExecutorChanged, App: a, Executor: e})
}

func (t *txn) finishExecutor(e *Executor, c *ExecutorStateChanged) {
	before := e.State
	t.endExecutor(e, c.State, c.Message, c.ExitStatus, c.At, false)
	normal := c.ExitStatus != nil && *c.ExitStatus == 0
	if normal || before == ExecutorDecommissioned {
		return
	}
	a, _ := t.app(e.AppID)
	a = editApp(a)
	a.Failures++
	t.putApp(a)
	if c.MaxRetries >= 0 && a.Failures >= c.MaxRetries && a.Running == 0 {
		t.endApp(a, AppFailed, fmt.Sprintf("%d executors in a row ended without one that ran; the last: %s", a.Failures, c.Message), c.At, c.Retained)
	}
}

// endExecutor takes a live executor off its worker and its application and keeps it among the removed ones.
func (t *txn) endExecutor(e *Executor, s ExecutorState, message string, exit *int, at int64, hostLost bool) {
	before := e.State
	e = editExecutor(e)
	e.State, e.Message, e.ExitStatus, e.Changed, e.HostLost = s, clip(message), exit, at, hostLost
	t.onWorker.Delete(workerExecKey(e))
	t.release(e.WorkerID, e.Cores, e.MemoryMB, e.Resources)
	a, ok := t.app(e.AppID)
	if !ok {
		return
	}
	a = editApp(a)
	a.drop(e, before)
	t.keepRemoved(a, e)
	t.putApp(a)
	t.emit(Event{Kind: ExecutorChanged, App: a, Executor: e})
}

// maxMessage bounds what is kept of a text that a worker or a driver sent, in bytes.
const maxMessage = 1 << 14

func clip(s string) string {
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "")
	}
	return s
}

// drop takes an executor out of the application's counts; a decommissioned one left them when it was decommissioned.
func (a *App) drop(e *Executor, before ExecutorState) {
	if before == ExecutorDecommissioned {
		return
	}
	a.Cores -= e.Cores
	if before == ExecutorRunning {
		a.Running--
	}
	if p, ok := a.Profile(e.Profile); ok {
		p.Live--
	}
}

func (t *txn) keepRemoved(a *App, e *Executor) {
	t.execs.Insert(execKey(e.AppSeq, e.ID), e)
	a.Removed = append(slices.Clone(a.Removed), e.ID)
	for len(a.Removed) > keptRemoved {
		t.execs.Delete(execKey(a.Seq, a.Removed[0]))
		a.Removed = a.Removed[1:]
	}
}

// decommissionExecutor gives the record as it is then.
func (t *txn) decommissionExecutor(e *Executor, at int64) *Executor {
	if e.State == ExecutorDecommissioned {
		return e
	}
	before := e.State
	e = editExecutor(e)
	e.State, e.Changed, e.Message = ExecutorDecommissioned, at, "worker decommissioned"
	t.putExecutor(e)
	a, _ := t.app(e.AppID)
	a = editApp(a)
	a.drop(e, before)
	t.putApp(a)
	t.emit(Event{Kind: ExecutorChanged, App: a, Executor: e})
	return e
}

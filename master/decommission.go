package master

import (
	"context"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/rpcenv"
)

// This file has the ways to a drained worker, which all end in one command: Spark's messages, the session of a Go worker and
// the web UI (operator.go). What a worker is told follows from the state (dispatcher.tellStanding), whoever asked for it.

// workerDecommissioning is Master.receive(WorkerDecommissioning): a JVM worker was sent its decommission signal.
func (d *door) workerDecommissioning(ctx context.Context, msg *messages.WorkerDecommissioning) error {
	_, err := propose[none](ctx, d.m, &fsm.DecommissionWorker{ID: msg.ID, Incarnation: msg.ID, At: now()})
	return err
}

// decommissionWorkers is Master.receive(DecommissionWorkers): those that are not registered are passed over.
func (d *door) decommissionWorkers(ctx context.Context, p *rpcenv.Peer, msg *messages.DecommissionWorkers) error {
	for _, id := range msg.IDs {
		_, err := propose[none](ctx, d.m, &fsm.DecommissionWorker{ID: id, At: now()})
		if err != nil && fsm.RefusalCode(err) == fsm.CodeOK {
			return err
		}
		d.note(msg, p, err)
	}
	return nil
}

// decommissionHosts is Master.receiveAndReply(DecommissionWorkersOnHosts).
func (d *door) decommissionHosts(ctx context.Context, msg *messages.DecommissionWorkersOnHosts) (messages.Message, error) {
	n, err := d.m.decommissionHosts(ctx, msg.Hosts)
	if err != nil {
		return nil, err
	}
	return &messages.Integer{Value: n}, nil
}

// decommissionHosts drains all workers of some hosts and tells how many there are.
func (m *Master) decommissionHosts(ctx context.Context, hosts []string) (int, error) {
	done, err := propose[fsm.HostsDecommissioned](ctx, m, &fsm.DecommissionHosts{Hosts: hosts, At: now()})
	if err != nil {
		return 0, err
	}
	m.log.Info("workers are drained by their hosts", "hosts", hosts, "workers", done.Workers)
	return done.Workers, nil
}

// drainOf is what a Go worker says of itself when it opens a session.
func drainOf(h *clusterpb.Hello) fsm.Drain {
	switch {
	case h.GetDecommissionAsked():
		return fsm.DrainAsked
	case h.GetDecommissioned():
		return fsm.DrainKept
	}
	return fsm.DrainNone
}

// drainAsked grants a Go worker's wish to be drained, and tells it so.
func (d *duties) drainAsked(h *clusterpb.Hello, line *goLine) error {
	_, err := proposeHere[none](d.ctx, d.m, &fsm.DecommissionWorker{ID: h.GetId(), Incarnation: h.GetIncarnation(), At: now()})
	if err != nil {
		return err
	}
	d.dispatch.confirmDrain(h.GetId(), line)
	return nil
}

// tellStanding tells a worker whether it is drained, as the state has it now. What is told last is then true, in whatever
// order events, lists and wishes are served.
func (d *dispatcher) tellStanding(workerID string, line workerLine) {
	w, ok := d.state().Worker(workerID)
	switch {
	case !ok:
	case w.State == fsm.WorkerDecommissioned:
		line.decommission()
	case w.State == fsm.WorkerAlive:
		line.recommission()
	}
}

// confirmDrain tells a worker that its own wish to be drained was granted. It takes no word of the contrary before that.
func (d *dispatcher) confirmDrain(workerID string, line workerLine) {
	l, ok := d.find(workerID)
	if !ok {
		return
	}
	defer l.mu.Unlock()
	if l.line != line {
		return
	}
	line.decommission()
	if w, ok := d.state().Worker(workerID); ok && w.State == fsm.WorkerAlive { // and withdrawn at once
		line.recommission()
	}
}

// decommission and recommission tell a Go worker what it is.
func (l *goLine) decommission() {
	l.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_Decommission{Decommission: &clusterpb.DecommissionWorker{}}})
}

func (l *goLine) recommission() {
	l.send(&clusterpb.MasterMessage{Message: &clusterpb.MasterMessage_Recommission{Recommission: &clusterpb.RecommissionWorker{}}})
}

func (l *jvmLine) decommission() { l.box.put(&messages.DecommissionWorker{}) }

// recommission: Spark has no such message, and the state machine refuses the command for a JVM worker.
func (l *jvmLine) recommission() {}

package master

import (
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxTermJump bounds how far a worker's word may raise the term: elections of many years.
const maxTermJump = 1 << 24

// overtaken answers a worker that has obeyed a higher term than this one. Usually this master leads no more and does not know
// it yet. If a majority confirms its lead now, after the worker has spoken, there was no such term in this cluster: the
// masters have lost their disks since. Such a worker holds on to what it runs and obeys nobody. It stays so, that nothing of
// it is ended, until an operator has restored a snapshot; then the state knows the worker, and the terms go on where it is.
func (d *duties) overtaken(h *clusterpb.Hello) error {
	refusal := status.Errorf(codes.FailedPrecondition, "term %d is over: the worker has obeyed term %d", d.term, h.GetSeenTerm())
	if err := d.m.node.VerifyLeader(d.ctx, d.term); err != nil {
		return refusal
	}
	if _, known := d.m.fsm.State().Worker(h.GetId()); !known {
		if _, said := d.strangers.LoadOrStore(h.GetId(), true); !said {
			d.log.Warn("a worker has obeyed a higher term than this cluster ever had, and holds on to what it runs: if the masters have lost their disks, "+
				"restore a snapshot (clusterctl snapshot restore --foreign); else restart the worker", "worker", h.GetId(), "its term", h.GetSeenTerm())
		}
		return refusal
	}
	if h.GetSeenTerm()-d.term > maxTermJump {
		return refusal
	}
	d.log.Warn("a worker of the restored state has obeyed a higher term", "worker", h.GetId(), "its term", h.GetSeenTerm())
	if err := d.m.node.RaiseTerm(d.ctx, h.GetSeenTerm()); err != nil && d.ctx.Err() == nil {
		d.log.Warn("the term is not raised", "error", err)
	}
	return refusal
}

// serves tells whether a worker runs something of another cluster, as one does whose masters have lost their disks: to
// take it in would end all of that. Where the state knows the worker, an operator has restored that cluster's snapshot here.
func (d *duties) serves(h *clusterpb.Hello) (another bool) {
	s := d.m.fsm.State()
	_, known := s.Worker(h.GetId())
	return h.GetClusterId() != "" && h.GetClusterId() != s.ClusterID() && !known && len(h.GetExecutors())+len(h.GetDrivers()) > 0
}

func (d *duties) stranger(h *clusterpb.Hello) error {
	if _, said := d.strangers.LoadOrStore(h.GetId(), true); !said {
		d.log.Warn("a worker runs what another cluster gave it, and is not taken in, since that would end it: if the masters have lost their disks, "+
			"restore a snapshot (clusterctl snapshot restore --foreign); else restart the worker", "worker", h.GetId(), "its cluster", h.GetClusterId())
	}
	return status.Errorf(codes.FailedPrecondition, "worker %s runs what cluster %s gave it; this is cluster %s", h.GetId(), h.GetClusterId(), d.m.fsm.State().ClusterID())
}

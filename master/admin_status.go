package master

import (
	"context"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
)

// Status implements clusterpb.AdminServer. It is answered without a leader too, since that is when it is needed most.
func (a admin) Status(ctx context.Context, r *clusterpb.ClusterStatusRequest) (*clusterpb.ClusterStatusReply, error) {
	out := &clusterpb.ClusterStatusReply{Stale: r.GetStale(), AnsweredBy: a.m.cfg.ID}
	if !r.GetStale() {
		held, cancel := context.WithTimeout(ctx, statusHold)
		defer cancel()
		if _, err := a.m.node.ReadBarrier(held); err != nil {
			out.Stale, out.StaleReason = true, err.Error()
		}
	}
	a.addMasters(out)
	s := a.m.fsm.State()
	out.ClusterId, out.Index = s.ClusterID(), s.Index()
	addTotals(out, s)
	out.Waiting = waitingViews(s)
	at := time.Now().UnixMilli()
	for w := range s.Workers() {
		if d := doubtOf(w, at); d != nil {
			out.Doubts = append(out.Doubts, d)
		}
	}
	out.VerdictsHeldUntilMs = s.Brake().Until
	return out, nil
}

// addMasters is GET /v1/cluster. What only a leader knows stays empty where this master has not asked it.
func (a admin) addMasters(out *clusterpb.ClusterStatusReply) {
	c := a.m.cluster()
	out.LeaderId, out.Term, out.Healthy = c.Leader, c.Term, c.Healthy
	out.FailureTolerance, out.Voters = int32(c.FailureTolerance), int32(c.Voters)
	for _, m := range c.Masters {
		out.Masters = append(out.Masters, &clusterpb.MasterView{
			Id: m.ID, Spark: m.Spark, Web: m.Web, Rest: m.REST, Rpc: m.RPC, Leader: m.Leader, Alive: m.Alive, Member: m.Member, Voter: m.Voter,
			Healthy: m.Healthy, Lag: m.Lag, Problem: m.Problem,
		})
	}
}

func addTotals(out *clusterpb.ClusterStatusReply, s *fsm.State) {
	w := &clusterpb.WorkerTotals{}
	for each := range s.Workers() {
		switch each.State {
		case fsm.WorkerAlive:
			w.Alive++
			w.Cores, w.CoresUsed = w.Cores+int64(each.Cores), w.CoresUsed+int64(each.CoresUsed)
			w.MemoryMb, w.MemoryUsedMb = w.MemoryMb+int64(each.MemoryMB), w.MemoryUsedMb+int64(each.MemoryUsedMB)
		case fsm.WorkerDecommissioned:
			w.Decommissioned++
		case fsm.WorkerDead:
			w.Dead++
		default:
			w.Unknown++
		}
	}
	apps := &clusterpb.AppTotals{}
	for each := range s.Apps() {
		if each.State == fsm.AppWaiting {
			apps.Waiting++
		} else {
			apps.Running++
		}
	}
	for range s.CompletedApps() {
		apps.Completed++
	}
	drivers := &clusterpb.DriverTotals{Waiting: int32(s.WaitingDriverCount()), Running: int32(s.DriverCount() - s.WaitingDriverCount())}
	for range s.CompletedDrivers() {
		drivers.Completed++
	}
	out.Workers, out.Apps, out.Drivers = w, apps, drivers
}

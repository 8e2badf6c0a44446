package master

import (
	"context"
	"errors"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// admin is what this master does for operators: everything that clusterctl asks for but the masters themselves (quorum).
// Whichever master is asked does it; a command goes to the leader as any other.
type admin struct {
	clusterpb.UnimplementedAdminServer
	m *Master
}

var _ clusterpb.AdminServer = admin{}

// read gives the state for an answer: all that was committed before the question, or what is here where it may be stale.
func (a admin) read(ctx context.Context, stale bool) (*fsm.State, error) {
	if !stale {
		if _, err := a.m.node.ReadBarrier(ctx); err != nil {
			return nil, a.m.adminStatus(err)
		}
	}
	return a.m.fsm.State(), nil
}

// adminStatus keeps what a caller decides by: a refusal is an answer, anything else is "not known, ask another master".
func (m *Master) adminStatus(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	switch fsm.RefusalCode(err) {
	case fsm.CodeOK:
	case fsm.CodeUnknownApp, fsm.CodeUnknownDriver, fsm.CodeUnknownExecutor, fsm.CodeUnknownWorker:
		return status.Error(codes.NotFound, refusalText(err))
	case fsm.CodeInvalid:
		return status.Error(codes.InvalidArgument, refusalText(err))
	default:
		return status.Error(codes.FailedPrecondition, refusalText(err))
	}
	if errors.Is(err, context.Canceled) {
		return status.Error(codes.Canceled, err.Error())
	}
	return m.quorumStatus(err)
}

// refusalText is what the state machine said, without the command's name around it.
func refusalText(err error) string {
	var r *fsm.Refusal
	if errors.As(err, &r) {
		return r.Message
	}
	return err.Error()
}

// statusHold is how long an overview waits for a leader before it tells what this master knows.
const statusHold = 1500 * time.Millisecond

// ListWorkers implements clusterpb.AdminServer.
func (a admin) ListWorkers(ctx context.Context, r *clusterpb.ListWorkersRequest) (*clusterpb.ListWorkersReply, error) {
	s, err := a.read(ctx, r.GetStale())
	if err != nil {
		return nil, err
	}
	out := &clusterpb.ListWorkersReply{Index: s.Index()}
	for w := range s.Workers() {
		out.Workers = append(out.Workers, workerView(s, w))
	}
	return out, nil
}

// DrainWorker implements clusterpb.AdminServer.
func (a admin) DrainWorker(ctx context.Context, r *clusterpb.DrainWorkerRequest) (*clusterpb.DrainWorkerReply, error) {
	if err := a.findWorker(ctx, r.GetId()); err != nil {
		return nil, err
	}
	if _, err := propose[none](ctx, a.m, &fsm.DecommissionWorker{ID: r.GetId(), At: now()}); err != nil {
		return nil, a.m.adminStatus(err)
	}
	a.m.log.Info("an operator drains a worker", "worker", r.GetId())
	out := &clusterpb.DrainWorkerReply{}
	s := a.m.fsm.State()
	for range s.ExecutorsOn(r.GetId()) {
		out.Executors++
	}
	for range s.DriversOn(r.GetId()) {
		out.Drivers++
	}
	return out, nil
}

// findWorker tells whether there is something to drain: an unknown worker, or a dead one, is named in the refusal.
func (a admin) findWorker(ctx context.Context, id string) error {
	s, err := a.read(ctx, false)
	if err != nil {
		return err
	}
	w, ok := s.Worker(id)
	switch {
	case !ok:
		return status.Errorf(codes.NotFound, "there is no worker %s", id)
	case w.State == fsm.WorkerDead:
		return status.Errorf(codes.FailedPrecondition, "worker %s is DEAD: %s", id, w.Reason)
	}
	return nil
}

// ListApps implements clusterpb.AdminServer.
func (a admin) ListApps(ctx context.Context, r *clusterpb.ListAppsRequest) (*clusterpb.ListAppsReply, error) {
	s, err := a.read(ctx, r.GetStale())
	if err != nil {
		return nil, err
	}
	out := &clusterpb.ListAppsReply{Index: s.Index()}
	for app := range s.Apps() {
		out.Apps = append(out.Apps, appView(app))
	}
	for c := range s.CompletedApps() {
		out.Apps = append(out.Apps, appView(c.App))
	}
	return out, nil
}

// ShowApp implements clusterpb.AdminServer.
func (a admin) ShowApp(ctx context.Context, r *clusterpb.ShowAppRequest) (*clusterpb.ShowAppReply, error) {
	s, err := a.read(ctx, r.GetStale())
	if err != nil {
		return nil, err
	}
	app, executors, err := findApp(s, r.GetId())
	if err != nil {
		return nil, err
	}
	out := &clusterpb.ShowAppReply{Index: s.Index(), App: appView(app)}
	for _, e := range executors {
		out.Executors = append(out.Executors, executorView(e))
	}
	for _, w := range waitingViews(s) {
		if w.GetAppId() == app.ID {
			out.Waiting = append(out.Waiting, w)
		}
	}
	return out, nil
}

// findApp finds an application that lives or is remembered, with the executors that are known of it.
func findApp(s *fsm.State, id string) (*fsm.App, []*fsm.Executor, error) {
	if app, ok := s.App(id); ok {
		var executors []*fsm.Executor
		for e := range s.Executors(app) {
			executors = append(executors, e)
		}
		return app, executors, nil
	}
	var found *fsm.CompletedApp
	for c := range s.CompletedApps() {
		if c.App.ID == id {
			found = c // the newest
		}
	}
	if found == nil {
		return nil, nil, status.Errorf(codes.NotFound, "there is no application %s; those that are over are remembered for a while only", id)
	}
	return found.App, found.Executors, nil
}

// KillApp implements clusterpb.AdminServer.
func (a admin) KillApp(ctx context.Context, r *clusterpb.KillAppRequest) (*clusterpb.KillAppReply, error) {
	s, err := a.read(ctx, false)
	if err != nil {
		return nil, err
	}
	app, _, err := findApp(s, r.GetId())
	switch {
	case err != nil:
		return nil, err
	case app.State == fsm.AppKilled:
		return &clusterpb.KillAppReply{}, nil // a repetition, perhaps of a call whose answer was lost
	case app.State.Ended():
		return nil, status.Errorf(codes.FailedPrecondition, "application %s is over already: %s", app.ID, app.State)
	}
	_, err = propose[none](ctx, a.m, &fsm.FinishApplication{
		AppID: app.ID, State: fsm.AppKilled, Message: "killed by an operator", At: now(), Retained: a.m.cfg.Spark.RetainedApplications,
	})
	if err != nil {
		return nil, a.m.adminStatus(err)
	}
	a.m.log.Info("an operator killed an application", "app", app.ID)
	return &clusterpb.KillAppReply{}, nil
}

// RPCAddress is where this master serves gRPC, host:port.
func (m *Master) RPCAddress() string { return m.node.Addr() }

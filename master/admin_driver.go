package master

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/web/submission"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// SubmitDriver implements clusterpb.AdminServer. It goes the way of a REST request, with the same checks.
func (a admin) SubmitDriver(ctx context.Context, r *clusterpb.SubmitDriverRequest) (*clusterpb.SubmitDriverReply, error) {
	properties := r.GetProperties()
	if properties == nil {
		properties = map[string]string{} // required, though it may be empty
	}
	body, err := json.Marshal(map[string]any{
		"action": "CreateSubmissionRequest", "clientSparkVersion": r.GetSparkVersion(), "appResource": r.GetAppResource(), "mainClass": r.GetMainClass(),
		"appArgs": r.GetArgs(), "sparkProperties": properties, "environmentVariables": r.GetEnvironment(),
	})
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	req, err := submission.ParseRequest(body)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, submission.Explain(err))
	}
	id, err := submissions{a.m}.Create(ctx, req, r.GetIdempotencyKey())
	switch {
	case errors.Is(err, submission.ErrUnavailable):
		return nil, status.Error(codes.Unavailable, err.Error())
	case err != nil:
		return nil, status.Error(codes.InvalidArgument, submission.Explain(err))
	}
	return &clusterpb.SubmitDriverReply{DriverId: id}, nil
}

// ListDrivers implements clusterpb.AdminServer.
func (a admin) ListDrivers(ctx context.Context, r *clusterpb.ListDriversRequest) (*clusterpb.ListDriversReply, error) {
	s, err := a.read(ctx, r.GetStale())
	if err != nil {
		return nil, err
	}
	out := &clusterpb.ListDriversReply{Index: s.Index()}
	waits := waitingViews(s)
	for d := range s.Drivers() {
		out.Drivers = append(out.Drivers, driverView(s, d, waits))
	}
	for d := range s.CompletedDrivers() {
		out.Drivers = append(out.Drivers, driverView(s, d, nil))
	}
	return out, nil
}

// ShowDriver implements clusterpb.AdminServer.
func (a admin) ShowDriver(ctx context.Context, r *clusterpb.ShowDriverRequest) (*clusterpb.ShowDriverReply, error) {
	s, err := a.read(ctx, r.GetStale())
	if err != nil {
		return nil, err
	}
	d, err := findDriver(s, r.GetId())
	if err != nil {
		return nil, err
	}
	return &clusterpb.ShowDriverReply{Index: s.Index(), Driver: driverView(s, d, waitingViews(s))}, nil
}

func findDriver(s *fsm.State, id string) (*fsm.Driver, error) {
	if d, ok := s.Driver(id); ok {
		return d, nil
	}
	if d, ok := s.CompletedDriver(id); ok {
		return d, nil
	}
	return nil, status.Errorf(codes.NotFound, "there is no driver %s; those that are over are remembered for a while only", id)
}

// KillDriver implements clusterpb.AdminServer.
func (a admin) KillDriver(ctx context.Context, r *clusterpb.KillDriverRequest) (*clusterpb.KillDriverReply, error) {
	s, err := a.read(ctx, false)
	if err != nil {
		return nil, err
	}
	d, err := findDriver(s, r.GetId())
	switch {
	case err != nil:
		return nil, err
	case d.State == fsm.DriverKilled:
		return &clusterpb.KillDriverReply{WasWaiting: true}, nil // a repetition, perhaps of a call whose answer was lost
	case d.State.Ends():
		return nil, status.Errorf(codes.FailedPrecondition, "driver %s is over already: %s", d.ID, d.State)
	}
	result, err := propose[fsm.DriverKillResult](ctx, a.m, &fsm.KillDriver{ID: d.ID, At: now(), Retained: a.m.cfg.Spark.RetainedDrivers})
	if err != nil {
		return nil, a.m.adminStatus(err)
	}
	a.m.log.Info("an operator kills a driver", "driver", d.ID)
	return &clusterpb.KillDriverReply{WasWaiting: result.WasWaiting}, nil
}

const (
	// watchBeat is how often a watcher hears something, so that it leaves a master that has fallen silent.
	watchBeat = time.Second
	// watchConfirm is how often this master makes sure that it is not behind, and watchHold how long it tries.
	watchConfirm = 5 * time.Second
	watchHold    = 3 * time.Second
)

// WatchDriver implements clusterpb.AdminServer. A master that is cut off from the others must not tell an old tale for ever:
// it ends the stream, and the watcher asks another one.
func (a admin) WatchDriver(r *clusterpb.WatchDriverRequest, stream clusterpb.Admin_WatchDriverServer) error {
	ctx := stream.Context()
	beat := time.NewTicker(watchBeat)
	defer beat.Stop()
	_, changes := a.m.fsm.Subscribe()
	defer changes.Close()
	woken := wakeOn(ctx, changes)
	var confirmed time.Time
	var last *clusterpb.DriverView
	for sent := time.Now(); ; {
		if time.Since(confirmed) >= watchConfirm {
			if err := a.confirm(ctx); err != nil {
				return err
			}
			confirmed = time.Now()
		}
		s := a.m.fsm.State()
		d, err := findDriver(s, r.GetId())
		if err != nil {
			return err
		}
		v := driverView(s, d, waitingViewsOf(s, d))
		if !proto.Equal(v, last) || time.Since(sent) >= watchBeat {
			if err := stream.Send(&clusterpb.WatchDriverReply{Driver: v}); err != nil {
				return err
			}
			last, sent = v, time.Now()
		}
		if d.State.Ends() {
			return nil
		}
		select {
		case <-woken:
		case <-beat.C:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

// waitingViewsOf looks at what waits only where the driver does: it costs a look at the whole cluster.
func waitingViewsOf(s *fsm.State, d *fsm.Driver) []*clusterpb.WaitingView {
	if !d.Waits() {
		return nil
	}
	return waitingViews(s)
}

func (a admin) confirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchHold)
	defer cancel()
	_, err := a.read(ctx, false)
	return err
}

// wakeOn makes a channel of a subscription's changes. It ends with ctx.
func wakeOn(ctx context.Context, changes *fsm.Subscription) <-chan struct{} {
	woken := make(chan struct{}, 1)
	go func() {
		for {
			if _, _, err := changes.Next(ctx); err != nil {
				return
			}
			select {
			case woken <- struct{}{}:
			default:
			}
		}
	}()
	return woken
}

package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/raftnode"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/web"
	"github.com/firesteel/firesteel/web/submission"
)

// submissions is what every door for cluster-mode drivers leads to, on any master: REST on the ports 6066 and 7077
// (web/submission), Spark's own submission client (door_driver.go) and gRPC. It turns a request into one command, which
// goes to the leader, and answers from a state that is not older than the request.
type submissions struct{ m *Master }

var _ submission.Backend = submissions{}

// Spark's clients give up after 10 s: a REST client then takes the master for dead and submits by other ways, though its
// request may still be carried out. So it is answered before that.
const submissionHold = 8 * time.Second

// readyHold is how long readyz waits for a leader: longer than a failover, shorter than a probe's patience with one master
// of several (Kubernetes asks three times before it believes).
const readyHold = 3 * time.Second

// bounded is a request's context, with an end that says why.
func (s submissions) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, cmp.Or(s.m.cfg.submissionHold, submissionHold), submission.ErrUnavailable)
}

// failed sorts the errors of a request: what the state machine refused, or no log takes, is final; everything else may go
// better on another master or later.
func failed(err error) error {
	if err == nil || fsm.RefusalCode(err) != fsm.CodeOK || errors.Is(err, raftnode.ErrCommandTooLarge) || errors.Is(err, submission.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", submission.ErrUnavailable, err)
}

// Create queues the driver of a REST request.
func (s submissions) Create(ctx context.Context, r *submission.Request, key string) (id string, err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	d, err := r.Describe(submission.Context{Masters: s.m.mastersURL(), Environment: os.LookupEnv})
	if err != nil {
		return "", err
	}
	label, table := releaseOf(s.m.fsm.State(), clientOf(r, d))
	return s.submit(ctx, queued{driver: d, main: mainClass(d), label: label, table: table, names: namesOf(key, r)})
}

// queued is a driver on its way into the state.
type queued struct {
	driver *messages.DriverDescription // without a Tree: it is written in the classes of table
	main   string
	label  string
	table  *releases.Table
	names  submissionName
}

// submit commits a driver, and is where every door comes together.
func (s submissions) submit(ctx context.Context, q queued) (id string, err error) {
	cmd, err := s.m.driverCommand(q)
	if err != nil {
		return "", err
	}
	done, err := propose[fsm.DriverSubmittedResult](ctx, s.m, cmd)
	if err != nil {
		return "", failed(err)
	}
	if !done.Duplicate {
		s.m.log.Info("driver submitted", "driver", done.DriverID, "main", q.main, "build", q.label, "cores", cmd.Driver.Cores, "memory", cmd.Driver.MemoryMB)
	}
	return done.DriverID, nil
}

// driverCommand makes the command of a submission.
func (m *Master) driverCommand(q queued) (*fsm.SubmitDriver, error) {
	if q.driver.Cores < 0 || q.driver.MemoryMB < 0 {
		return nil, &fsm.Refusal{Code: fsm.CodeInvalid, Message: fmt.Sprintf("a driver of %d cores and %d MiB: it must not have less than none", q.driver.Cores, q.driver.MemoryMB)}
	}
	description, err := messages.EncodeDriverDescription(q.driver, messages.Env{Classes: q.table})
	if err != nil {
		return nil, fmt.Errorf("keep the description of driver %q: %w", q.main, err)
	}
	cmd := &fsm.SubmitDriver{Key: q.names.key, KeepMS: q.names.keep.Milliseconds(), Driver: fsm.Driver{
		// Spark's Master takes a driver of 0 cores or 0 MiB, and counts it as nothing; here it takes the least there is.
		Cores: max(q.driver.Cores, 1), MemoryMB: max(q.driver.MemoryMB, 1), Supervise: q.driver.Supervise, Needs: needsOf(q.driver),
		MainClass: q.main, Description: description, Build: q.label, Submitted: now(),
	}}
	cmd.ID, err = m.driverIDs.at(m.cfg.Spark.DriverIDPattern, time.Now())
	return cmd, err
}

func needsOf(d *messages.DriverDescription) []fsm.ResourceAmount {
	var out []fsm.ResourceAmount
	for _, r := range d.ResourceReqs {
		if r.Amount > 0 {
			out = append(out, fsm.ResourceAmount{Name: r.Name, Amount: r.Amount})
		}
	}
	return out
}

// Kill asks for the end of a driver, by its id or that of one of its runs.
func (s submissions) Kill(ctx context.Context, id string) (found bool, err error) {
	return s.kill(ctx, id, requestID())
}

// kill is Kill for a client that may say the same on several masters: one request, one answer.
func (s submissions) kill(ctx context.Context, id, request string) (found bool, err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	cmd := &fsm.KillDriver{ID: id, At: now(), Retained: s.m.cfg.Spark.RetainedDrivers}
	_, err = decided[fsm.DriverKillResult](cmd)(s.m.node.Propose(ctx, fsm.Encode(cmd, request)))
	switch {
	case fsm.RefusalCode(err) == fsm.CodeUnknownDriver:
		return false, nil
	case err != nil:
		return false, failed(err)
	}
	return true, nil
}

// killsAtOnce bounds the commands that KillAll has on their way: enough for the log to commit them together.
const killsAtOnce = 64

// KillAll asks for the end of every driver that was there when the request came.
func (s submissions) KillAll(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.fresh(ctx); err != nil {
		return err
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var first error
	slots := make(chan struct{}, killsAtOnce)
	for d := range s.m.fsm.State().Drivers() {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if _, err := s.Kill(ctx, d.ID); err != nil { // one that has ended meanwhile is none
				mu.Lock()
				defer mu.Unlock()
				first = errors.Join(first, err)
			}
		})
	}
	all.Wait()
	return first
}

// Status is where a driver stands, by its id or that of one of its runs.
func (s submissions) Status(ctx context.Context, id string) (status submission.Status, found bool, err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.fresh(ctx); err != nil {
		return submission.Status{}, false, err
	}
	state := s.m.fsm.State()
	d, ok := state.Driver(id)
	if !ok {
		d, ok = state.CompletedDriver(id)
	}
	if !ok {
		return submission.Status{}, false, nil
	}
	status = submission.Status{State: d.State.String(), WorkerID: d.WorkerID, WorkerHostPort: d.WorkerAddr, Note: s.note(state, d)}
	// Spark's own worker reports an exception with ERROR alone. Its RPC client takes one for the failure of its own request, and
	// would end with another code for every driver that was killed or has failed by itself.
	switch d.State {
	case fsm.DriverError:
		status.Exception = d.Exception
	case fsm.DriverFailed:
		status.Note = d.Exception
	}
	return status, true, nil
}

// noteAfter is how long a driver waits for room before its status says so: Spark's clients print what a status says as an error, and
// look for the first time when the driver has just come.
const noteAfter = 10 * time.Second

// note says what a waiting driver waits for.
func (s submissions) note(state *fsm.State, d *fsm.Driver) string {
	if !d.Waits() {
		return ""
	}
	reason, nowhere := web.DriverWaits(state, s.m.scheduling, d)
	if !nowhere && d.HoldMS == 0 && now()-d.Submitted < noteAfter.Milliseconds() {
		return ""
	}
	return reason
}

// Clear empties the lists of completed drivers and applications.
func (s submissions) Clear(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	_, err := propose[none](ctx, s.m, &fsm.ClearCompleted{})
	return failed(err)
}

// Ready tells why no request can be served now. A follower is ready: it forwards.
func (s submissions) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(s.m.cfg.submissionHold, readyHold), submission.ErrUnavailable)
	defer cancel()
	return s.fresh(ctx)
}

// fresh waits until the state holds all that was committed before the call.
func (s submissions) fresh(ctx context.Context) error {
	_, err := s.m.node.ReadBarrier(ctx)
	return failed(err)
}

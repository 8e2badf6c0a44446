package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/web/submission"
)

// This file is the door for Spark's RPC submission client (org.apache.spark.deploy.Client). It asks every master of its list
// at once: each of ours answers for the cluster, all of them the same.

// submissionClient is the name of that client's endpoint.
const submissionClient = "client"

// submitDriver answers RequestSubmitDriver.
func (d *door) submitDriver(ctx context.Context, p *rpcenv.Peer, msg *messages.RequestSubmitDriver) (messages.Message, error) {
	ctx, cancel := submissions{d.m}.bounded(ctx)
	defer cancel()
	answer := &messages.SubmitDriverResponse{Master: d.m.ref()}
	id, err := d.queueDriver(ctx, p, msg.Driver)
	d.note(msg, p, err)
	if err != nil {
		answer.Message = submission.Failure(err)
		return answer, nil
	}
	answer.Success, answer.DriverID, answer.Message = true, id, submission.Submitted(id)
	return answer, nil
}

func (d *door) queueDriver(ctx context.Context, p *rpcenv.Peer, in *messages.DriverDescription) (id string, err error) {
	if in == nil {
		return "", errors.New("a submission without a driver")
	}
	build, _, err := releases.Identify(messages.SUIDs(in.Tree))
	if err != nil {
		return "", err
	}
	label, table, err := d.labelOfClient(ctx, p, build, in.Command)
	if err != nil {
		return "", failed(err)
	}
	driver := *in
	driver.Tree = nil
	driver.Command.JavaOpts = d.m.submittedOptions(in.Command.JavaOpts)
	names := clientKey(p.Address(), in)
	if key, ok := option(in.Command.JavaOpts, submission.IdempotencyProperty); ok && key != "" {
		names = userKey(key)
	}
	return submissions{d.m}.submit(ctx, queued{driver: &driver, main: mainClass(&driver), label: label, table: table, names: names})
}

// submittedOptions are a driver's JVM options with all masters of the cluster, whichever of them the client knew.
func (m *Master) submittedOptions(in []string) []string {
	out := slices.DeleteFunc(slices.Clone(in), func(o string) bool {
		return strings.HasPrefix(o, "-Dspark.master=") || strings.HasPrefix(o, "-D"+submission.IdempotencyProperty+"=")
	})
	return append(out, "-Dspark.master="+m.mastersURL())
}

// option finds the value of a -D option; the last one counts, as for a JVM.
func option(opts []string, name string) (value string, ok bool) {
	for _, o := range opts {
		if v, is := strings.CutPrefix(o, "-D"+name+"="); is {
			value, ok = v, true
		}
	}
	return value, ok
}

// mainClass is the user's class of a driver, which stands behind the placeholders for the worker's URL and the jar
// (DriverWrapper's arguments).
func mainClass(d *messages.DriverDescription) string {
	if c := d.Command; len(c.Arguments) > 2 && strings.HasSuffix(c.MainClass, ".DriverWrapper") {
		return c.Arguments[2]
	}
	return d.Command.MainClass
}

// labelOfClient is what a driver needs of a worker: the release of the client that submits it, which is asked for it. The
// answers carry a ref, whose class is its release's own, so the dialect is adopted, too.
func (d *door) labelOfClient(ctx context.Context, p *rpcenv.Peer, build releases.Build, c messages.Command) (label string, table *releases.Table, err error) {
	probe, err := d.askRelease(ctx, p, submissionClient, build, d.m.guesses.of(build))
	if err != nil {
		return "", nil, err
	}
	label = labelOf(build, probe, c)
	if app := releases.AppOf(label); app.Release == "" && app.ProbeSUID == 0 {
		label = d.m.labelOfBuild(app)
	}
	if wish, ok := option(c.JavaOpts, "spark.executorEnv."+releases.HomeWish); ok && wish != "" && releases.AppOf(label).Wish == "" {
		label = releases.LabelWish(label, wish)
	}
	table = tableOfLabel(label)
	p.Adopt(rpcenv.Dialect{Table: table})
	return label, table, nil
}

// labelOfBuild chooses for a client that tells no more than its build, which several releases share: one that an ALIVE worker
// runs, else the newest.
func (m *Master) labelOfBuild(app releases.App) string {
	fits := func(o offer) bool { return releases.AppOf(o.label).Build.Overlaps(app.Build) }
	for _, offers := range [][]offer{offersOf(m.fsm.State()), known()} {
		offers = slices.DeleteFunc(offers, func(o offer) bool { return !fits(o) })
		if len(offers) == 0 {
			continue
		}
		label := newest(offers, "").label
		if app.Wish != "" {
			label = releases.LabelWish(label, app.Wish)
		}
		return label
	}
	return string(app.Build)
}

// knowClient finds out the build of a client whose message shows none, before it is sent a ref.
func (d *door) knowClient(ctx context.Context, p *rpcenv.Peer, msg messages.Message) error {
	t := p.Dialect().Table
	if t == nil {
		return fmt.Errorf("answer %s: the peer's build is not known", msg.ClassName())
	}
	_, _, err := d.labelOfClient(ctx, p, t.Build(), messages.Command{})
	return err
}

// killDriver answers RequestKillDriver. A client sends it to every master of its list: the first makes the driver end, and
// all give that one's answer, which is remembered for this client.
func (d *door) killDriver(ctx context.Context, p *rpcenv.Peer, msg *messages.RequestKillDriver) (messages.Message, error) {
	ctx, cancel := submissions{d.m}.bounded(ctx)
	defer cancel()
	answer := &messages.KillDriverResponse{Master: d.m.ref(), DriverID: msg.DriverID}
	err := d.knowClient(ctx, p, msg)
	if err == nil {
		answer.Success, err = submissions{d.m}.kill(ctx, msg.DriverID, "kill:"+digest([]byte(p.Address().String()+" "+msg.DriverID)))
	}
	d.note(msg, p, err)
	switch {
	case err != nil:
		answer.Message = submission.Failure(failed(err))
	case answer.Success:
		answer.Message = submission.KillSubmitted(msg.DriverID)
	default:
		answer.Message = submission.KillUnknown(msg.DriverID)
	}
	return answer, nil
}

// driverStatus answers RequestDriverStatus.
func (d *door) driverStatus(ctx context.Context, p *rpcenv.Peer, msg *messages.RequestDriverStatus) (messages.Message, error) {
	s, found, err := submissions{d.m}.Status(ctx, msg.DriverID)
	d.note(msg, p, err)
	if err != nil {
		return &messages.DriverStatusResponse{Exception: &messages.Throwable{Class: "java.lang.Exception", Message: submission.Failure(err)}}, nil
	}
	if !found {
		return &messages.DriverStatusResponse{}, nil
	}
	answer := &messages.DriverStatusResponse{Found: true, WorkerID: s.WorkerID, WorkerHostPort: s.WorkerHostPort}
	if state, ok := messages.ParseDriverState(s.State); ok {
		answer.State = &state
	}
	if s.Exception != "" {
		answer.Exception = &messages.Throwable{Class: "java.lang.Exception", Message: s.Exception}
	}
	return answer, nil
}

// killAllDrivers answers RequestKillAllDrivers (Spark 4.0).
func (d *door) killAllDrivers(ctx context.Context, p *rpcenv.Peer, msg *messages.RequestKillAllDrivers) (messages.Message, error) {
	answer := &messages.KillAllDriversResponse{Master: d.m.ref(), Message: submission.KillAllSubmitted}
	err := d.knowClient(ctx, p, msg)
	if err == nil {
		err = submissions{d.m}.KillAll(ctx)
	}
	d.note(msg, p, err)
	if answer.Success = err == nil; err != nil {
		answer.Message = submission.Failure(failed(err))
	}
	return answer, nil
}

// boundPorts answers BoundPortsRequest.
func (d *door) boundPorts() *messages.BoundPortsResponse {
	answer := &messages.BoundPortsResponse{RPCPort: d.m.sparkPort, WebUIPort: d.m.webPort}
	if d.m.restPort != 0 {
		answer.RESTPort = &d.m.restPort
	}
	return answer
}

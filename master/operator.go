package master

import (
	"context"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/web"
)

// operator is what the forms of the web UI have done.
type operator struct{ m *Master }

var _ web.Operator = operator{}

// actions are the forms as this master's settings have them.
func (m *Master) actions() web.Actions {
	return web.Actions{
		Operator: operator{m}, KillEnabled: m.cfg.Spark.UI.KillEnabled, Decommission: m.cfg.Spark.DecommissionEnabled,
		Allow: m.cfg.Spark.DecommissionAllowMode,
	}
}

func (o operator) DecommissionHosts(ctx context.Context, hosts []string) (int, error) {
	ctx, cancel := submissions(o).bounded(ctx)
	defer cancel()
	return o.m.decommissionHosts(ctx, hosts)
}

func (o operator) KillApp(ctx context.Context, id string) error {
	ctx, cancel := submissions(o).bounded(ctx)
	defer cancel()
	_, err := propose[none](ctx, o.m, &fsm.FinishApplication{
		AppID: id, State: fsm.AppKilled, Message: "killed through the web UI", At: now(), Retained: o.m.cfg.Spark.RetainedApplications,
	})
	return o.done("application", id, err)
}

func (o operator) KillDriver(ctx context.Context, id string) error {
	_, err := submissions(o).Kill(ctx, id)
	return o.done("driver", id, err)
}

// done passes over what is over: the forms of Spark's pages say nothing about that either.
func (o operator) done(what, id string, err error) error {
	if fsm.RefusalCode(err) != fsm.CodeOK {
		o.m.log.Info("nothing was killed through the web UI", what, id, "reason", err)
		return nil
	}
	if err == nil {
		o.m.log.Info("killed through the web UI", what, id)
	}
	return err
}

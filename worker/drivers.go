package worker

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/worker/workdir"
)

// DriversConfig configures Drivers.
type DriversConfig struct {
	WorkDir    string // absolute and there
	Identity   Identity
	Env        config.Env // environment that drivers inherit
	Redaction  *regexp.Regexp
	AuthSecret string
	NodeSSL    map[string]string
	Logs       config.LogRolling
	KillGrace  time.Duration // spark.worker.driverTerminateTimeout; default 10 s
	// MaxBackOff bounds the wait before a supervised driver is run again; default 60 s. (Spark's has no bound.)
	MaxBackOff time.Duration
	Retained   int // finished, acknowledged drivers that are remembered; default 1000 (spark.worker.ui.retainedDrivers)
	// Fetch brings a driver's resource into its directory and gives the file's path (fetch.Fetcher.Fetch); properties are the
	// driver's Spark properties. Required.
	Fetch func(ctx context.Context, url, dir string, properties map[string]string) (path string, err error)
	// OnReport receives every report, for one driver in order. It must not call Start. Required.
	OnReport func(DriverReport)
	Spawner  *Spawner      // starts the processes; not closed here
	Life     *workdir.Life // records the directories that are made; nil for no records
	Logger   *slog.Logger
}

// Drivers runs the drivers of one worker. At most one run of a driver is alive here at any time.
type Drivers struct {
	cfg DriversConfig
	log *slog.Logger
	run func(*driverRunner) (DriverState, string)

	mu      sync.Mutex
	closing bool
	entries map[string]*driverEntry // by run
	acked   []string                // oldest first
	seq     int
	wg      sync.WaitGroup
}

type driverEntry struct {
	info  DriverInfo
	seq   int
	acked bool
	end   context.CancelCauseFunc
	over  chan struct{} // closed after the final report
}

// DriverInfo is one driver as the pages show it.
type DriverInfo struct {
	Spec    DriverSpec
	Report  DriverReport
	Started time.Time
}

// NewDrivers makes a worker's drivers.
func NewDrivers(cfg DriversConfig) (*Drivers, error) {
	if cfg.OnReport == nil || cfg.Fetch == nil || cfg.Spawner == nil {
		return nil, errors.New("drivers: OnReport, Fetch and Spawner are required")
	}
	cfg.KillGrace = cmp.Or(cfg.KillGrace, defaultKillGrace)
	cfg.MaxBackOff = max(cmp.Or(cfg.MaxBackOff, time.Minute), firstBackOff)
	cfg.Retained = cmp.Or(cfg.Retained, 1000)
	return &Drivers{
		cfg: cfg, log: cmp.Or(cfg.Logger, slog.Default()), entries: map[string]*driverEntry{}, run: (*driverRunner).run,
	}, nil
}

// Start launches a run and returns at once; how it goes comes by OnReport. A run that is known is not launched again, its
// state is reported again. A later run of a driver ends the earlier one before it starts; an earlier one is reported
// KILLED. While the worker shuts down nothing is launched nor said: its leader hears that it is gone.
func (d *Drivers) Start(spec DriverSpec) {
	d.mu.Lock()
	if known := d.entries[spec.RunID]; known != nil {
		report := known.info.Report
		d.mu.Unlock()
		d.cfg.OnReport(report)
		return
	}
	earlier, late := d.others(spec)
	if late || d.closing {
		closing := d.closing
		d.mu.Unlock()
		if !closing {
			d.cfg.OnReport(DriverReport{RunID: spec.RunID, State: DriverKilled, Message: errSuperseded.Error(), At: time.Now()})
		}
		return
	}
	now := time.Now()
	ctx, end := context.WithCancelCause(context.Background())
	d.seq++
	ent := &driverEntry{seq: d.seq, end: end, over: make(chan struct{}), info: DriverInfo{
		Spec: spec, Started: now, Report: DriverReport{RunID: spec.RunID, State: DriverRunning, At: now},
	}}
	d.entries[spec.RunID] = ent
	d.wg.Add(1)
	report := ent.info.Report
	d.mu.Unlock()
	go func() {
		defer d.wg.Done()
		for _, e := range earlier {
			e.end(errSuperseded)
			<-e.over
		}
		d.cfg.OnReport(report)
		d.follow(ctx, ent)
	}()
}

// others finds the other runs of a driver that are known here: the earlier ones, and whether there is a later one.
func (d *Drivers) others(spec DriverSpec) (earlier []*driverEntry, late bool) {
	for _, e := range d.entries {
		if e.info.Spec.ID != spec.ID {
			continue
		}
		if e.info.Spec.Attempt > spec.Attempt {
			late = true
		} else {
			earlier = append(earlier, e)
		}
	}
	return earlier, late
}

func (d *Drivers) follow(ctx context.Context, ent *driverEntry) {
	defer close(ent.over)
	r := &driverRunner{
		spec: ent.info.Spec, cfg: &d.cfg, spawn: d.cfg.Spawner, ctx: ctx,
		log: d.log.With("driver", ent.info.Spec.RunID),
	}
	r.start = r.process
	state, message := d.run(r)
	d.mu.Lock()
	rep := &ent.info.Report
	rep.State, rep.Message, rep.At = state, message, time.Now()
	out := *rep
	d.mu.Unlock()
	if !errors.Is(context.Cause(ctx), errShutdown) || state == DriverFinished {
		d.cfg.OnReport(out)
	}
}

// Kill asks a run to end, with a reason for its final report. It tells whether the run was there and not over.
func (d *Drivers) Kill(runID, reason string) bool { return d.end(runID, errors.New(reason)) }

func (d *Drivers) end(runID string, reason error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	ent, ok := d.entries[runID]
	if !ok || ent.info.Report.State.Final() {
		return false
	}
	ent.end(reason)
	return true
}

// EndLease ends the supervised drivers, which a master may launch elsewhere now that none was heard of for so long. Others
// stay: nobody launches them again.
func (d *Drivers) EndLease() {
	for _, info := range d.Running() {
		if info.Spec.Supervise {
			d.end(info.Spec.RunID, errLease)
		}
	}
}

// List gives the present state of every driver that runs or whose end was not acknowledged, in order of launch.
func (d *Drivers) List() []DriverReport {
	var out []DriverReport
	for _, info := range d.infos(func(e *driverEntry) bool { return !e.acked }) {
		out = append(out, info.Report)
	}
	return out
}

// Running gives the drivers that are not over, Finished those that are and are remembered, in order of launch.
func (d *Drivers) Running() []DriverInfo {
	return d.infos(func(e *driverEntry) bool { return !e.info.Report.State.Final() })
}

// runs tells whether a run is not over.
func (d *Drivers) runs(runID string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	ent, ok := d.entries[runID]
	return ok && !ent.info.Report.State.Final()
}

// Finished: see Running.
func (d *Drivers) Finished() []DriverInfo {
	return d.infos(func(e *driverEntry) bool { return e.info.Report.State.Final() })
}

func (d *Drivers) infos(want func(*driverEntry) bool) []DriverInfo {
	d.mu.Lock()
	defer d.mu.Unlock()
	var chosen []*driverEntry
	for _, ent := range d.entries {
		if want(ent) {
			chosen = append(chosen, ent)
		}
	}
	slices.SortFunc(chosen, func(a, b *driverEntry) int { return cmp.Compare(a.seq, b.seq) })
	out := make([]DriverInfo, len(chosen))
	for i, ent := range chosen {
		out[i] = ent.info
	}
	return out
}

// Ack says that the master has the final report of a run. It leaves List, but is remembered for a while.
func (d *Drivers) Ack(runID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ent, ok := d.entries[runID]
	if !ok || ent.acked || !ent.info.Report.State.Final() {
		return
	}
	ent.acked = true
	d.acked = append(d.acked, runID)
	for len(d.acked) > d.cfg.Retained {
		delete(d.entries, d.acked[0])
		d.acked = d.acked[1:]
	}
}

// Close refuses new launches, ends what runs and waits until it is over. The ends are not reported: a worker that goes
// says goodbye, and what becomes of its drivers is then the leader's word (Master.removeWorker).
func (d *Drivers) Close() {
	d.mu.Lock()
	d.closing = true
	for _, ent := range d.entries {
		ent.end(errShutdown)
	}
	d.mu.Unlock()
	d.wg.Wait()
}

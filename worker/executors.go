package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/worker/guard"
	"github.com/firesteel/firesteel/worker/workdir"
)

// ErrWorkDir says that the work directory cannot be used.
var ErrWorkDir = errors.New("work directory cannot be used")

// ExecutorsConfig configures Executors.
type ExecutorsConfig struct {
	WorkDir   string   // absolute; made if missing
	LocalDirs []string // scratch roots, see config.Worker.LocalDirs
	Identity  Identity
	Env       config.Env // environment that executors inherit
	// Redaction hides secrets in launch headers and pages; nil hides nothing.
	Redaction  *regexp.Regexp
	AuthSecret string
	NodeSSL    map[string]string
	Logs       config.LogRolling // zero: logs are never rolled
	KillGrace  time.Duration     // between SIGTERM and SIGKILL, default 10 s
	Blocks     BlockCleanup      // zero: block files stay until the application ends
	// Life records what is made in the work directory, and the scratch roots; nil for no records. Guard is told of every
	// process; nil for none.
	Life  *workdir.Life
	Guard *guard.Guard
	// Retained is how many finished, acknowledged executors are remembered,
	// for the pages and so that a late launch of one of them is recognised;
	// default 1000.
	Retained int
	// OnReport receives every report: for one executor in order and one at a
	// time, for different ones at once. It must not block for long (kills wait
	// for it) and must not call Start. Required.
	OnReport func(Report)
	Logger   *slog.Logger // default slog.Default()
}

// BlockCleanup says what becomes of block files that ended executors left, where a shuffle service serves some of them.
type BlockCleanup struct {
	Clean   bool // delete those that it does not serve
	KeepRDD bool // it serves cached blocks, too
}

// Executors runs the executors of one worker. It launches an id at most once,
// and sends for each one RUNNING if it came to that, then one final report,
// which stays in List until it is acknowledged.
type Executors struct {
	cfg     ExecutorsConfig
	log     *slog.Logger
	spawner *Spawner
	dirs    *scratch

	mu           sync.Mutex
	closing      bool
	entries      map[ExecutorKey]*entry
	acked        []ExecutorKey // oldest first, at most cfg.Retained
	finishedApps map[string]bool
	running      int
	idle         chan struct{} // closed while running is 0
	wg           sync.WaitGroup
	seq          int
}

type entry struct {
	info     ExecutorInfo
	seq      int // order of launch
	acked    bool
	killSent bool
	kill     chan string

	// reporting serialises OnReport of this executor; taken before Executors.mu.
	reporting sync.Mutex
}

// ExecutorInfo is one executor as the pages show it.
type ExecutorInfo struct {
	Spec    ExecutorSpec
	Report  Report // the present state
	Started time.Time
}

// NewExecutors makes the work directory and the scratch roots.
func NewExecutors(cfg ExecutorsConfig) (*Executors, error) {
	if cfg.OnReport == nil {
		return nil, errors.New("executors: OnReport is required")
	}
	if cfg.KillGrace <= 0 {
		cfg.KillGrace = defaultKillGrace
	}
	if cfg.Retained <= 0 {
		cfg.Retained = 1000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if err := prepareWorkDir(cfg.WorkDir); err != nil {
		return nil, err
	}
	dirs, err := newScratch(cfg.LocalDirs, cfg.Logger)
	if err != nil {
		return nil, err
	}
	for _, root := range dirs.roots {
		if cfg.Life == nil {
			break
		}
		if err := cfg.Life.AddScratch(root); err != nil {
			cfg.Logger.Warn("a local directory will stay if this worker is killed", "dir", root, "error", err)
		}
	}
	idle := make(chan struct{})
	close(idle)
	return &Executors{
		cfg: cfg, log: cfg.Logger, spawner: NewGuardedSpawner(cfg.Guard), dirs: dirs,
		entries: make(map[ExecutorKey]*entry), finishedApps: make(map[string]bool), idle: idle,
	}, nil
}

func prepareWorkDir(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("%w: %q is not an absolute path", ErrWorkDir, dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("%w: %w; choose another with -d or SPARK_WORKER_DIR", ErrWorkDir, err)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("%w: it is not writable: %w; choose another with -d or SPARK_WORKER_DIR", ErrWorkDir, err)
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// Start launches an executor and returns at once; how it goes comes by
// OnReport. For an id that it knows already, in whatever state, nothing is
// launched: the present state is reported again, unless it is still LAUNCHING
// (then RUNNING or FAILED is on its way). During shutdown the answer is FAILED.
func (e *Executors) Start(spec ExecutorSpec) {
	key := spec.Key()
	e.mu.Lock()
	if known, ok := e.entries[key]; ok {
		e.mu.Unlock()
		e.reportAgain(known)
		return
	}
	if e.closing {
		e.mu.Unlock()
		e.cfg.OnReport(Report{AppID: key.AppID, ExecID: key.ExecID, State: Failed, Message: "Worker shutting down", At: time.Now()})
		return
	}
	now := time.Now()
	e.seq++
	ent := &entry{
		seq: e.seq, kill: make(chan string, 1),
		info: ExecutorInfo{Spec: spec, Started: now, Report: Report{AppID: key.AppID, ExecID: key.ExecID, State: Launching, At: now}},
	}
	e.entries[key] = ent
	delete(e.finishedApps, key.AppID)
	if e.running++; e.running == 1 {
		e.idle = make(chan struct{})
	}
	e.wg.Add(1)
	e.mu.Unlock()
	go e.run(ent)
}

func (e *Executors) run(ent *entry) {
	defer e.wg.Done()
	r := &runner{
		spec: ent.info.Spec, cfg: &e.cfg, dirs: e.dirs, spawn: e.spawner, kill: ent.kill,
		log: e.log.With("executor", ent.info.Spec.Key().String()),
		report: func(state ExecutorState, message string, code *int) {
			e.setState(ent, state, message, code)
		},
	}
	r.run()
	e.ended(ent)
}

func (e *Executors) setState(ent *entry, state ExecutorState, message string, code *int) {
	ent.reporting.Lock()
	defer ent.reporting.Unlock()
	e.mu.Lock()
	rep := &ent.info.Report
	rep.State, rep.Message, rep.ExitCode, rep.At = state, message, code, time.Now()
	out := *rep
	e.mu.Unlock()
	e.cfg.OnReport(out)
}

func (e *Executors) reportAgain(ent *entry) {
	ent.reporting.Lock()
	defer ent.reporting.Unlock()
	e.mu.Lock()
	out := ent.info.Report
	e.mu.Unlock()
	if out.State != Launching {
		e.cfg.OnReport(out)
	}
}

// ended takes an executor off the running count after its final report.
func (e *Executors) ended(ent *entry) {
	e.freeIfDone(ent.info.Spec.AppID)
	e.cleanBlocks(ent.info.Spec.AppID)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running--; e.running == 0 {
		close(e.idle)
	}
}

// Kill asks an executor to end, with a reason for its final report. It tells
// whether the executor was there and not yet final. Asking again does nothing.
func (e *Executors) Kill(appID string, execID int, reason string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	ent, ok := e.entries[ExecutorKey{appID, execID}]
	if !ok || ent.info.Report.State.Final() {
		return false
	}
	ent.askToEnd(reason)
	return true
}

// askToEnd needs Executors.mu.
func (ent *entry) askToEnd(reason string) {
	if !ent.killSent {
		ent.killSent = true
		ent.kill <- reason
	}
}

// List gives the present state of every executor that runs or whose end was
// not acknowledged, in order of launch.
func (e *Executors) List() []Report {
	var out []Report
	for _, info := range e.infos(func(ent *entry) bool { return !ent.acked }) {
		out = append(out, info.Report)
	}
	return out
}

// Running gives the executors that have no final state, in order of launch.
func (e *Executors) Running() []ExecutorInfo {
	return e.infos(func(ent *entry) bool { return !ent.info.Report.State.Final() })
}

// Finished gives the executors with a final state that are still remembered,
// in order of launch.
func (e *Executors) Finished() []ExecutorInfo {
	return e.infos(func(ent *entry) bool { return ent.info.Report.State.Final() })
}

func (e *Executors) infos(want func(*entry) bool) []ExecutorInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	var chosen []*entry
	for _, ent := range e.entries {
		if want(ent) {
			chosen = append(chosen, ent)
		}
	}
	slices.SortFunc(chosen, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	out := make([]ExecutorInfo, len(chosen))
	for i, ent := range chosen {
		out[i] = ent.info
	}
	return out
}

// Ack says that the master has the final report of an executor. Its end leaves
// List, but is remembered for a while, see ExecutorsConfig.Retained.
func (e *Executors) Ack(appID string, execID int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := ExecutorKey{appID, execID}
	ent, ok := e.entries[key]
	if !ok || ent.acked || !ent.info.Report.State.Final() {
		return
	}
	ent.acked = true
	e.acked = append(e.acked, key)
	for len(e.acked) > e.cfg.Retained {
		delete(e.entries, e.acked[0])
		e.acked = e.acked[1:]
	}
}

// ApplicationFinished frees the application's scratch directories once none of
// its executors runs any more.
func (e *Executors) ApplicationFinished(appID string) {
	e.mu.Lock()
	e.finishedApps[appID] = true
	closing := e.closing
	if !closing {
		e.wg.Add(1)
	}
	e.mu.Unlock()
	if closing {
		e.freeIfDone(appID)
		return
	}
	go func() { // removing much takes long, and the caller is the session
		defer e.wg.Done()
		e.freeIfDone(appID)
	}()
}

func (e *Executors) freeIfDone(appID string) {
	e.mu.Lock()
	done := e.finishedApps[appID]
	for key, ent := range e.entries {
		if key.AppID == appID && !ent.info.Report.State.Final() {
			done = false
		}
	}
	var dirs []string
	if done {
		delete(e.finishedApps, appID)
		dirs = e.dirs.take(appID) // still under the lock: a launch from now on gets new ones
	}
	e.mu.Unlock()
	e.dirs.remove(appID, dirs)
}

// Applications lists, sorted, those whose scratch directories are kept here: a
// master that knows one of them to be over can say so.
func (e *Executors) Applications() []string { return e.dirs.owners() }

// keeps tells whether an application lives on this worker: its executors run, or its scratch directories are kept.
func (e *Executors) keeps(appID string) bool {
	if slices.Contains(e.dirs.owners(), appID) {
		return true
	}
	return len(e.infos(func(ent *entry) bool {
		return ent.info.Spec.AppID == appID && !ent.info.Report.State.Final()
	})) > 0
}

// Wait returns when no executor runs, or when ctx ends.
func (e *Executors) Wait(ctx context.Context) error {
	e.mu.Lock()
	idle := e.idle
	e.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for executors to end: %w", ctx.Err())
	}
}

// KillAll refuses new launches from now on, kills every executor and waits for
// their ends and final reports, or for ctx.
func (e *Executors) KillAll(ctx context.Context, reason string) error {
	e.mu.Lock()
	e.closing = true
	for _, ent := range e.entries {
		if !ent.info.Report.State.Final() {
			ent.askToEnd(reason)
		}
	}
	e.mu.Unlock()
	return e.Wait(ctx)
}

// Close kills what runs, waits for it, and removes the scratch directories.
// Work directories, with the logs, stay.
func (e *Executors) Close() error {
	err := e.KillAll(context.Background(), "Worker shutting down")
	e.wg.Wait()
	e.spawner.Close()
	e.dirs.close()
	return err
}

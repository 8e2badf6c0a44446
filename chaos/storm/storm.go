package storm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/history"
	"github.com/firesteel/firesteel/chaos/netns"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/spark/releases"
)

// Config says what storm to make.
type Config struct {
	// Out takes the progress and the verdict.
	Out io.Writer
	// Seed decides over the schedule.
	Seed uint64
	// For is how long faults are done; set-up and judgement come on top.
	For time.Duration
	// Faults are the kinds to draw from; those that are not possible are left out.
	Faults []Kind
	// Network says whether the processes get hosts of their own.
	Network Network
	// Releases are those that the real workers run.
	Releases []spark.Release
	// Jobs runs a real job of each release.
	Jobs bool
	// Rate is how many simulated drivers come each second; 0 is 10.
	Rate int
	// Binary is clusterd; "" builds it.
	Binary string
}

// Network says whether the processes get hosts of their own, whose network can be cut.
type Network string

// With Auto they do where that is possible.
const (
	Auto Network = "auto"
	On   Network = "on"
	Off  Network = "off"
)

const (
	realWorkers  = 2
	coresOfReal  = 5
	simWorkers   = 4
	coresOfSim   = 16
	retainedApps = 500
	startLimit   = 2 * time.Minute
	jobLimit     = 5 * time.Minute // a JVM takes its time on a busy machine
	settleLimit  = 5 * time.Minute
	checkLimit   = 20 * time.Second // of one history
)

// Report is the outcome of a storm.
type Report struct {
	Seed     uint64
	Faults   map[Kind]int
	Load     history.Counts
	Verdict  history.Verdict
	Problems []string // none: it is a pass
	Dir      string   // the logs; "" where they were removed
}

// ErrFailed says that a storm showed a defect.
var ErrFailed = errors.New("FAIL")

type storm struct {
	Config
	began   time.Time
	run     *proc.Run
	net     *netns.Net // nil on loopback
	cluster *cluster.Cluster
	rec     *history.Recorder
	workers []*simWorker
	crowd   *crowd
	readers *readers
	jobs    *jobs
	faults  *schedule

	submitted *submissions

	dropped uint64
	rounds  int

	outMu    sync.Mutex
	mu       sync.Mutex
	problems []string
}

// Run makes a storm and judges it. An error is ErrFailed, or says why there was no storm.
func Run(ctx context.Context, c Config) (Report, error) {
	if c.Rate == 0 {
		c.Rate = 10
	}
	s := &storm{Config: c, began: time.Now(), rec: history.New()}
	err := s.through(ctx)
	report := Report{Seed: c.Seed, Load: s.rec.Counts()}
	if s.faults != nil {
		report.Faults = s.faults.drawn
	}
	report, err = s.finish(ctx, report, err)
	return report, err
}

// through goes through the storm until all is healed.
func (s *storm) through(ctx context.Context) error {
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"start the cluster", s.start}, {"put it under load", s.load}, {"do the faults", s.rage}, {"settle", s.settle}, {"look at the books", s.judge},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

func (s *storm) start(ctx context.Context) (err error) {
	if s.run, err = proc.NewRun(""); err != nil {
		return err
	}
	if err := s.network(); err != nil {
		return err
	}
	s.faults = newSchedule(s.Seed, s.possible())
	if len(s.faults.bag) == 0 {
		return errors.New("none of the faults asked for is possible here")
	}
	if s.Binary == "" {
		s.say("building clusterd")
		if s.Binary, err = cluster.Build(ctx, s.run.Dir); err != nil {
			return err
		}
	}
	s.cluster, err = cluster.New(cluster.Config{
		Binary: s.Binary, Run: s.run, Workers: realWorkers, Homes: s.Releases, Cores: coresOfReal, Net: s.net,
		Properties: map[string]string{
			"spark.deploy.retainedApplications": fmt.Sprint(retainedApps), "spark.deploy.retainedDrivers": "10000",
			"spark.firesteel.worker.driverLease": driverLease.String(), "spark.worker.driverTerminateTimeout": driverGrace.String(),
		},
	})
	if err != nil {
		return err
	}
	if err := s.cluster.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	v, err := s.cluster.WaitWhole(ctx)
	if err == nil {
		s.say("3 masters and %d workers are up, %s leads; seed %d, faults %v", realWorkers, v.Leader, s.Seed, s.possible())
	}
	return err
}

func (s *storm) network() error {
	if s.Network == Off {
		return nil
	}
	n, err := netns.New()
	if errors.Is(err, netns.ErrUnavailable) && s.Network == Auto {
		s.say("no network faults: %v", err)
		return nil
	}
	s.net = n
	return err
}

func (s *storm) possible() []Kind {
	return slices.DeleteFunc(slices.Clone(s.Config.Faults), func(k Kind) bool {
		return kinds[k].network && s.net == nil || kinds[k].jobs && !s.Jobs
	})
}

// ip is where masters and workers reach what runs here.
func (s *storm) ip() string {
	if s.net == nil {
		return "127.0.0.1"
	}
	return s.net.Outside().IP.String()
}

// simTable is the build that simulated drivers and workers speak as: none that a real worker has a home of, so that
// neither kind of application gets to the other kind of worker.
func simTable() (*releases.Table, error) {
	for _, t := range releases.Tables() {
		if t.Scala() == "2.13" {
			return t, nil // Spark 3.5 for Scala 2.13, which no pyspark of 3.5 is
		}
	}
	return nil, errors.New("no class table of a Spark release that the real workers have not")
}

func (s *storm) load(ctx context.Context) error {
	table, err := simTable()
	if err != nil {
		return err
	}
	var masters []string
	for _, m := range s.cluster.Masters {
		masters = append(masters, m.Spark())
	}
	for i := range simWorkers {
		w, err := startSimWorker(ctx, simWorkerConfig{
			host: s.ip(), cores: coresOfSim, masters: masters, table: table, rec: s.rec, seed: s.Seed + uint64(i), complain: s.problem,
		})
		if err != nil {
			return err
		}
		s.workers = append(s.workers, w)
	}
	s.jobs = &jobs{run: s.run, cluster: s.cluster, rec: s.rec, releases: s.Releases, driverIP: s.ip()}
	if s.Jobs {
		for _, r := range s.Releases {
			if err := s.jobs.start(r); err != nil {
				return err
			}
		}
	}
	limited, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if _, err := s.cluster.WaitCluster(limited, len(s.cluster.Masters), realWorkers+simWorkers); err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, jobLimit)
	defer cancel()
	for _, j := range s.jobs.running {
		if _, err := j.WaitFor(patient, spark.Round); err != nil {
			return err
		}
	}
	s.readers = &readers{rec: s.rec, complain: s.problem}
	s.readers.start(ctx, s.cluster.Masters)
	s.crowd = &crowd{host: s.ip(), masters: masters, table: table, rec: s.rec, rng: rand.New(rand.NewPCG(s.Seed, 3)), complain: s.problem}
	s.crowd.start(ctx, s.Rate)
	newest := s.Releases[len(s.Releases)-1]
	if s.submitted, err = newSubmissions(s.run, s.cluster, newest, s.rec, s.Seed, s.problem); err != nil {
		return err
	}
	s.submitted.start(ctx)
	s.say("%d simulated workers, %d drivers each second, %d real jobs, submissions of drivers for cluster mode", simWorkers, s.Rate, len(s.jobs.running))
	return nil
}

// rage does faults until time is up.
func (s *storm) rage(ctx context.Context) error {
	until := time.Now().Add(s.For)
	for n := 1; time.Now().Before(until); n++ {
		f := s.faults.next()
		said, err := s.strike(ctx, f)
		switch {
		case errors.Is(err, errNobody):
			said, err = fmt.Sprint(err), nil
		case err != nil:
			return fmt.Errorf("fault %d, %s, %s: %w", n, f.Kind, said, err)
		}
		c := s.rec.Counts()
		s.say("#%-3d %-15s %s   [%d apps, %d executors, %d submissions, %d reads]", n, f.Kind, said, c.Registered, c.Launches, c.Submitted, c.AppReads+c.ExecReads)
		if err := ctx.Err(); err != nil {
			return err
		}
		delay.For(ctx, f.Pause)
	}
	return nil
}

// problem notes a defect.
func (s *storm) problem(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

func (s *storm) say(format string, args ...any) {
	s.outMu.Lock()
	defer s.outMu.Unlock()
	fmt.Fprintf(s.Out, "%6.1fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// Replay is the command that does the same again.
func (s *storm) replay() string {
	var names []string
	for _, k := range s.Config.Faults {
		names = append(names, string(k))
	}
	cmd := fmt.Sprintf("./scripts/chaos --seed %d --minutes %g --netns %s --jobs=%t", s.Seed, s.For.Minutes(), s.Network, s.Jobs)
	if len(names) < len(kinds) {
		cmd += " --faults " + strings.Join(names, ",")
	}
	return cmd
}

// finish ends everything and gives the verdict.
func (s *storm) finish(ctx context.Context, r Report, err error) (Report, error) {
	if err != nil {
		s.problem("%v", err)
	}
	err = s.end()
	if err != nil {
		s.problem("the end: %v", err)
	}
	r.Load = s.rec.Counts()
	if s.jobs != nil {
		if n := s.jobs.remember(s.cluster.Workers); n == 0 && s.rounds > 0 {
			s.problem("real jobs ran, and no worker's log tells of an executor: has its text changed?")
		}
	}
	r.Verdict = s.rec.Check(context.WithoutCancel(ctx), checkLimit)
	for _, v := range r.Verdict.Violations {
		s.problem("not linearizable: %s", v)
	}
	for _, v := range r.Verdict.Undecided {
		s.problem("undecided: %s", v)
	}
	r.Problems = s.problems
	if s.run != nil {
		r.Dir = s.run.Dir
		if len(r.Problems) == 0 {
			r.Dir = ""
			if err := os.RemoveAll(s.run.Dir); err != nil {
				s.problem("remove the logs: %v", err)
			}
		}
	}
	return r, s.verdict(r)
}

func (s *storm) verdict(r Report) error {
	var faults []string
	total := 0
	for _, k := range slices.Sorted(maps.Keys(r.Faults)) {
		faults = append(faults, fmt.Sprintf("%s %d", k, r.Faults[k]))
		total += r.Faults[k]
	}
	out := s.Out
	fmt.Fprintf(out, "\n  faults      %d: %s\n", total, strings.Join(faults, ", "))
	if s.net != nil {
		fmt.Fprintf(out, "  network     %d packets dropped\n", s.dropped)
	}
	fmt.Fprintf(out, "  load        %d drivers answered (p50 %v, max %v), %d never, %d unregistered, %d executors started, %d rounds of real jobs\n",
		r.Load.Registered, s.wait(0.5), s.wait(1), r.Load.Unanswered, r.Load.Unregistered, r.Load.Launches, s.rounds)
	if s.submitted != nil {
		fmt.Fprintf(out, "  cluster     %d drivers submitted, %s\n", r.Load.Submitted, s.submitted.summary())
	}
	if s.readers != nil {
		fmt.Fprintf(out, "  reads       %d linearizable, %d without an answer; digests compared %d times\n", r.Load.AppReads+r.Load.ExecReads, s.readers.failed, s.readers.compare)
	}
	fmt.Fprintf(out, "  histories   %v\n", r.Verdict)
	for i, p := range r.Problems {
		if i == 20 {
			fmt.Fprintf(out, "  ... and %d more\n", len(r.Problems)-i)
			break
		}
		fmt.Fprintf(out, "  PROBLEM     %s\n", p)
	}
	if len(r.Problems) > 0 {
		fmt.Fprintf(out, "\n  FAIL  seed %d; logs in %s\n  again: %s\n", r.Seed, r.Dir, s.replay())
		return fmt.Errorf("%w: %d problems, the first: %s", ErrFailed, len(r.Problems), r.Problems[0])
	}
	fmt.Fprintf(out, "\n  PASS  seed %d\n  again: %s\n", r.Seed, s.replay())
	return nil
}

// wait is a quantile of the drivers' waits for their answer.
func (s *storm) wait(q float64) time.Duration {
	if s.crowd == nil || len(s.crowd.waits) == 0 {
		return 0
	}
	slices.Sort(s.crowd.waits)
	return s.crowd.waits[int(q*float64(len(s.crowd.waits)-1))].Round(time.Millisecond)
}

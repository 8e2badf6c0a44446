package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/load"
	"github.com/firesteel/firesteel/chaos/original"
	"github.com/firesteel/firesteel/chaos/proc"
)

// submitted is one measurement of drivers that are submitted.
type submitted struct {
	subject string
	load.SubmitResult
	masters time.Duration // CPU of all of them, and of ZooKeeper, while it was measured
	leader  int           // which master led; -1 where there is one only
}

// How many submissions are on their way at a time, and after how many it is enough: those that wait are in every pass.
const (
	submitAtOnce = 64
	submitWarm   = 5_000
	submitMost   = 20_000
)

func (b *Bench) submitConfig() load.SubmitConfig {
	return load.SubmitConfig{
		Scala: b.scala(), Version: b.Release.Version, InFlight: submitAtOnce,
		Warm: b.Measure, Measure: b.Measure, WarmMost: submitWarm, Most: submitMost,
	}
}

// submitOurs measures three masters with fsync on.
func (b *Bench) submitOurs(ctx context.Context, what string, c load.SubmitConfig) (out submitted, err error) {
	out.subject = "Firesteel, three masters, " + what
	err = b.withCluster(ctx, cluster.Config{}, func(cl *cluster.Cluster) error {
		for _, m := range cl.Masters {
			c.REST, c.Masters = append(c.REST, m.REST()), append(c.Masters, m.Spark())
		}
		lead, err := cl.WaitLeader(ctx, 0)
		if err != nil {
			return err
		}
		out.leader = slices.Index(cl.Masters, lead.Master)
		return b.submit(ctx, &out, c, cl.Processes())
	})
	return out, err
}

// submitOriginal measures one Master of Spark's, the one that is ALIVE.
func (b *Bench) submitOriginal(ctx context.Context, keeps persistence, what string, c load.SubmitConfig) (out submitted, err error) {
	out.subject, out.leader = fmt.Sprintf("%s, one master, %s, %s", b.Release, keeps.name, what), -1
	o := keeps.config
	o.REST = true
	err = b.withOriginal(ctx, o, func(cl *original.Cluster) error {
		m, _, err := cl.Leader(ctx)
		if err != nil {
			return err
		}
		c.REST, c.Masters = []string{m.REST()}, []string{m.Spark()}
		processes := cl.Processes()
		if cl.ZooKeeper != nil {
			processes = append(processes, cl.ZooKeeper.Process())
		}
		return b.submit(ctx, &out, c, processes)
	})
	return out, err
}

// persistence is where the original's Master keeps its state.
type persistence struct {
	name   string
	config original.Config
}

var (
	keptNowhere     = persistence{name: "nothing kept"}
	keptInFiles     = persistence{"kept in files", original.Config{Recover: true}}
	keptInZooKeeper = persistence{"kept in ZooKeeper, and a standby", original.Config{Standby: true}}
	persistent      = []persistence{keptNowhere, keptInFiles, keptInZooKeeper}
)

func (b *Bench) submit(ctx context.Context, out *submitted, c load.SubmitConfig, masters []*proc.Process) (err error) {
	var before time.Duration
	c.Began = func() { before = cpuOf(masters) }
	c.Ended = func() { out.masters = cpuOf(masters) - before }
	if out.SubmitResult, err = load.Submit(ctx, c); err != nil {
		return err
	}
	b.Say("    %s: %s/s, %d failed", out.subject, number(out.Rate()), out.Failed)
	if out.Drivers == 0 {
		return fmt.Errorf("no driver was submitted while it was measured, %d failed: %w", out.Failed, cmp.Or(out.First, errors.New("give it longer (-measure)")))
	}
	return nil
}

// lines are the rate, what it costs, and how long a client waits.
func (s submitted) lines(goal float64) []Line {
	rate := Least(s.subject, "drivers_per_s", "drivers/s", s.Rate(), goal, s.Drivers)
	rate.Values["failed"], rate.Values["before"] = float64(s.Failed), float64(s.Before)
	rate.Figure += fmt.Sprintf(" (%d failed)", s.Failed)
	if goal > 0 {
		rate.Verdict = verdict(s.Rate() >= goal && s.Failed == 0)
	}
	cpu := Line{Subject: s.subject + ", CPU per driver", Runs: s.Drivers, Values: map[string]float64{
		"masters_ms": s.perDriver(s.masters), "client_ms": s.perDriver(s.ClientCPU),
	}}
	cpu.Figure = fmt.Sprintf("masters %.2f ms, client %.2f ms", cpu.Values["masters_ms"], cpu.Values["client_ms"])
	return append([]Line{rate, cpu}, s.latencies()...)
}

func (s submitted) perDriver(d time.Duration) float64 {
	if s.Drivers == 0 {
		return 0
	}
	return ms(d) / float64(s.Drivers)
}

// latencies are of all answers and, where there is more than one master, of the leader's and the others' apart.
func (s submitted) latencies() []Line {
	lines := []Line{percentiles(s.subject+", create -> answered with an id", s.All())}
	if s.leader >= 0 && len(s.Latency) > 1 {
		var followers Samples
		for i, l := range s.Latency {
			if i != s.leader {
				followers = append(followers, l...)
			}
		}
		lines = append(lines, percentiles("    answered by the leader", s.Latency[s.leader]), percentiles("    answered by a follower", followers))
	}
	if len(s.Launch) > 0 {
		lines = append(lines, percentiles(s.subject+", create -> launched at its worker", s.Launch))
	}
	return lines
}

// percentiles is a line of so many samples that they are not kept.
func percentiles(subject string, s Samples) Line {
	l := s.Line(subject, Bounds{})
	l.Samples = nil
	return l
}

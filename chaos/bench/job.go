package bench

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/original"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

const jobWorkers = 2

// jobLimit is far more than any of the jobs takes, the original's at a kill included.
const jobLimit = 3 * time.Minute

// jobs are calm ones and ones that were submitted at the instant of a kill of the leader.
type jobs struct{ calm, killed Samples }

// longer is by how much the median of the killed ones is longer.
func (j jobs) longer() time.Duration { return j.killed.Median() - j.calm.Median() }

func (j jobs) lines(subject string, goal time.Duration) []Line {
	if len(j.calm) == 0 || len(j.killed) == 0 {
		return []Line{j.calm.Line(subject+", calm", Bounds{}), j.killed.Line(subject+", at the kill", Bounds{})}
	}
	difference := Most(subject+", longer by (medians)", "longer_ms", "ms", ms(j.longer()), ms(goal), len(j.killed))
	return []Line{j.calm.Line(subject+", calm", Bounds{}), j.killed.Line(subject+", at the kill", Bounds{}), difference}
}

// runJob submits a small job and waits for its right result; kill comes in the instant of the submission.
func (b *Bench) runJob(ctx context.Context, run *proc.Run, url string, kill func() error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, jobLimit)
	defer cancel()
	began := time.Now()
	if err := kill(); err != nil {
		return 0, err
	}
	j, err := spark.Start(run, spark.JobConfig{
		Release: b.Release, Program: "pi", Master: url, Conf: map[string]string{"spark.cores.max": "2"},
	})
	if err != nil {
		return 0, err
	}
	defer j.Close()
	line, err := j.WaitResult(ctx)
	if err != nil {
		return 0, err
	}
	b.Say("    a job took %s ms: %s", millis(line.At.Sub(began)), stages(j, began))
	return line.At.Sub(began), nil
}

// stages tells where a job's time went, by its driver's log.
func stages(j *spark.Job, began time.Time) string {
	var all []string
	for _, stage := range []struct {
		name string
		line *regexp.Regexp
	}{{"asking masters", spark.Connecting}, {"registered", spark.Connected}, {"first executor", spark.ExecutorRegistered}} {
		if found := j.Find(stage.line); len(found) > 0 {
			all = append(all, stage.name+" at "+millis(found[0].At.Sub(began)))
		}
	}
	return strings.Join(all, ", ")
}

func calm() error { return nil }

// oursJobs runs calm jobs and ones at a kill in turns, so that whatever else the machine does falls on both. Which of a
// pair comes first changes from pair to pair.
func (b *Bench) oursJobs(ctx context.Context) (j jobs, err error) {
	cfg := cluster.Config{Workers: jobWorkers, Homes: []spark.Release{b.Release}}
	err = b.withCluster(ctx, cfg, func(c *cluster.Cluster) error {
		if _, err := b.runJob(ctx, c.Run, c.URL(), calm); err != nil { // files and caches are warm for all that count
			return err
		}
		for i := range 2 * b.Jobs {
			var err error
			if i%4 == 0 || i%4 == 3 {
				err = b.job(ctx, c, &j.calm, false)
			} else {
				err = b.job(ctx, c, &j.killed, true)
			}
			if err != nil {
				return fmt.Errorf("job %d: %w", i+1, err)
			}
		}
		return nil
	})
	return j, err
}

func (b *Bench) job(ctx context.Context, c *cluster.Cluster, into *Samples, kill bool) error {
	v, err := c.WaitWhole(ctx)
	if err != nil {
		return err
	}
	act := calm
	if kill {
		b.Say("    the leader is killed as the next one is submitted")
		act = func() error { return killed.do(v.Master) }
	}
	took, err := b.runJob(ctx, c.Run, c.URL(), act)
	if err != nil {
		return err
	}
	*into = append(*into, took)
	if kill {
		return killed.undo(v.Master)
	}
	return nil
}

// originalJobs does the same with the original, a standby and ZooKeeper.
func (b *Bench) originalJobs(ctx context.Context) (j jobs, err error) {
	err = b.withOriginal(ctx, original.Config{Standby: true, Workers: jobWorkers}, func(c *original.Cluster) error {
		if _, err := b.runJob(ctx, c.Run, c.URL(), calm); err != nil {
			return err
		}
		for range b.Originals {
			if err := c.WaitWhole(ctx); err != nil {
				return err
			}
			took, err := b.runJob(ctx, c.Run, c.URL(), calm)
			if err != nil {
				return err
			}
			j.calm = append(j.calm, took)
			b.Say("    the original's leader is killed as the next one is submitted")
			var dead *original.Master
			took, err = b.runJob(ctx, c.Run, c.URL(), func() error { var err error; dead, _, err = killOriginal(ctx, c); return err })
			if err != nil {
				return err
			}
			j.killed = append(j.killed, took)
			if err := dead.Start(); err != nil {
				return err
			}
		}
		return nil
	})
	return j, err
}

func jobRow(ctx context.Context, b *Bench) ([]Line, error) {
	j, err := b.oursJobs(ctx)
	lines := j.lines(ours, 500*time.Millisecond)
	if !b.Original {
		return lines, err
	}
	beside, err2 := b.originalJobs(ctx)
	return append(lines, beside.lines(b.Release.String()+", ZooKeeper and a standby", 0)...), errors.Join(err, err2)
}

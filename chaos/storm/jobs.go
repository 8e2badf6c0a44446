package storm

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/history"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// jobs are real Spark jobs: one that goes on for the whole run for each release, and others in place of those whose driver
// is killed.
type jobs struct {
	run      *proc.Run
	cluster  *cluster.Cluster
	rec      *history.Recorder
	releases []spark.Release
	driverIP string

	mu      sync.Mutex
	running []*spark.Job
	killed  []*spark.Job
	started int
}

// patience are settings of a job that has to bear what it will see: the faults are ours, and so is the judgement.
func (j *jobs) patience() map[string]string {
	return map[string]string{
		"spark.cores.max":                             "2",
		"spark.executor.cores":                        "1",
		"spark.task.maxFailures":                      "1000",
		"spark.stage.maxConsecutiveAttempts":          "1000",
		"spark.driver.host":                           j.driverIP,
		"spark.driver.bindAddress":                    j.driverIP,
		"spark.network.timeout":                       "60s", // 120: an executor that was cut off is given up while the run lasts
		"spark.network.timeoutInterval":               "10s",
		"spark.executor.heartbeatInterval":            "5s",
		"spark.shuffle.io.maxRetries":                 "1",
		"spark.shuffle.io.retryWait":                  "1s",
		"spark.rpc.askTimeout":                        "20s",
		"spark.shuffle.io.connectionTimeout":          "10s",
		"spark.files.fetchTimeout":                    "10s",
		"spark.scheduler.minRegisteredResourcesRatio": "0",
	}
}

func (j *jobs) start(r spark.Release) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.started++
	job, err := spark.Start(j.run, spark.JobConfig{
		Release: r, Program: "rounds", Args: []string{"until"}, Name: fmt.Sprintf("job-%d-%s", j.started, r.Version),
		Master: j.cluster.URL(), Conf: j.patience(),
	})
	if err != nil {
		return err
	}
	j.rec.Register(job.Name)
	j.running = append(j.running, job)
	return nil
}

// pick gives a job that runs.
func (j *jobs) pick(n int) (*spark.Job, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.running) == 0 {
		return nil, false
	}
	return j.running[n%len(j.running)], true
}

// kill kills a driver and starts another job of its release.
func (j *jobs) kill(job *spark.Job) error {
	j.rec.Leave(job.Name)
	if err := job.KillHard(); err != nil {
		return err
	}
	j.mu.Lock()
	for i, o := range j.running {
		if o == job {
			j.running = append(j.running[:i:i], j.running[i+1:]...)
			break
		}
	}
	j.killed = append(j.killed, job)
	j.mu.Unlock()
	return j.start(job.Release)
}

// finish tells the jobs to end and waits for their results.
func (j *jobs) finish(ctx context.Context) (rounds int, err error) {
	var errs []error
	for _, job := range j.running {
		j.rec.Unregister(job.Name)
		j.rec.Leave(job.Name)
		job.Tell("stop")
	}
	for _, job := range j.running {
		line, err := job.WaitResult(ctx)
		errs = append(errs, err)
		if m := roundsDone.FindStringSubmatch(line.Text); m != nil {
			n, _ := strconv.Atoi(m[1]) // digits
			rounds += n
		}
	}
	return rounds, errors.Join(errs...)
}

var roundsDone = regexp.MustCompile(`rounds=(\d+)`)

func (j *jobs) close() error {
	var errs []error
	for _, job := range append(j.running, j.killed...) {
		errs = append(errs, job.Close())
	}
	return errors.Join(errs...)
}

var (
	// startedLine is what a Go worker logs of an executor that it starts.
	startedLine = regexp.MustCompile(`msg="executor started" executor=(\S+)/(\d+)`)
	// updatedLine is a state that a driver was told; groups are application, executor, state.
	updatedLine = regexp.MustCompile(`Executor updated: (\S+)/(\d+) is now ([A-Z]+)`)
	addedLine   = regexp.MustCompile(`Executor added: (\S+)/(\d+) on (\S+) \(`)
)

// logLag bounds how long before we read a line it may have been written, on a machine that is busy.
const logLag = 20 * time.Second

// remember puts what the logs of workers and drivers tell into the history, and gives how many starts of executors that were.
func (j *jobs) remember(workers []*cluster.Worker) (launched int) {
	lagging := func(at time.Time) history.Slack {
		to := j.rec.At(at)
		return history.Slack{From: max(0, to-history.Time(logLag)), To: to}
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n } // digits, by the expressions
	for _, w := range workers {
		for _, p := range j.run.Started(w.Name) {
			for _, l := range p.Find(startedLine) {
				j.rec.Launched(l.Match[1], number(l.Match[2]), w.ID, lagging(l.At))
				launched++
			}
		}
	}
	for _, job := range append(j.running, j.killed...) {
		for _, l := range job.Find(spark.Connected) {
			j.rec.AnsweredAt(job.Name, l.Match[1], j.rec.At(l.At))
		}
		for _, l := range job.Find(addedLine) {
			j.rec.Told(l.Match[1], number(l.Match[2]), l.Match[3], lagging(l.At))
		}
		for _, l := range job.Find(updatedLine) {
			if l.Match[3] == "RUNNING" {
				j.rec.Running(l.Match[1], number(l.Match[2]), lagging(l.At))
			}
		}
	}
	return launched
}

package spark

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/chaos/proc"
)

//go:embed jobs/*.py
var jobFiles embed.FS

// JobConfig says what job to run and how.
type JobConfig struct {
	Release Release
	// Program is one of the files in jobs/, without .py.
	Program string
	Args    []string
	// Master is the URL, spark://host:port[,host:port...].
	Master string
	// Name is the application's name and the log's; "" is made of program and release.
	Name string
	// Conf are settings; they win over the small ones that every job gets.
	Conf map[string]string
	// Python starts the job as `python program.py`, as a pyspark user would, and not by spark-submit.
	Python bool
}

// Job is a driver that was started.
type Job struct {
	*proc.Process
	Name    string
	Release Release

	control *net.TCPListener
	mu      sync.Mutex
	pending []string
	conn    net.Conn
}

// Lines of drivers that experiments wait for. What the driver logs is Spark's text, the same in 3.4 to 4.3.
var (
	// Result is the last word of every job in jobs/.
	Result = regexp.MustCompile(`^RESULT (ok|wrong)\b(.*)`)
	// Round is one round of the job rounds.
	Round = regexp.MustCompile(`^ROUND (\d+) ok`)
	// Connecting: the driver asks its masters to take its application (StandaloneAppClient).
	Connecting = regexp.MustCompile(`StandaloneAppClient\$ClientEndpoint: Connecting to master (\S+?)\.\.\.`)
	// Connected: a master has taken the application; the group is its id (StandaloneSchedulerBackend).
	Connected = regexp.MustCompile(`Connected to Spark cluster with app ID (\S+)`)
	// ExecutorAdded: a master gave the application an executor; groups are its id, worker, host:port and cores.
	ExecutorAdded = regexp.MustCompile(`Executor added: (\S+) on (\S+) \((\S+)\) with (\d+) core`)
	// ExecutorUpdated: groups are the executor and its new state.
	ExecutorUpdated = regexp.MustCompile(`Executor updated: (\S+) is now ([A-Z]+)`)
	// ExecutorRunning is ExecutorUpdated for RUNNING.
	ExecutorRunning = regexp.MustCompile(`Executor updated: (\S+) is now RUNNING`)
	// ExecutorRegistered: the executor's process has reached its driver.
	ExecutorRegistered = regexp.MustCompile(`Registered executor .* with ID (\d+)`)
	// MasterChanged: another master has told the driver that it leads now; the group is its URL.
	MasterChanged = regexp.MustCompile(`Master has changed, new master is at (\S+)`)
	// Removed: the master has given the application up.
	Removed = regexp.MustCompile(`Master removed our application: ([A-Z]+)`)
)

// Start starts a job as a process of the run.
func Start(run *proc.Run, c JobConfig) (*Job, error) {
	if c.Name == "" {
		c.Name = c.Program + "-" + c.Release.Version
	}
	program, err := program(run, c.Program)
	if err != nil {
		return nil, err
	}
	env, err := Environment(run.Dir)
	if err != nil {
		return nil, err
	}
	j := &Job{Name: c.Name, Release: c.Release}
	if j.control, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return nil, fmt.Errorf("start job %s: %w", c.Name, err)
	}
	go j.serve()
	env = append(env, c.Release.Env()...)
	env = append(env, "FIRESTEEL_JOB_CONTROL="+j.control.Addr().String())
	pc := proc.Config{Name: "job-" + c.Name, Path: filepath.Join(c.Release.Home, "bin", "spark-submit"), Env: env}
	submit := c.submitArgs(run.Dir)
	if c.Python {
		pc.Path, pc.Args = c.Release.Python, append([]string{program}, c.Args...)
		pc.Env = append(pc.Env, "PYSPARK_SUBMIT_ARGS="+quoteAll(submit)+" pyspark-shell")
	} else {
		pc.Args = append(append(submit, program), c.Args...)
	}
	if j.Process, err = run.Start(pc); err != nil {
		j.control.Close()
		return nil, err
	}
	go func() { <-j.Done(); j.close() }()
	return j, nil
}

// submitArgs are the options of spark-submit. A job is small: the machine that tests has two cores. What it writes goes under dir.
func (c JobConfig) submitArgs(dir string) []string {
	conf := map[string]string{
		"spark.executor.memory":        "512m",
		"spark.ui.enabled":             "false",
		"spark.ui.showConsoleProgress": "false",
		"spark.driver.host":            "127.0.0.1",
		"spark.driver.bindAddress":     "127.0.0.1",
		"spark.default.parallelism":    "4",
		"spark.sql.shuffle.partitions": "4",
		"spark.python.worker.reuse":    "true",
		"spark.sql.warehouse.dir":      filepath.Join(dir, "warehouse"),
	}
	maps.Copy(conf, c.Conf)
	args := []string{"--master", c.Master, "--name", c.Name, "--driver-memory", "512m"}
	for _, key := range slices.Sorted(maps.Keys(conf)) {
		args = append(args, "--conf", key+"="+conf[key])
	}
	return args
}

// quoteAll quotes for PYSPARK_SUBMIT_ARGS, which pyspark splits as a shell would.
func quoteAll(args []string) string {
	var q []string
	for _, a := range args {
		q = append(q, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	return strings.Join(q, " ")
}

// program puts the embedded programs into the run's directory and gives the path of one.
func program(run *proc.Run, name string) (string, error) {
	dir := filepath.Join(run.Dir, "jobs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("write the jobs: %w", err)
	}
	entries, err := fs.ReadDir(jobFiles, "jobs")
	if err != nil {
		return "", fmt.Errorf("write the jobs: %w", err)
	}
	found := false
	for _, e := range entries {
		data, err := jobFiles.ReadFile("jobs/" + e.Name())
		if err != nil {
			return "", fmt.Errorf("write the jobs: %w", err)
		}
		path := filepath.Join(dir, e.Name())
		if _, err := os.Stat(path); err == nil { // an earlier job's, which may be reading it just now
			found = found || e.Name() == name+".py"
			continue
		}
		if err := writeAtOnce(path, data); err != nil {
			return "", fmt.Errorf("write the jobs: %w", err)
		}
		found = found || e.Name() == name+".py"
	}
	if !found {
		return "", fmt.Errorf("there is no job program %q in jobs/", name)
	}
	return filepath.Join(dir, name+".py"), nil
}

// writeAtOnce lets no reader see half a file.
func writeAtOnce(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if closing := tmp.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	return err
}

// serve accepts the job's control connection and hands it what was told before it came.
func (j *Job) serve() {
	conn, err := j.control.Accept()
	if err != nil {
		return // closed
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.conn = conn
	for _, line := range j.pending {
		_, _ = fmt.Fprintln(conn, line) // a job that has ended shows by its result
	}
	j.pending = nil
}

func (j *Job) close() {
	j.control.Close()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.conn != nil {
		j.conn.Close()
	}
}

// Tell sends the job a line, as soon as it listens.
func (j *Job) Tell(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.conn == nil {
		j.pending = append(j.pending, line)
		return
	}
	_, _ = fmt.Fprintln(j.conn, line) // a job that has ended shows by its result
}

// AppID waits until a master has taken the application, and gives its id.
func (j *Job) AppID(ctx context.Context) (string, error) {
	line, err := j.WaitFor(ctx, Connected)
	if err != nil {
		return "", err
	}
	return line.Match[1], nil
}

// ErrWrong says that a job ended otherwise than with a right result and exit code 0.
var ErrWrong = errors.New("the job went wrong")

// WaitResult waits for the end of the job and gives its RESULT line, which says ok.
func (j *Job) WaitResult(ctx context.Context) (proc.Line, error) {
	line, err := j.WaitFor(ctx, Result)
	if err != nil && !errors.Is(err, proc.ErrEnded) {
		return line, err
	}
	code, werr := j.Wait(ctx)
	if werr != nil {
		return line, werr
	}
	if err != nil || code != 0 || line.Match[1] != "ok" {
		return line, fmt.Errorf("job %s: %w: exit code %d, result %q; its log %s ends with\n%s", j.Name, ErrWrong, code, line.Text, j.LogPath, j.Tail(30))
	}
	return line, nil
}

// KillHard kills the driver and its Python at once, as a machine does that loses power.
func (j *Job) KillHard() error { return j.SignalGroup(syscall.SIGKILL) }

// Close ends the job if it runs: asked first, killed after a while.
func (j *Job) Close() error {
	if !j.Running() {
		return nil
	}
	if err := j.SignalGroup(syscall.SIGTERM); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := j.Wait(ctx); err == nil {
		return nil
	}
	if err := j.KillHard(); err != nil {
		return err
	}
	<-j.Done()
	return nil
}

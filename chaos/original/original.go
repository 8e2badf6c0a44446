package original

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// Config says what to run.
type Config struct {
	Run     *proc.Run
	Release spark.Release
	Workers int
	// Cores and Memory (MiB) of each worker; 0 is 2 and 4096.
	Cores, Memory int
	// Recover keeps the master's state in files (spark.deploy.recoveryMode=FILESYSTEM), so that it can be restarted.
	Recover bool
}

// Cluster is Spark's Master with its Workers.
type Cluster struct {
	Run     *proc.Run
	Master  *proc.Member
	Workers []*proc.Member

	port, web int
}

// New lays the cluster out and starts nothing.
func New(c Config) (*Cluster, error) {
	if c.Cores == 0 {
		c.Cores = 2
	}
	if c.Memory == 0 {
		c.Memory = 4096
	}
	ports, err := proc.Ports(2 + 2*c.Workers)
	if err != nil {
		return nil, err
	}
	env, err := spark.Environment(c.Run.Dir)
	if err != nil {
		return nil, err
	}
	env = append(env, c.Release.Env()...)
	env = append(env, "SPARK_DAEMON_MEMORY=512m")
	if c.Recover {
		env = append(env, "SPARK_DAEMON_JAVA_OPTS=-Dspark.deploy.recoveryMode=FILESYSTEM -Dspark.deploy.recoveryDirectory="+filepath.Join(c.Run.Dir, "recovery"))
	}
	cl := &Cluster{Run: c.Run, port: ports[0], web: ports[1]}
	class := filepath.Join(c.Release.Home, "bin", "spark-class")
	cl.Master = c.Run.NewMember(proc.Config{Name: "master-" + c.Release.Version, Path: class, Env: env, Args: []string{
		"org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", strconv.Itoa(cl.port), "--webui-port", strconv.Itoa(cl.web)}})
	for i := range c.Workers {
		name := fmt.Sprintf("worker%d-%s", i+1, c.Release.Version)
		cl.Workers = append(cl.Workers, c.Run.NewMember(proc.Config{Name: name, Path: class, Env: env, Args: []string{
			"org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--port", strconv.Itoa(ports[2+2*i]), "--webui-port", strconv.Itoa(ports[3+2*i]),
			"-c", strconv.Itoa(c.Cores), "-m", strconv.Itoa(c.Memory) + "m", "-d", filepath.Join(c.Run.Dir, "work", name), cl.URL()}}))
	}
	return cl, nil
}

// URL is what drivers are given.
func (c *Cluster) URL() string { return "spark://127.0.0.1:" + strconv.Itoa(c.port) }

// Web is http://host:port of the master's web UI.
func (c *Cluster) Web() string { return "http://127.0.0.1:" + strconv.Itoa(c.web) }

// Start starts what does not run.
func (c *Cluster) Start() error {
	for _, m := range append([]*proc.Member{c.Master}, c.Workers...) {
		if err := m.Start(); err != nil {
			return err
		}
	}
	return nil
}

// WaitWhole waits until the master is ALIVE and has all its workers.
func (c *Cluster) WaitWhole(ctx context.Context) error {
	_, err := c.WaitBooks(ctx, fmt.Sprintf("the original's %d workers", len(c.Workers)), func(b books.Books) error {
		if b.Status != "ALIVE" || b.AliveWorkers != len(c.Workers) {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	return err
}

// WaitBooks waits until the master's books are as want (nil) says.
func (c *Cluster) WaitBooks(ctx context.Context, what string, want func(books.Books) error) (books.Books, error) {
	var b books.Books
	err := books.Poll(ctx, what, func(ctx context.Context) error {
		if p := c.Master.Process(); p != nil && !p.Running() {
			return fmt.Errorf("%w: the master has ended; its log ends with\n%s", books.ErrHopeless, p.Tail(10))
		}
		var err error
		if b, err = books.Read(ctx, c.Web()); err != nil {
			return err
		}
		if err := want(b); err != nil {
			return fmt.Errorf("%w: %v", err, b)
		}
		return nil
	})
	return b, err
}

// Processes are those of the cluster that are alive.
func (c *Cluster) Processes() []*proc.Process {
	var all []*proc.Process
	for _, m := range append([]*proc.Member{c.Master}, c.Workers...) {
		if m.Running() {
			all = append(all, m.Process())
		}
	}
	return all
}

// Close ends everything at once.
func (c *Cluster) Close() { c.Run.Sweep() }

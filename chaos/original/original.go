package original

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

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
	// Standby runs a second master, and a ZooKeeper, whose jars are in the package, that both keep their state in and
	// that elects one of them.
	Standby bool
	// REST lets masters serve REST submissions (spark.master.rest.enabled).
	REST bool
	// Properties are spark.* settings of masters and workers.
	Properties map[string]string
}

// Master is one of Spark's masters.
type Master struct {
	*proc.Member
	port, web, rest int
}

// REST is http://host:port of its REST server, where Config.REST has it serve one.
func (m *Master) REST() string { return "http://" + addr(m.rest) }

// Spark is its host:port for drivers.
func (m *Master) Spark() string { return addr(m.port) }

// Web is http://host:port of its web UI.
func (m *Master) Web() string { return "http://" + addr(m.web) }

func addr(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// Cluster is Spark's Master with its Workers.
type Cluster struct {
	Run       *proc.Run
	Master    *Master      // the first
	Masters   []*Master    // one, or two with Standby
	ZooKeeper *proc.Member // nil without Standby
	Workers   []*proc.Member

	zkAddr string
}

// New lays the cluster out and starts nothing.
func New(c Config) (*Cluster, error) {
	if c.Cores == 0 {
		c.Cores = 2
	}
	if c.Memory == 0 {
		c.Memory = 4096
	}
	env, err := spark.Environment(c.Run.Dir)
	if err != nil {
		return nil, err
	}
	masters := 1
	if c.Standby {
		masters = 2
	}
	ports, err := proc.Ports(1 + 3*masters + 2*c.Workers)
	if err != nil {
		return nil, err
	}
	cl := &Cluster{Run: c.Run, zkAddr: addr(ports[0])}
	if c.Standby {
		if cl.ZooKeeper, err = c.zooKeeper(env, ports[0]); err != nil {
			return nil, err
		}
	}
	env = append(append(env, c.Release.Env()...), "SPARK_DAEMON_MEMORY=512m")
	if opts := c.javaOpts(ports[0]); len(opts) > 0 {
		env = append(env, "SPARK_DAEMON_JAVA_OPTS="+strings.Join(opts, " "))
	}
	ports = ports[1:]
	for i := range masters {
		cl.Masters = append(cl.Masters, c.master(env, i, ports[3*i], ports[3*i+1], ports[3*i+2]))
	}
	cl.Master, ports = cl.Masters[0], ports[3*masters:]
	for i := range c.Workers {
		cl.Workers = append(cl.Workers, c.worker(env, cl.URL(), i, ports[2*i], ports[2*i+1]))
	}
	return cl, nil
}

func (c Config) javaOpts(zooKeeper int) []string {
	var opts []string
	switch {
	case c.Standby:
		opts = []string{"-Dspark.deploy.recoveryMode=ZOOKEEPER", "-Dspark.deploy.zookeeper.url=" + addr(zooKeeper)}
	case c.Recover:
		opts = []string{"-Dspark.deploy.recoveryMode=FILESYSTEM", "-Dspark.deploy.recoveryDirectory=" + filepath.Join(c.Run.Dir, "recovery")}
	}
	for k, v := range c.Properties {
		opts = append(opts, "-D"+k+"="+v)
	}
	return opts
}

func (c Config) class(name string, env []string, args ...string) *proc.Member {
	return c.Run.NewMember(proc.Config{Name: name, Path: filepath.Join(c.Release.Home, "bin", "spark-class"), Env: env, Args: args})
}

func (c Config) master(env []string, i, port, web, rest int) *Master {
	if c.REST {
		env = append(slices.Clone(env), fmt.Sprintf("SPARK_MASTER_OPTS=-Dspark.master.rest.enabled=true -Dspark.master.rest.port=%d", rest))
	}
	name := "master-" + c.Release.Version
	if i > 0 {
		name = "standby-" + c.Release.Version
	}
	return &Master{port: port, web: web, rest: rest, Member: c.class(name, env, "org.apache.spark.deploy.master.Master",
		"--host", "127.0.0.1", "--port", strconv.Itoa(port), "--webui-port", strconv.Itoa(web))}
}

func (c Config) worker(env []string, masters string, i, port, web int) *proc.Member {
	name := fmt.Sprintf("worker%d-%s", i+1, c.Release.Version)
	return c.class(name, env, "org.apache.spark.deploy.worker.Worker",
		"--host", "127.0.0.1", "--port", strconv.Itoa(port), "--webui-port", strconv.Itoa(web),
		"-c", strconv.Itoa(c.Cores), "-m", strconv.Itoa(c.Memory)+"m", "-d", filepath.Join(c.Run.Dir, "work", name), masters)
}

// URL is what drivers are given: spark:// and all masters.
func (c *Cluster) URL() string {
	var all []string
	for _, m := range c.Masters {
		all = append(all, m.Spark())
	}
	return "spark://" + strings.Join(all, ",")
}

// Web is http://host:port of the first master's web UI.
func (c *Cluster) Web() string { return c.Master.Web() }

// Start starts what does not run. It waits for ZooKeeper to answer before it starts masters, which would give up.
func (c *Cluster) Start() error {
	if err := c.startZooKeeper(); err != nil {
		return err
	}
	for _, m := range c.members() {
		if err := m.Start(); err != nil {
			return err
		}
	}
	return nil
}

// members are the masters and workers, masters first.
func (c *Cluster) members() []*proc.Member {
	var all []*proc.Member
	for _, m := range c.Masters {
		all = append(all, m.Member)
	}
	return append(all, c.Workers...)
}

// WaitWhole waits until a master is ALIVE and has all the workers, and the other one, if there is one, is STANDBY.
func (c *Cluster) WaitWhole(ctx context.Context) error {
	_, err := c.WaitBooks(ctx, fmt.Sprintf("the original's %d workers", len(c.Workers)), func(b books.Books) error {
		if b.AliveWorkers != len(c.Workers) {
			return errors.New("not yet")
		}
		return nil
	})
	for _, m := range c.Masters {
		if err == nil {
			err = books.Poll(ctx, "the original's masters", func(ctx context.Context) error { _, err := books.Read(ctx, m.Web()); return err })
		}
	}
	return err
}

// Leader is the master that says that it is ALIVE, and its books.
func (c *Cluster) Leader(ctx context.Context) (*Master, books.Books, error) {
	errs := []error{errors.New("no master is ALIVE")}
	for _, m := range c.Masters {
		p := m.Process()
		if p == nil || !m.Answering() {
			continue
		}
		b, err := books.Read(ctx, m.Web())
		if err == nil && b.Status == "ALIVE" {
			return m, b, nil
		}
		errs = append(errs, err)
	}
	return nil, books.Books{}, errors.Join(errs...)
}

// WaitBooks waits until the books of the master that is ALIVE are as want (nil) says.
func (c *Cluster) WaitBooks(ctx context.Context, what string, want func(books.Books) error) (books.Books, error) {
	var b books.Books
	err := books.Poll(ctx, what, func(ctx context.Context) error {
		for _, m := range c.Masters {
			if p := m.Process(); p != nil && !p.Running() && !m.WasKilled() {
				return fmt.Errorf("%w: a master has ended; its log ends with\n%s", books.ErrHopeless, p.Tail(10))
			}
		}
		var err error
		if _, b, err = c.Leader(ctx); err != nil {
			return err
		}
		if err := want(b); err != nil {
			return fmt.Errorf("%w: %v", err, b)
		}
		return nil
	})
	return b, err
}

// Processes are the masters and workers that are alive; ZooKeeper is not among them.
func (c *Cluster) Processes() []*proc.Process {
	var all []*proc.Process
	for _, m := range c.members() {
		if m.Running() {
			all = append(all, m.Process())
		}
	}
	return all
}

// Close ends everything at once.
func (c *Cluster) Close() { c.Run.Sweep() }

package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firesteel/firesteel/chaos/netns"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// Config says what cluster to run.
type Config struct {
	// Binary is clusterd.
	Binary string
	// Run owns the processes.
	Run *proc.Run
	// Masters and Workers are how many; 0 masters are 3.
	Masters, Workers int
	// MasterArgs are further arguments of every master, such as --join of another cluster.
	MasterArgs []string
	// MasterPrefix begins the masters' ids; empty is m.
	MasterPrefix string
	// Homes are the Spark releases that every worker runs.
	Homes []spark.Release
	// Cores and Memory (MiB) of each worker; 0 is 2 and 4096.
	Cores, Memory int
	// WorkerHosts are what the workers announce, where Net is nil; the address of loopback where there are fewer.
	WorkerHosts []string
	// Properties are spark.* settings of masters and workers.
	Properties map[string]string
	// Net gives every master and worker a host of its own, named by its id; nil puts all of them on loopback. Drivers then
	// must run where all hosts are reached, such as the outside of the Net, and announce its address.
	Net *netns.Net
	// Outlive lets the cluster live on when we are gone.
	Outlive bool
}

// Cluster is a running cluster.
type Cluster struct {
	Run     *proc.Run
	Masters []*Master
	Workers []*Worker

	newMaster func(m *Master) *proc.Member
	net       *netns.Net
}

// Master is one master: its process, and where it listens for as long as the cluster lives.
type Master struct {
	*proc.Member
	ID                           string
	host                         host
	port, rest, web, rpc, gossip int
}

// Spark is its host:port for drivers.
func (m *Master) Spark() string { return m.host.addr(m.port) }

// Host is its host on the cluster's Net; nil on loopback.
func (m *Master) Host() *netns.Host { return m.host.host }

// URL is what a driver is given to use this master alone.
func (m *Master) URL() string { return "spark://" + m.Spark() }

// Web is http://host:port of its web UI.
func (m *Master) Web() string { return "http://" + m.host.addr(m.web) }

// REST is http://host:port of its REST server.
func (m *Master) REST() string { return "http://" + m.host.addr(m.rest) }

// RPC is host:port of its gRPC.
func (m *Master) RPC() string { return m.host.addr(m.rpc) }

// Gossip is host:port of its gossip.
func (m *Master) Gossip() string { return m.host.addr(m.gossip) }

// Worker is one worker.
type Worker struct {
	*proc.Member
	ID   string
	host host
	name string // what it announces
	web  int
}

// Host is its host on the cluster's Net; nil on loopback.
func (w *Worker) Host() *netns.Host { return w.host.host }

// Web is http://host:port of its web UI.
func (w *Worker) Web() string { return "http://" + w.host.addr(w.web) }

// New lays a cluster out and starts nothing.
func New(c Config) (*Cluster, error) {
	if c.Masters == 0 {
		c.Masters = 3
	}
	if c.Cores == 0 {
		c.Cores = 2
	}
	if c.Memory == 0 {
		c.Memory = 4096
	}
	ports, err := proc.Ports(5*c.Masters + c.Workers)
	if err != nil {
		return nil, err
	}
	env, err := spark.Environment(c.Run.Dir)
	if err != nil {
		return nil, err
	}
	properties, err := writeProperties(c)
	if err != nil {
		return nil, err
	}
	gossip, err := gossipArgs(c)
	if err != nil {
		return nil, err
	}
	cl := &Cluster{Run: c.Run, net: c.Net}
	cl.newMaster = func(m *Master) *proc.Member {
		args := append(slices.Insert(cl.masterArgs(m, c.Masters, properties), 1, gossip...), c.MasterArgs...)
		return c.Run.NewMember(m.host.place(proc.Config{Name: m.ID, Path: c.Binary, Args: args, Env: env, Outlive: c.Outlive}))
	}
	for i := range c.Masters {
		p := ports[5*i:]
		m := &Master{ID: cmp.Or(c.MasterPrefix, "m") + strconv.Itoa(i+1), port: p[0], rest: p[1], web: p[2], rpc: p[3], gossip: p[4]}
		if m.host, err = hostFor(c.Net, m.ID); err != nil {
			return nil, err
		}
		cl.Masters = append(cl.Masters, m)
	}
	for _, m := range cl.Masters {
		m.Member = cl.newMaster(m)
	}
	for i := range c.Workers {
		w := &Worker{ID: "w" + strconv.Itoa(i+1), web: ports[5*c.Masters+i]}
		if w.host, err = hostFor(c.Net, w.ID); err != nil {
			return nil, err
		}
		if w.name = w.host.ip(); c.Net == nil && i < len(c.WorkerHosts) {
			w.name = c.WorkerHosts[i]
		}
		w.Member = c.Run.NewMember(w.host.place(proc.Config{Name: w.ID, Path: c.Binary, Args: slices.Insert(cl.workerArgs(w, c, properties), 1, gossip...), Env: env, Outlive: c.Outlive}))
		cl.Workers = append(cl.Workers, w)
	}
	return cl, nil
}

func writeProperties(c Config) (string, error) {
	var b strings.Builder
	for k, v := range c.Properties {
		fmt.Fprintf(&b, "%s %s\n", k, v)
	}
	path := filepath.Join(c.Run.Dir, "cluster.conf")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return "", fmt.Errorf("write the cluster's settings: %w", err)
	}
	return path, nil
}

func (c *Cluster) masterArgs(m *Master, expect int, properties string) []string {
	var join []string
	for _, o := range c.Masters {
		if o.ID != m.ID {
			join = append(join, o.Gossip())
		}
	}
	args := []string{"master", "--id", m.ID, "--data-dir", c.DataDir(m), "--host", m.host.ip(), "--bind", m.host.ip(),
		"--port", strconv.Itoa(m.port), "--rest-port", strconv.Itoa(m.rest), "--webui-port", strconv.Itoa(m.web),
		"--rpc-port", strconv.Itoa(m.rpc), "--gossip-port", strconv.Itoa(m.gossip),
		"--bootstrap-expect", strconv.Itoa(expect), "--properties-file", properties}
	if len(join) > 0 {
		args = append(args, "--join", strings.Join(join, ","))
	}
	return args
}

func (c *Cluster) workerArgs(w *Worker, cfg Config, properties string) []string {
	var homes []string
	for _, h := range cfg.Homes {
		homes = append(homes, h.Home)
	}
	return []string{"worker", "--id", w.ID, "--data-dir", filepath.Join(c.Run.Dir, "data", w.ID), "--host", w.name, "--bind", w.host.ip(),
		"--webui-port", strconv.Itoa(w.web), "-c", strconv.Itoa(cfg.Cores), "-m", strconv.Itoa(cfg.Memory) + "m",
		"-d", filepath.Join(c.Run.Dir, "work", w.ID), "--spark-home", strings.Join(homes, ","), "--properties-file", properties, c.URL()}
}

// URL is what drivers are given: spark:// and all masters.
func (c *Cluster) URL() string {
	var all []string
	for _, m := range c.Masters {
		all = append(all, m.Spark())
	}
	return "spark://" + strings.Join(all, ",")
}

// Start starts what does not run, and does not wait for more than that.
func (c *Cluster) Start() error {
	for _, m := range c.members() {
		if err := m.Start(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) members() []*proc.Member {
	var all []*proc.Member
	for _, m := range c.Masters {
		all = append(all, m.Member)
	}
	for _, w := range c.Workers {
		all = append(all, w.Member)
	}
	return all
}

// Processes are those of the cluster that should be alive now.
func (c *Cluster) Processes() []*proc.Process {
	var all []*proc.Process
	for _, m := range c.members() {
		if m.Running() {
			all = append(all, m.Process())
		}
	}
	return all
}

// Master finds a master by id; nil if there is none.
func (c *Cluster) Master(id string) *Master {
	i := slices.IndexFunc(c.Masters, func(m *Master) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return c.Masters[i]
}

// ErrLeftovers says that processes outlived their cluster.
var ErrLeftovers = errors.New("processes are left over")

// Leftovers gives the processes of the run that are neither masters nor workers of the cluster.
func (c *Cluster) Leftovers() ([]proc.Info, error) { return c.Run.Others(c.Processes()...) }

// Stop ends the cluster in order, workers first, and says what did not end by itself or was left over. Nothing of it is
// alive afterwards.
func (c *Cluster) Stop(ctx context.Context) error {
	errs := []error{termAll(ctx, c.workerMembers()), termAll(ctx, c.masterMembers())}
	if errors.Join(errs...) == nil {
		quick, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := c.Run.WaitGone(quick, nil); err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", ErrLeftovers, err))
		}
	}
	c.Run.Sweep()
	return errors.Join(errs...)
}

func (c *Cluster) workerMembers() []*proc.Member { return c.members()[len(c.Masters):] }
func (c *Cluster) masterMembers() []*proc.Member { return c.members()[:len(c.Masters)] }

func termAll(ctx context.Context, members []*proc.Member) error {
	errs := make([]error, len(members))
	done := make(chan struct{})
	for i, m := range members {
		go func() { errs[i] = m.Term(ctx); done <- struct{}{} }()
	}
	for range members {
		<-done
	}
	return errors.Join(errs...)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/config"
	server "github.com/firesteel/firesteel/master"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/rogpeppe/go-internal/testscript"
)

var errNotYet = errors.New("it has not come to that")

// patience bounds waits for what must come.
const patience = 60 * time.Second

// The commands of testdata/script run this binary as clusterctl.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"clusterctl": main})
}

// TestScripts runs clusterctl against real masters in this process, and workers that start no processes.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Deadline: time.Now().Add(8 * patience),
		Dir:      filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Values[clusterKey{}] = &testCluster{dir: env.WorkDir, ctx: t.Context()}
			env.Defer(func() { env.Values[clusterKey{}].(*testCluster).close() })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cluster": startCluster, "worker": startWorker, "app": startApp, "stopmaster": stopMaster, "startmaster": startMaster,
			"runs": driverRuns, "ends": driverEnds, "prints": driverPrints, "apptold": appTold,
			"leaves": workerLeaves, "exits": exits, "keys": keys, "field": field, "until": until, "damage": damage, "noleader": noLeader, "lines": countLines,
		},
	})
}

type clusterKey struct{}

// testCluster is what a script has started.
type testCluster struct {
	ctx     context.Context
	dir     string
	configs []server.Config
	masters []*server.Master // nil: stopped
	workers map[string]*simWorker
	apps    map[string]*testApp
}

type testApp struct {
	*simapp.App
	told chan string // what it was told of its end
}

func of(ts *testscript.TestScript) *testCluster { return ts.Value(clusterKey{}).(*testCluster) }

func (c *testCluster) close() {
	for _, a := range c.apps {
		_ = a.Close()
	}
	for _, w := range c.workers {
		w.close()
	}
	for _, m := range c.masters {
		if m != nil {
			_ = m.Close()
		}
	}
}

// cluster [NAME]: three masters, and CLUSTERCTL_ADDRESS, M1, M2, M3 name them.
func startCluster(ts *testscript.TestScript, _ bool, args []string) {
	c := of(ts)
	c.close()
	c.workers, c.apps, c.masters, c.configs = map[string]*simWorker{}, map[string]*testApp{}, nil, nil
	ports, err := proc.Ports(6)
	ts.Check(err)
	var join, addresses []string
	for _, p := range ports[:3] {
		join = append(join, net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
	}
	name := strings.Join(append([]string{"cluster"}, args...), "-")
	for i, p := range ports[:3] {
		id := "m" + strconv.Itoa(i+1)
		host, anyPort := "127.0.0.1", 0
		spark, err := config.LoadMaster(config.MasterFlags{Host: &host, Port: &anyPort, WebUIPort: &anyPort, RESTPort: &anyPort}, config.Env{})
		ts.Check(err)
		c.configs = append(c.configs, server.Config{
			ID: id, DataDir: filepath.Join(c.dir, name, id), Spark: spark, RPCPort: ports[3+i], GossipPort: p, BootstrapExpect: 3, Join: join, Profile: "fast", DiskReserve: -1,
			Logger: slog.New(slog.DiscardHandler),
		})
		c.masters = append(c.masters, nil)
		addresses = append(addresses, net.JoinHostPort(host, strconv.Itoa(ports[3+i])))
		ts.Setenv("M"+strconv.Itoa(i+1), addresses[i])
		c.start(ts, i)
	}
	ts.Setenv("CLUSTERCTL_ADDRESS", strings.Join(addresses, ","))
	c.leader(ts)
}

func (c *testCluster) start(ts *testscript.TestScript, i int) {
	m, err := server.Open(c.ctx, c.configs[i])
	ts.Check(err)
	c.masters[i] = m
}

// leader waits until one of the masters leads.
func (c *testCluster) leader(ts *testscript.TestScript) int {
	for late := time.After(patience); ; {
		for i, m := range c.masters {
			if m != nil && m.Leading() {
				return i
			}
		}
		select {
		case <-time.After(5 * time.Millisecond): // leading is no event that a test could wait for
		case <-late:
			ts.Fatalf("nobody leads")
		}
	}
}

// which finds a master by "leader", "follower" or its id.
func (c *testCluster) which(ts *testscript.TestScript, word string) int {
	switch word {
	case "leader":
		return c.leader(ts)
	case "follower":
		l := c.leader(ts)
		return slices.IndexFunc(c.masters, func(m *server.Master) bool { return m != nil && m != c.masters[l] })
	}
	return slices.IndexFunc(c.configs, func(cfg server.Config) bool { return cfg.ID == word })
}

// stopmaster leader|follower|ID
func stopMaster(ts *testscript.TestScript, _ bool, args []string) {
	c := of(ts)
	i := c.which(ts, args[0])
	ts.Check(c.masters[i].Close())
	c.masters[i] = nil
}

// startmaster ID
func startMaster(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).start(ts, of(ts).which(ts, args[0]))
}

// worker ID...: starts workers, and waits until they are registered.
func startWorker(ts *testscript.TestScript, _ bool, args []string) {
	c := of(ts)
	for _, id := range args {
		w, err := startSimWorker(c.ctx, id, c.dir, strings.Split(ts.Getenv("CLUSTERCTL_ADDRESS"), ","))
		ts.Check(err)
		c.workers[id] = w
	}
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	ts.Check(c.masters[c.leader(ts)].WaitWorkers(ctx, len(c.workers)))
}

// leaves WORKER: its process ends in order.
func workerLeaves(ts *testscript.TestScript, _ bool, args []string) {
	c := of(ts)
	c.workers[args[0]].leave()
	c.workers[args[0]].close()
	delete(c.workers, args[0])
}

// app NAME CORES: an application with so many executors; waits for one of them, unless there are to be none. APP is its id.
func startApp(ts *testscript.TestScript, _ bool, args []string) {
	c := of(ts)
	cores, err := strconv.Atoi(args[1])
	ts.Check(err)
	a := &testApp{told: make(chan string, 100)}
	a.App, err = simapp.New(simapp.Config{Cores: cores, Observe: func(_ *rpcenv.Peer, m messages.Message) {
		if gone, ok := m.(*messages.ApplicationRemoved); ok {
			a.told <- gone.Reason
		}
	}})
	ts.Check(err)
	c.apps[args[0]] = a
	var masters []string
	for _, m := range c.masters {
		if m != nil {
			masters = append(masters, strings.TrimPrefix(m.URL(), "spark://"))
		}
	}
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	id, _, err := a.Register(ctx, args[0], masters, 100*time.Millisecond)
	ts.Check(err)
	if cores > 0 && len(c.workers) > 0 {
		ts.Check(a.WaitRunning(ctx))
	}
	ts.Setenv("APP", id)
}

// apptold NAME TEXT: its driver is told that it was removed, in these words.
func appTold(ts *testscript.TestScript, _ bool, args []string) {
	select {
	case text := <-of(ts).apps[args[0]].told:
		if !strings.Contains(text, args[1]) {
			ts.Fatalf("told %q", text)
		}
	case <-time.After(patience):
		ts.Fatalf("it was told nothing")
	}
}

// runs WORKER RUN: waits until the worker runs the driver.
func driverRuns(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(of(ts).ctx, patience)
	defer cancel()
	ts.Check(of(ts).workers[args[0]].runs(ctx, args[1]))
}

// ends WORKER RUN STATE [MESSAGE]
func driverEnds(ts *testscript.TestScript, _ bool, args []string) {
	s, ok := driverStateOf(args[2])
	if !ok {
		ts.Fatalf("%s is no state", args[2])
	}
	of(ts).workers[args[0]].driver(args[1], s, strings.Join(args[3:], " "))
}

// prints WORKER RUN TEXT: the driver writes a line to its stdout.
func driverPrints(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).workers[args[0]].log(args[1], "stdout", strings.Join(args[2:], " ")+"\n")
}

// exits CODE COMMAND ARGS...: what it says on stderr must be one line, unless it succeeds.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	said := strings.Split(strings.TrimSpace(ts.ReadFile("stderr")), "\n")
	last := said[len(said)-1]
	switch {
	case got != want:
		ts.Fatalf("exit code %d, want %d", got, want)
	case got != 0 && !strings.HasPrefix(last, "clusterctl: "), strings.Contains(last, "rpc error"), strings.Contains(last, "goroutine"):
		ts.Fatalf("it says %q", said)
	}
}

// keys LIST: the JSON on stdout has these top-level keys, in this order.
func keys(ts *testscript.TestScript, _ bool, args []string) {
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	_, err := d.Token()
	ts.Check(err)
	var got []string
	for d.More() {
		key, err := d.Token()
		ts.Check(err)
		got = append(got, key.(string))
		var skip any
		ts.Check(d.Decode(&skip))
	}
	if strings.Join(got, ",") != args[0] {
		ts.Fatalf("keys %s", strings.Join(got, ","))
	}
}

// field VAR PATH: a value of the JSON on stdout, such as drivers.0.id.
func field(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for part := range strings.SplitSeq(args[1], ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i, err := strconv.Atoi(part)
			ts.Check(err)
			if i >= len(x) {
				ts.Fatalf("there are only %d", len(x))
			}
			v = x[i]
		}
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}

// until TEXT COMMAND ARGS...: repeats a command until it succeeds and prints the text.
func until(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ts.Check(books.Poll(ctx, strings.Join(args, " "), func(context.Context) error { // there is nothing else to wait on from outside
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) == neg {
			err = errNotYet
		}
		return err
	}))
}

// damage FILE TO: a copy with one bit turned over in the middle.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b[len(b)/2] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}

// noleader waits until the masters that are left know of no leader.
func noLeader(ts *testscript.TestScript, _ bool, _ []string) {
	c := of(ts)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ts.Check(books.Poll(ctx, "the end of every lead", func(context.Context) error { // no event tells it
		if slices.ContainsFunc(c.masters, func(m *server.Master) bool { return m != nil && m.Leading() }) {
			return errNotYet
		}
		return nil
	}))
}

// lines N TEXT: so many lines of stdout begin with the text.
func countLines(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if strings.HasPrefix(line, args[1]) {
			n++
		}
	}
	if strconv.Itoa(n) != args[0] {
		ts.Fatalf("%d lines begin with %s", n, args[1])
	}
}

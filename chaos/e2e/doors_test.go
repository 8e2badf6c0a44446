//go:build realspark

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/chaos/submit"
	"github.com/firesteel/firesteel/web/submission/contract"
)

// What spark-submit and Spark's submission client say, the same in 3.5 and 4.x.
var (
	created   = regexp.MustCompile(`Submission successfully created as (driver-[-\d]+)\. Polling`)
	submitted = regexp.MustCompile(`Driver successfully submitted as (driver-[-\d]+)`)
	asking    = regexp.MustCompile(`waiting before polling master for driver state`) // it has just asked the masters
)

// The programs that speak to masters about drivers.
const (
	sparkSubmit = "spark-submit"
	sparkClass  = "spark-class" // for org.apache.spark.deploy.Client, the RPC client, which alone can kill by RPC
)

// quickly makes a JVM start with half the work: none of these lives long enough for a better compiler to pay. Spark's RPC client hands it
// on to its driver with the rest of its environment.
const quickly = "JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

// program starts a program of a Spark release's bin, with the settings of the experiment.
func (f *fixture) program(r spark.Release, name string, args ...string) *proc.Process {
	f.Helper()
	env, err := spark.Environment(f.Cluster.Run.Dir)
	f.must(err)
	p, err := f.Cluster.Run.Start(proc.Config{
		Name: strings.Join([]string{f.Name(), name, r.Version}, "-"), Path: filepath.Join(r.Home, "bin", name), Args: args, Env: append(append(env, r.Env()...), quickly),
	})
	f.must(err)
	f.Cleanup(func() {
		if p.Running() { // a client whose master was killed may ask that one for ever
			f.must(p.SignalGroup(syscall.SIGKILL))
			<-p.Done()
		}
	})
	return p
}

// programs starts one for each release, with arguments of its own.
func (f *fixture) programs(name string, args func(i int, r spark.Release) []string) []*proc.Process {
	f.Helper()
	var all []*proc.Process
	for i, r := range suite.releases {
		all = append(all, f.program(r, name, args(i, r)...))
	}
	return all
}

// said waits for a line and gives its first group.
func (f *fixture) said(p *proc.Process, re *regexp.Regexp) string {
	f.Helper()
	line, err := p.WaitFor(f.ctx, re)
	f.must(err)
	return append(line.Match, "")[1]
}

// exits waits for the end of a program.
func (f *fixture) exits(p *proc.Process, want int) {
	f.Helper()
	code, err := p.Wait(f.ctx)
	f.must(err)
	if code != want {
		f.Errorf("%s ended with exit code %d, not %d:\n%s", p.Name, code, want, p.Tail(20))
	}
}

// anyJar is the URL of some jar of a release: for drivers whose class is Spark's own, or is in none.
func (f *fixture) anyJar(r spark.Release) string {
	f.Helper()
	jars, err := filepath.Glob(filepath.Join(r.Home, "jars", "slf4j-api-*.jar"))
	f.must(err)
	if len(jars) != 1 {
		f.Fatalf("%s has the jars %v", r, jars)
	}
	return "file://" + jars[0]
}

// class is the name of a driver's main class, by which the books tell one test's from another's.
func class(what string, r spark.Release) string {
	return "org.acme." + what + strings.ReplaceAll(r.Version, ".", "_")
}

// oneDriver waits until the driver with this class is over, and checks that it is the only one.
func (f *fixture) oneDriver(class, id, state string) {
	f.Helper()
	b, err := f.WaitBooks(f.ctx, class+" is over", func(b books.Books) error {
		if d, over, ok := b.Driver(id); !ok || !over || d.State != state {
			return fmt.Errorf("%s is %+v, not %s", id, d, state)
		}
		return nil
	})
	f.must(err)
	n := 0
	for _, d := range slices.Concat(b.ActiveDrivers, b.CompletedDrivers) {
		if d.MainClass == class {
			n++
		}
	}
	if n != 1 {
		f.Errorf("%d drivers came of one submission of %s: %v", n, class, b)
	}
}

// logOf reads a driver's stdout or stderr, on whichever worker it ran.
func (f *fixture) logOf(id, name string) string {
	f.Helper()
	logs, err := filepath.Glob(filepath.Join(f.Cluster.Run.Dir, "work", "*", id, name))
	f.must(err)
	if len(logs) != 1 {
		f.Fatalf("%s of %s: %v", name, id, logs)
	}
	text, err := os.ReadFile(logs[0])
	f.must(err)
	return string(text)
}

// Every door of every master, with the programs that users have, of both releases at once.
func TestDoors(t *testing.T) {
	f := begin(t)
	lead := f.leader().Master
	followers := slices.DeleteFunc(slices.Clone(f.Masters), func(m *cluster.Master) bool { return m == lead })
	rest := func(m *cluster.Master) string { return strings.Replace(m.REST(), "http://", "spark://", 1) }
	// What a release speaks to first, and the rest: each kind of port, of a follower and of the leader.
	ports := [][]string{
		{followers[0].URL(), rest(lead), followers[1].URL()},
		{rest(followers[1]), lead.URL(), rest(followers[0])},
	}
	at := func(i, n int) string { return ports[i%len(ports)][n] }

	scripts := f.submitScripts(followers[0])

	// REST: a driver that no worker has room for is taken, says so, and is killed; each by another master.
	never := f.programs(sparkSubmit, func(i int, r spark.Release) []string {
		return []string{"--master", at(i, 0), "--deploy-mode", "cluster", "--conf", "spark.master.rest.enabled=true", "--driver-memory", "100g", "--class", class("Never", r), "file:///there/is/no.jar", "a"}
	})
	var ids []string
	for _, p := range never {
		ids = append(ids, f.said(p, created))
	}
	for _, p := range never {
		f.exits(p, 0)
	}
	for _, p := range f.programs(sparkSubmit, func(i int, _ spark.Release) []string { return []string{"--master", at(i, 1), "--status", ids[i]} }) {
		f.said(p, regexp.MustCompile(`"driverState" : "SUBMITTED"`))
		f.said(p, regexp.MustCompile(`"message" : "asks for 1 cores and 102400 MiB on one worker; no worker has that`))
		f.exits(p, 0)
	}
	for i, p := range f.programs(sparkSubmit, func(i int, _ spark.Release) []string { return []string{"--master", at(i, 2), "--kill", ids[i]} }) {
		f.said(p, regexp.MustCompile(`Kill request for `+ids[i]+` submitted`))
		f.exits(p, 0)
		f.oneDriver(class("Never", suite.releases[i]), ids[i], "KILLED")
	}
	f.scriptsRan(scripts)
	f.submitByRPC(lead, followers)
	f.quiet()
}

// submitScripts posts a Python program, which spark-submit itself refuses, as Spark's documentation shows it for each release.
func (f *fixture) submitScripts(m *cluster.Master) (ids []string) {
	f.Helper()
	path := filepath.Join(f.Cluster.Run.Dir, "doors.py")
	f.must(os.WriteFile(path, []byte(`import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext
print("RAN", sc.master, sc.applicationId, sc.version, sys.argv[1:], sc.parallelize(range(1000), 4).sum(), flush=True)
`), 0o644))
	name, value, _ := strings.Cut(quickly, "=")
	for _, r := range suite.releases {
		d := submit.Driver{
			Version: r.Version, MainClass: "org.apache.spark.deploy.SparkSubmit", Resource: "file:" + path, Args: []string{"two words"}, Environment: map[string]string{"PYSPARK_PYTHON": r.Python, name: value},
			Properties: map[string]string{"spark.app.name": "doors-" + r.Version, "spark.master": "spark://elsewhere:7077", "spark.driver.memory": "512m", "spark.executor.memory": "512m", "spark.cores.max": "1", "spark.ui.enabled": "false"},
		}
		id, err := submit.Create(f.ctx, m.REST(), d, "")
		f.must(err)
		ids = append(ids, id)
	}
	return ids
}

// scriptsRan checks that they ran on this cluster, with all its masters, by the release asked for.
func (f *fixture) scriptsRan(ids []string) {
	f.Helper()
	for i, id := range ids {
		r := suite.releases[i]
		_, err := submit.WaitStatus(f.ctx, []string{f.Masters[0].REST(), f.Masters[1].REST(), f.Masters[2].REST()}, id, submit.Is("FINISHED"))
		f.must(err)
		out := f.logOf(id, "stdout")
		want := fmt.Sprintf("RAN %s app-", f.URL())
		if !strings.HasPrefix(out, want) || !strings.HasSuffix(strings.TrimSpace(out), r.Version+" ['two words'] 499500") {
			f.Errorf("%s printed %q", id, out)
		}
	}
}

// submitByRPC submits to one, two and three masters, while a leader is killed, and kills by way of two.
func (f *fixture) submitByRPC(lead *cluster.Master, followers []*cluster.Master) {
	f.Helper()
	// Three masters, of which the leader dies while the client asks them; and a class that is nowhere. The client itself does
	// not start where one of its masters is down, so it is one release after the other.
	for _, r := range suite.releases {
		p := f.program(r, sparkSubmit, "--master", f.URL(), "--deploy-mode", "cluster", "--driver-memory", "512m", "--class", class("Failover", r), f.anyJar(r))
		f.said(p, asking)
		dead := f.leader().Master
		f.must(dead.Kill())
		id := f.said(p, submitted)
		f.must(dead.Start())
		f.oneDriver(class("Failover", r), id, "FAILED")
		if e := f.logOf(id, "stderr"); !strings.Contains(e, "ClassNotFoundException: "+class("Failover", r)) {
			f.Errorf("stderr of %s: %s", id, e)
		}
		for _, l := range p.Find(submitted) {
			if l.Match[1] != id {
				f.Errorf("%s was told of %s and %s", p.Name, id, l.Match[1])
			}
		}
		_, err := f.WaitWhole(f.ctx)
		f.must(err)
	}

	// One master, which follows or leads as may be; the client waits for the end of the driver, which is Spark's own --version.
	one := f.programs(sparkSubmit, func(_ int, r spark.Release) []string {
		return []string{"--master", followers[0].URL(), "--deploy-mode", "cluster", "--driver-memory", "512m", "--conf", "spark.standalone.submit.waitAppCompletion=true",
			"--class", "org.apache.spark.deploy.SparkSubmit", f.anyJar(r), "--version"}
	})
	// Two masters: the first answer ends the driver, the second must not deny it.
	var waiting []string
	for _, r := range suite.releases {
		id, err := submit.Create(f.ctx, lead.REST(), submit.Driver{Version: r.Version, MainClass: class("Killed", r), Properties: map[string]string{"spark.driver.cores": "99"}}, "")
		f.must(err)
		waiting = append(waiting, id)
	}
	kills := f.programs(sparkClass, func(i int, _ spark.Release) []string {
		return []string{"org.apache.spark.deploy.Client", "kill", "spark://" + lead.Spark() + "," + followers[1].Spark(), waiting[i]}
	})
	for i, p := range kills {
		f.said(p, regexp.MustCompile(`Kill request for `+waiting[i]+` submitted`))
		f.exits(p, 0)
		f.oneDriver(class("Killed", suite.releases[i]), waiting[i], "KILLED")
	}
	for i, p := range one {
		id := f.said(p, submitted)
		f.said(p, regexp.MustCompile(`State of driver `+id+` is FINISHED`))
		f.exits(p, 0)
		if e := f.logOf(id, "stderr"); !strings.Contains(e, "version "+suite.releases[i].Version) {
			f.Errorf("it was run by another release: %s", e)
		}
	}
}

// The whole REST contract, on processes without workers, as the original was asked: on both ports of a leader and a follower.
func TestRESTContract(t *testing.T) {
	c := newMasters(t, cluster.Config{})
	c.must(c.Start())
	v, err := c.WaitWhole(c.ctx)
	c.must(err)
	other := c.Masters[slices.IndexFunc(c.Masters, func(m *cluster.Master) bool { return m != v.Master })]
	client := &http.Client{Timeout: time.Minute}
	for _, addr := range []string{v.Master.Spark(), strings.TrimPrefix(v.Master.REST(), "http://"), other.Spark(), strings.TrimPrefix(other.REST(), "http://")} {
		differences, ids, err := contract.Run("4.3.0", contract.Over(client, addr))
		c.must(err)
		for _, d := range differences {
			c.Errorf("%s: %s", addr, d)
		}
		if len(ids) < 15 {
			c.Errorf("%s: only %d drivers were submitted", addr, len(ids))
		}
	}
}

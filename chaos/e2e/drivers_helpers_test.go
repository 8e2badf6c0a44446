//go:build realspark

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/puppet"
	"github.com/firesteel/firesteel/chaos/spark"
	"github.com/firesteel/firesteel/chaos/submit"
)

// theatre is a cluster in which puppets are run as cluster-mode drivers.
type theatre struct {
	*fixture
	*puppet.Stage
	java  string   // of puppets
	empty string   // URL of a resource with nothing in it
	bases []string // the masters' REST servers
}

func (f *fixture) theatre() *theatre {
	f.Helper()
	th := &theatre{fixture: f}
	var err error
	th.Stage, err = puppet.NewStage(f.Cluster.Run.Dir)
	f.must(err)
	f.Cleanup(func() { f.must(th.Stage.Close()) })
	th.java, err = puppet.JavaHome(f.Cluster.Run.Dir)
	f.must(err)
	path := filepath.Join(f.Cluster.Run.Dir, "empty.jar")
	f.must(os.WriteFile(path, nil, 0o644))
	th.empty = "file://" + path
	for _, m := range f.Masters {
		th.bases = append(th.bases, m.REST())
	}
	return th
}

// puppet is a driver that costs milliseconds. do is what it does first of all.
func (th *theatre) puppet(name string, do ...string) submit.Driver {
	return submit.Driver{
		Version: suite.releases[len(suite.releases)-1].Version, Resource: th.empty, MainClass: name, Args: th.Args(name, do...),
		Environment: map[string]string{"JAVA_HOME": th.java}, Properties: map[string]string{"spark.driver.memory": "128m"},
	}
}

// spark is a driver of a release, under its own DriverWrapper, in a JVM.
func (th *theatre) spark(r spark.Release, name string, do ...string) submit.Driver {
	th.Helper()
	jar, err := puppetJar(th, r)
	th.must(err)
	return submit.Driver{
		Version: r.Version, Resource: "file://" + jar, MainClass: spark.PuppetClass, Args: th.Args(name, do...),
		Properties: map[string]string{
			"spark.driver.memory": "512m", "spark.executor.memory": "512m", "spark.cores.max": "1", "spark.ui.enabled": "false", "spark.app.name": name,
		},
	}
}

var jars struct {
	sync.Mutex
	of map[string]string // by release and run directory
}

func puppetJar(th *theatre, r spark.Release) (string, error) {
	jars.Lock()
	defer jars.Unlock()
	key := r.Version + " " + th.Cluster.Run.Dir
	if jar, ok := jars.of[key]; ok {
		return jar, nil
	}
	jar, err := spark.DriverJar(th.ctx, th.Cluster.Run.Dir, r)
	if err == nil {
		if jars.of == nil {
			jars.of = map[string]string{}
		}
		jars.of[key] = jar
	}
	return jar, err
}

// submit submits a driver to the n-th master, and gives its id.
func (th *theatre) submit(n int, d submit.Driver) string {
	th.Helper()
	id, _, err := submit.Surely(th.ctx, th.bases, n, d, "")
	th.must(err)
	return id
}

// life waits for the n-th life of a puppet.
func (th *theatre) life(name string, n int) *puppet.Life {
	th.Helper()
	l, err := th.Life(th.ctx, name, n)
	th.must(err)
	return l
}

// tell tells a puppet something, and waits for the answer if a word is given by which that begins.
func (th *theatre) tell(l *puppet.Life, line, word string) string {
	th.Helper()
	th.must(l.Tell(line))
	if word == "" {
		return ""
	}
	rest, err := l.Said(th.ctx, word)
	th.must(err)
	return rest
}

// is waits until a driver is in one of these states.
func (th *theatre) is(id string, states ...string) submit.Answer {
	th.Helper()
	a, err := submit.WaitStatus(th.ctx, th.bases, id, submit.Is(states...))
	th.must(err)
	return a
}

// kill asks the n-th master for the end of a driver.
func (th *theatre) kill(n int, id string) {
	th.Helper()
	a, err := submit.Kill(th.ctx, th.bases[n%len(th.bases)], id)
	th.must(err)
	if !a.Success {
		th.Errorf("kill %s: %+v", id, a)
	}
}

// same waits until every master's books have the driver in this state, ended or not.
func (th *theatre) same(id, state string, ended bool) {
	th.Helper()
	for _, m := range th.Masters {
		if !m.Answering() {
			continue
		}
		th.must(pollBooks(th, m, fmt.Sprintf("%s %s in the books of %s", id, state, m.ID), func(b books.Books) error {
			d, over, ok := b.Driver(id)
			if !ok || d.State != state || over != ended {
				return fmt.Errorf("it has %+v, ended %t", d, over)
			}
			return nil
		}))
	}
}

func pollBooks(th *theatre, m *cluster.Master, what string, want func(books.Books) error) error {
	return books.Poll(th.ctx, what, func(ctx context.Context) error {
		b, err := books.Read(ctx, m.Web())
		if err != nil {
			return err
		}
		return want(b)
	})
}

// never checks at a test's end that no puppet ever had two lives at a time.
func (th *theatre) never() {
	th.Helper()
	for _, t := range th.Twice() {
		th.Error("two at a time: ", t)
	}
}

// appState waits until an application has ended, and gives how.
func (th *theatre) appState(id string) string {
	th.Helper()
	b, err := th.WaitBooks(th.ctx, "the end of "+id, func(b books.Books) error {
		if _, ok := b.Completed(id); !ok {
			return errors.New("it is not among the completed ones")
		}
		return nil
	})
	th.must(err)
	a, _ := b.Completed(id)
	return a.State
}

// worker finds a worker of the cluster by id.
func (f *fixture) worker(id string) *cluster.Worker {
	f.Helper()
	i := slices.IndexFunc(f.Workers, func(w *cluster.Worker) bool { return w.ID == id })
	if i < 0 {
		f.Fatalf("no worker is called %q", id)
	}
	return f.Workers[i]
}

package master

import (
	"testing"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/releases"
)

// What runs a driver that came by REST, by what its client says and what the workers have.
func TestReleaseOfARESTClient(t *testing.T) {
	t.Parallel()
	home := func(build, version string) []string {
		l := releases.Label(releases.Build(build), version)
		return []string{build, releases.LabelWish(build, version), l, releases.LabelWish(l, version)}
	}
	old, now := home("3.4/2.12", "3.5.9"), home("4.1/2.13", "4.1.4")
	future := []string{"?/2.13@x0000000000000007", "?/2.13@x0000000000000007=4.9.1"}
	for _, c := range []struct {
		name    string
		workers []string
		client  client
		want    string
	}{
		{"the client's own", append(now, old...), client{version: "3.5.1"}, "3.4/2.12@3.5"},
		{"another patch version", append(now, old...), client{version: "4.1.0-SNAPSHOT"}, "4.1/2.13@4.1"},
		{"nobody has it: one of the same major version", append(now, old...), client{version: "4.0.2"}, "4.1/2.13@4.1"},
		{"nobody has any of the same major version: it waits", old, client{version: "4.0.2"}, "4.0/2.13@4.0"},
		{"no workers: it waits for its own", nil, client{version: "3.4.1"}, "3.4/2.12@3.4"},
		{"no workers, and its Scala version is known", nil, client{version: "3.5.1", scala: "2.13"}, "3.5/2.13@3.5"},
		{"no version: the newest that there is", append(old, now...), client{version: "any"}, "4.1/2.13@4.1"},
		{"no version, no workers: the newest known", nil, client{version: ""}, "4.3/2.13@4.3"},
		{"a wish", append(now, old...), client{version: "4.1.4", wish: "3.5.9"}, "3.4/2.12@3.5=3.5.9"},
		{"a wish that nobody meets", now, client{version: "4.1.4", wish: "3.5.7"}, "3.4/2.12@3.5=3.5.7"},
		{"a wish for what nobody knows", now, client{version: "4.1.4", wish: "7.0.0"}, "4.3/2.13@4.3=7.0.0"},
		{"a release that is in no table", append(now, future...), client{version: "4.9.0"}, "?/2.13@x0000000000000007"},
		{"the newest is in no table", append(now, future...), client{version: "-"}, "?/2.13@x0000000000000007"},
		{"a wish for one that is in no table", append(now, future...), client{version: "4.1.4", wish: "4.9.1"}, "?/2.13@x0000000000000007=4.9.1"},
		{"a JVM worker", []string{"4.1/2.13", "4.1/2.13@4.2"}, client{version: "4.2.1"}, "4.1/2.13@4.2"},
		{"a worker that tells its build only", []string{"4.1/2.13"}, client{version: "4.3.0"}, "4.3/2.13@4.3"},
	} {
		b := newBooks(t)
		if c.workers != nil {
			b.do(&fsm.RegisterWorker{Worker: fsm.Worker{ID: "w", Host: "w", Port: 1, Cores: 1, MemoryMB: 1, Builds: c.workers, Incarnation: "1"}}, nil)
		}
		label, table := releaseOf(b.State(), c.client)
		if label != c.want {
			t.Errorf("%s: %s, want %s", c.name, label, c.want)
		}
		if table == nil || table.Scala() != scalaOf(string(releases.AppOf(label).Build)) {
			t.Errorf("%s: table %v", c.name, table)
		}
	}
}

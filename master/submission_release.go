package master

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/releases"
)

// This file decides which Spark release runs a driver that came by REST. No class of Spark's is in such a request, only
// clientSparkVersion, in which other clients than spark-submit write what they like.

// offer is a feature release that the cluster, or at least this program, knows.
type offer struct {
	label   string // without a wish
	version string // "3.5"
	scala   string
}

// wishOf is the exact version that a driver asks for: as an application does, for its executors, or for the driver itself.
func wishOf(environment, properties map[string]string) string {
	return cmp.Or(environment[releases.HomeWish], properties["spark.executorEnv."+releases.HomeWish])
}

// releaseOf is the label of a driver whose client is of a version ("3.5.7"), and the class table that its description is
// written with. A wish is met or waited for. Otherwise it is the client's release where an ALIVE worker runs it; else the
// newest of the same major version that one runs, since Spark's Master, which has one release only, does not look at the
// client's at all; else the client's, which then waits. A version that is none is run by the newest release there is.
func releaseOf(s *fsm.State, client, wish string) (label string, table *releases.Table) {
	alive := offersOf(s)
	if wish != "" {
		o, ok := find(alive, wish)
		if !ok {
			o, ok = find(known(), wish)
		}
		if !ok {
			o = newest(known())
		}
		return releases.LabelWish(o.label, wish), tableOfLabel(o.label)
	}
	feature := featureOf(client)
	major, _, _ := strings.Cut(feature, ".")
	o, ok := find(alive, feature)
	if !ok {
		related := slices.DeleteFunc(slices.Clone(alive), func(o offer) bool { return feature != "" && !strings.HasPrefix(o.version, major+".") })
		if ok = len(related) > 0; ok {
			o = newest(related)
		}
	}
	if !ok {
		o, ok = find(known(), feature)
	}
	if !ok {
		o = newest(known())
	}
	return o.label, tableOfLabel(o.label)
}

// offersOf are the feature releases that the ALIVE workers run.
func offersOf(s *fsm.State) []offer {
	seen := map[string]bool{}
	var out []offer
	for w := range s.Workers() {
		if w.State != fsm.WorkerAlive {
			continue
		}
		for _, l := range w.Builds {
			if o, ok := offerOf(l); ok && !seen[l] {
				seen[l] = true
				out = append(out, o)
			}
		}
	}
	return out
}

// offerOf reads a worker's label. One that names a build alone is shared by several releases, and tells none. Of a release
// that is in no table only the label with its version ("?/2.13@x12...=4.9.0") tells which it is.
func offerOf(label string) (offer, bool) {
	app := releases.AppOf(label)
	base, _, _ := strings.Cut(label, "=")
	o := offer{label: base, version: cmp.Or(app.Release, featureOf(app.Wish)), scala: scalaOf(string(app.Build))}
	return o, o.version != "" && strings.Contains(base, "@")
}

// known are the feature releases of this program's tables.
func known() []offer {
	var out []offer
	for _, t := range releases.Tables() {
		for _, r := range t.Releases() {
			label := releases.Label(t.Build(), r.Version)
			out = append(out, offer{label: label, version: featureOf(r.Version), scala: t.Scala()})
		}
	}
	return out
}

// find gives the offer of a version's feature release. Spark 3.x comes in two Scala versions, which a request does not tell:
// the one that Spark itself is released with by default is taken.
func find(offers []offer, version string) (offer, bool) {
	feature := featureOf(version)
	var found []offer
	for _, o := range offers {
		if feature != "" && o.version == feature {
			found = append(found, o)
		}
	}
	if len(found) == 0 {
		return offer{}, false
	}
	return newest(found), true
}

// newest gives the offer with the highest version, of the Scala version that is the default for it. There is at least one.
func newest(offers []offer) offer {
	return slices.MaxFunc(offers, func(a, b offer) int {
		return cmp.Or(compareFeatures(a.version, b.version), cmp.Compare(byDefault(a), byDefault(b)), cmp.Compare(a.label, b.label))
	})
}

func byDefault(o offer) int {
	if strings.HasPrefix(o.version, "3.") == (o.scala == "2.12") {
		return 1
	}
	return 0
}

var featureRelease = regexp.MustCompile(`^(\d{1,4})\.(\d{1,4})(?:\D|$)`)

// featureOf is "3.5" of "3.5.7" or "3.5.7-SNAPSHOT", and empty for what is no version.
func featureOf(version string) string {
	m := featureRelease.FindStringSubmatch(version)
	if m == nil {
		return ""
	}
	return m[1] + "." + m[2]
}

func compareFeatures(a, b string) int {
	parts := func(v string) (major, minor int) {
		x, y, _ := strings.Cut(v, ".")
		major, _ = strconv.Atoi(x)
		minor, _ = strconv.Atoi(y)
		return major, minor
	}
	a1, a2 := parts(a)
	b1, b2 := parts(b)
	return cmp.Or(cmp.Compare(a1, b1), cmp.Compare(a2, b2))
}

func scalaOf(build string) string {
	_, scala, _ := strings.Cut(build, "/")
	scala, _, _ = strings.Cut(scala, "|")
	return scala
}

// tableOfLabel is the class table of a label's build, or the newest of its Scala version: all of these have the same messages.
func tableOfLabel(label string) *releases.Table {
	build := releases.AppOf(label).Build
	if t, ok := releases.ForBuild(build); ok {
		return t
	}
	all := releases.Tables()
	best := all[len(all)-1]
	for _, t := range all {
		if t.Scala() == scalaOf(string(build)) {
			best = t
		}
	}
	return best
}

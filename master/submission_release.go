package master

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/web/submission"
)

// This file decides which Spark release runs a driver that came by REST. No class of Spark's is in such a request, only
// clientSparkVersion, in which other clients than spark-submit write what they like.

// offer is a feature release that the cluster, or at least this program, knows.
type offer struct {
	label   string // without a wish
	version string // "3.5"
	scala   string
}

// client is what a request tells of who sent it.
type client struct {
	version string // clientSparkVersion: "3.5.7"
	scala   string // "2.12"; empty where it does not say
	wish    string // the exact version that is asked for; empty for none
}

func clientOf(r *submission.Request, d *messages.DriverDescription) client {
	return client{
		version: r.ClientVersion,
		scala:   r.Environment["SPARK_SCALA_VERSION"], // spark-submit sends it along with all that begins with SPARK_
		// As an application asks for it for its executors, which must be of its driver's version, or for the driver alone.
		wish: cmp.Or(d.Command.Environment[releases.HomeWish], r.Properties["spark.executorEnv."+releases.HomeWish]),
	}
}

// releaseOf is the label of a client's driver, and the class table that its description is written with. A wish is met or waited for. Otherwise it is the client's release where an ALIVE worker runs it; else the
// newest of the same major version that one runs, since Spark's Master, which has one release only, does not look at the
// client's at all; else the client's, which then waits. A version that is none is run by the newest release there is.
func releaseOf(s *fsm.State, c client) (label string, table *releases.Table) {
	alive := offersOf(s)
	if c.wish != "" {
		o, ok := find(alive, c.wish, c.scala)
		if !ok {
			o, ok = find(known(), c.wish, c.scala)
		}
		if !ok {
			o = newest(known(), c.scala)
		}
		return releases.LabelWish(o.label, c.wish), tableOfLabel(o.label)
	}
	feature := featureOf(c.version)
	major, _, _ := strings.Cut(feature, ".")
	o, ok := find(alive, feature, c.scala)
	if !ok {
		related := slices.DeleteFunc(slices.Clone(alive), func(o offer) bool { return feature != "" && !strings.HasPrefix(o.version, major+".") })
		if ok = len(related) > 0; ok {
			o = newest(related, c.scala)
		}
	}
	if !ok {
		o, ok = find(known(), feature, c.scala)
	}
	if !ok {
		o = newest(known(), c.scala)
	}
	return o.label, tableOfLabel(o.label)
}

// offersOf are the feature releases that the ALIVE workers run.
func offersOf(s *fsm.State) []offer {
	var out []offer
	for l := range s.Builds() {
		if o, ok := offerOf(l); ok {
			out = append(out, o)
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
func known() []offer { return slices.Clone(allKnown()) }

var allKnown = sync.OnceValue(func() []offer {
	var out []offer
	for _, t := range releases.Tables() {
		for _, r := range t.Releases() {
			label := releases.Label(t.Build(), r.Version)
			out = append(out, offer{label: label, version: featureOf(r.Version), scala: t.Scala()})
		}
	}
	return out
})

// find gives the offer of a version's feature release.
func find(offers []offer, version, scala string) (offer, bool) {
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
	return newest(found, scala), true
}

// newest gives the offer with the highest version. Spark 3.x comes in two Scala versions: of these it is the one asked for,
// else the one that Spark is released with by default. There is at least one offer.
func newest(offers []offer, scala string) offer {
	rank := func(o offer) int {
		switch byDefault := strings.HasPrefix(o.version, "3.") == (o.scala == "2.12"); {
		case o.scala == scala:
			return 2
		case byDefault:
			return 1
		}
		return 0
	}
	return slices.MaxFunc(offers, func(a, b offer) int {
		return cmp.Or(compareFeatures(a.version, b.version), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.label, b.label))
	})
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

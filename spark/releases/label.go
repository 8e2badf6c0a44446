package releases

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A label is what applications and workers are matched by: a worker announces all labels that it can run, an
// application carries one. Releases that share a build cannot run each other's executors, so a label says more than a build:
//
//	"4.1/2.13@4.2"            build and feature release
//	"4.1/2.13@4.2=4.2.1"      the same, and nothing but this very version will do
//	"?/2.13@x1a2b3c4d5e6f7081"  the ProbeClass of a release that is in no table of ours, and its Scala version
//	"4.1/2.13"                a build alone: nothing more could be found out

// Label joins a build with the feature release ("4.2") that a version belongs to. (Build.Label is a text for people.)
func Label(b Build, version string) string { return string(b) + "@" + minor(version) }

// LabelWish narrows a label to one version, which somebody asked for.
func LabelWish(label, version string) string { return label + "=" + version }

// LabelByProbe is the label of the feature release whose ProbeClass has the number. Of the alternatives that a build may
// be, the release's own is taken. A release that is not in our tables goes by the number alone, which its drivers, workers and
// homes have in common.
func LabelByProbe(b Build, probe int64) string {
	if known, release, ok := byProbe(probe); ok && slices.Contains(b.Alternatives(), known) {
		return Label(known, release)
	}
	_, scala, _ := strings.Cut(string(b), "/")
	scala, _, _ = strings.Cut(scala, "|") // one Scala version for all alternatives: it shows in every message
	return fmt.Sprintf("?/%s@x%016x", scala, uint64(probe))
}

// WorkerLabels are what a Spark Worker announces to run: its own release and no other, as its ProbeClass shows it.
func WorkerLabels(b Build, probe int64) []string {
	label := LabelByProbe(b, probe)
	if build, release := SplitLabel(label); release != "" {
		return []string{string(build), label}
	}
	return []string{label}
}

// Labels are what a home can run.
func (h Home) Labels() []string {
	release := Label(h.Build, h.Version)
	labels := []string{string(h.Build), LabelWish(string(h.Build), h.Version), release, LabelWish(release, h.Version)}
	// Drivers of a release that is not in our tables are told apart by the number alone, also where the home's jars have a
	// name that we know: somebody may have changed what is in them.
	if by := LabelByProbe(h.Build, h.ProbeSUID); h.ProbeSUID != 0 && by != release {
		labels = append(labels, by, LabelWish(by, h.Version))
	}
	return labels
}

// SplitLabel takes a label apart; release is empty where the label is a build alone, or the release is not known by name.
func SplitLabel(label string) (b Build, release string) {
	app := AppOf(label)
	return app.Build, app.Release
}

// AppOf is what a label says of an application, for Match.
func AppOf(label string) App {
	label, wish, _ := strings.Cut(label, "=")
	build, release, _ := strings.Cut(label, "@")
	app := App{Build: Build(build), Release: release, Wish: wish}
	if hex, ok := strings.CutPrefix(release, "x"); ok {
		app.Release = ""
		if n, err := strconv.ParseUint(hex, 16, 64); err == nil {
			app.ProbeSUID = int64(n)
		}
	}
	return app
}

// MostExact leaves those of a worker's labels that say most: versions rather than feature releases, these rather than builds.
func MostExact(labels []string) []string {
	rank := func(label string) int {
		switch app := AppOf(label); {
		case app.Release != "" && app.Wish != "" || app.ProbeSUID != 0:
			return 2
		case app.Release != "":
			return 1
		}
		return 0
	}
	best := map[Build]int{}
	for _, l := range labels {
		b := AppOf(l).Build
		best[b] = max(best[b], rank(l))
	}
	var out []string
	for _, l := range labels {
		if rank(l) == best[AppOf(l).Build] && (AppOf(l).Wish == "" || AppOf(l).Release != "") {
			out = append(out, l)
		}
	}
	return out
}

// DescribeLabel says for people what a label stands for: "Spark 4.2 (Scala 2.13)".
func DescribeLabel(label string) string { return AppOf(label).Describe() }

// Describe says for people what the application needs: "Spark 4.2 (Scala 2.13)".
func (app App) Describe() string {
	_, scala, _ := strings.Cut(string(app.Build), "/")
	switch {
	case app.Wish != "" && scala == "":
		return "Spark " + app.Wish
	case app.Wish != "":
		return fmt.Sprintf("Spark %s (Scala %s)", app.Wish, scala)
	case app.Release != "" && scala != "":
		return fmt.Sprintf("Spark %s (Scala %s)", app.Release, scala)
	case app.ProbeSUID != 0:
		return fmt.Sprintf("an unknown Spark release (Scala %s, its %s has the serialVersionUID %d)", scala, ProbeClass, app.ProbeSUID)
	}
	return app.Build.Label()
}

package releases

import (
	"fmt"
	"slices"
	"strings"
)

// Build names what Spark programs must have in common to understand each other's deploy messages, as far as a stream
// shows it. It is short, stable over Firesteel's own releases, fit to be stored, and has one of these forms:
//
//	"4.1/2.13"             a known build: the oldest Spark release that has it, and its Scala version
//	"4.1/2.13|4.3/2.13"    one of these: what was seen so far does not tell them apart
//	"x1f2e3d4c.0badf00d/2.13"  not in our tables; its two distinguishing serialVersionUIDs, shortened
//	"x1f2e3d4c.?/2.13"     the same, where one of the two was not seen
//	""                     nothing is known
//
// Two classes are enough to tell the builds of one Scala dialect apart: RpcEndpointRef and ResourceProfile. Every other
// message class that changed between Spark 3.4 and 4.3 changed with the dialect.
type Build string

// Exact tells whether the build is a single one that is fully determined.
func (b Build) Exact() bool { return b != "" && !strings.ContainsAny(string(b), "|?") }

// Alternatives are the builds that b may be: b alone where it is exact.
func (b Build) Alternatives() []Build {
	if b == "" {
		return nil
	}
	var all []Build
	for s := range strings.SplitSeq(string(b), "|") {
		all = append(all, Build(s))
	}
	return all
}

// Overlaps tells whether b and other can be the same build. Where both are exact that is certain. A stored "x..." build
// counts as the known one that a later table gave a name to.
func (b Build) Overlaps(other Build) bool {
	for _, x := range b.Alternatives() {
		for _, y := range other.Alternatives() {
			if x == y || x.fingerprint().matches(y.fingerprint()) {
				return true
			}
		}
	}
	return false
}

// Label says for people which Spark releases b stands for: "Spark 4.1-4.2 (Scala 2.13)".
func (b Build) Label() string {
	var labels []string
	for _, x := range b.Alternatives() {
		if t, ok := ForBuild(x); ok {
			labels = append(labels, t.label())
		} else {
			labels = append(labels, fmt.Sprintf("an unknown Spark (%s)", x))
		}
	}
	if labels == nil {
		return "an unknown Spark"
	}
	return strings.Join(labels, " or ")
}

func (t *Table) label() string {
	first, last := minor(t.releases[0].Version), minor(t.newest().Version)
	if first != last {
		first += "-" + last
	}
	return fmt.Sprintf("Spark %s (Scala %s)", first, t.scala)
}

// ForBuild gives the table of a known build; of several it is the one with the newest release.
func ForBuild(b Build) (*Table, bool) {
	for _, t := range slices.Backward(load()) {
		if t.build == b {
			return t, true
		}
	}
	return nil, false
}

// fingerprint is the part of a class table that tells builds apart, each as eight hex digits or "?".
type fingerprint struct{ ref, profile, scala string }

const unseen = "?"

func shorten(suid int64) string {
	if suid == 0 {
		return unseen
	}
	return fmt.Sprintf("%08x", uint64(suid)>>32)
}

func fingerprintOf(t *Table) fingerprint {
	return fingerprint{shorten(t.suid(endpointRef)), shorten(t.suid(resourceProfile)), t.scala}
}

// fingerprint is the zero value for what is no build.
func (b Build) fingerprint() fingerprint {
	if t, ok := ForBuild(b); ok {
		return fingerprintOf(t)
	}
	ids, scala, _ := strings.Cut(strings.TrimPrefix(string(b), "x"), "/")
	ref, profile, ok := strings.Cut(ids, ".")
	if !ok || !strings.HasPrefix(string(b), "x") {
		return fingerprint{}
	}
	return fingerprint{ref, profile, scala}
}

// build names the fingerprint: as the known build that has it, or by its digits.
func (f fingerprint) build() Build {
	for _, t := range load() {
		if fingerprintOf(t) == f {
			return t.build
		}
	}
	return Build(fmt.Sprintf("x%s.%s/%s", f.ref, f.profile, f.scala))
}

// matches compares what both know; two that share no seen half do not match.
func (f fingerprint) matches(g fingerprint) bool {
	half := func(a, b string) (differ, agree bool) {
		return a != unseen && b != unseen && a != b, a != unseen && a == b
	}
	if f.scala != g.scala || f == (fingerprint{}) || g == (fingerprint{}) {
		return false
	}
	refDiffers, refAgrees := half(f.ref, g.ref)
	profileDiffers, profileAgrees := half(f.profile, g.profile)
	return !refDiffers && !profileDiffers && (refAgrees || profileAgrees)
}

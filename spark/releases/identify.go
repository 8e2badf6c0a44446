package releases

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrUnknownBuild tells that a peer's classes are not those of any Spark release that this program can talk to.
// The error that wraps it names the builds that it can, and can be shown to the peer as it is.
var ErrUnknownBuild = errors.New("unknown Spark build")

// ByCheckExistence finds the dialect from the first message of a connection, the verifier's CheckExistence, whose
// serialVersionUID is suid. The table is the newest of its dialect. All tables of a dialect have the same messages; what
// they do not share is RpcEndpointRef, which is to be copied from the peer, or asked for as ProbeClass is.
func ByCheckExistence(suid int64) (*Table, error) {
	for _, t := range slices.Backward(load()) {
		if t.suid(checkExistence) == suid {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: its %s has the serialVersionUID %d; %s", ErrUnknownBuild, checkExistence, suid, weSpeak())
}

// weSpeak names the builds of the tables, for people.
func weSpeak() string {
	var labels []string
	for _, t := range load() {
		if l := t.label(); !slices.Contains(labels, l) {
			labels = append(labels, l)
		}
	}
	return "this master speaks " + strings.Join(labels, ", ")
}

// Identify finds the build of a peer from the serialVersionUIDs of the classes in its messages, by class name. Only Spark's
// own classes count: those of Scala's library move with Scala's patch releases.
//
// A RegisterApplication shows enough for an exact build. A RegisterWorker has no ResourceProfile and a RequestSubmitDriver
// no RpcEndpointRef either, so their builds may be alternatives (see Build). The table is the newest of those.
//
// A release newer than our tables that speaks the messages of one of them, as 4.3 speaks those of 4.1, is given that
// table and a build of its own ("x..."). Only where a message class itself differs the error is ErrUnknownBuild.
func Identify(suids map[string]int64) (Build, *Table, error) {
	var candidates []Build
	var newest, dialect *Table
	for _, t := range slices.Backward(load()) {
		switch t.compare(suids) {
		case sameBuild:
			if !slices.Contains(candidates, t.build) {
				candidates = append(candidates, t.build)
			}
			newest = firstOf(newest, t)
		case sameMessages:
			dialect = firstOf(dialect, t)
		}
	}
	switch {
	case newest != nil:
		return join(candidates), newest, nil
	case dialect != nil:
		return fingerprint{shorten(suids[endpointRef]), shorten(suids[resourceProfile]), dialect.scala}.build(), dialect, nil
	}
	return "", nil, unknownBuild(suids)
}

// firstOf is t, or other where there is none yet.
func firstOf(t, other *Table) *Table {
	if t != nil {
		return t
	}
	return other
}

// join lists alternatives oldest first (they come newest first).
func join(candidates []Build) Build {
	slices.Reverse(candidates)
	var parts []string
	for _, b := range candidates {
		parts = append(parts, string(b))
	}
	return Build(strings.Join(parts, "|"))
}

type likeness int

const (
	different    likeness = iota
	sameMessages          // but for classes that we only pass on or copy
	sameBuild
)

// passedOn tells the classes that Firesteel never makes from a table: it copies a peer's reference and passes on what is
// in an application's description. Their differences do not hinder talking.
func passedOn(class string) bool {
	return class == endpointRef || strings.HasPrefix(class, "org.apache.spark.resource.")
}

// compare matches what was seen against the table. No common message class at all is no likeness.
func (t *Table) compare(suids map[string]int64) likeness {
	result, common := sameBuild, 0
	for class, suid := range suids {
		d, ok := t.classes[class]
		switch {
		case !ok || !strings.HasPrefix(class, "org.apache.spark."):
			continue
		case d.SUID == suid:
			common++
		case passedOn(class):
			result = sameMessages
		default:
			return different
		}
	}
	if common == 0 {
		return different
	}
	return result
}

// unknownBuild says what does not fit, in terms of the table that fits best.
func unknownBuild(suids map[string]int64) error {
	var best *Table
	var odd []string
	for _, t := range slices.Backward(load()) {
		if o := t.oddities(suids); best == nil || len(o) < len(odd) {
			best, odd = t, o
		}
	}
	if len(odd) == 0 {
		seen := slices.Sorted(maps.Keys(suids))
		return fmt.Errorf("%w: nothing that tells releases apart among the classes %v; %s", ErrUnknownBuild, seen, weSpeak())
	}
	return fmt.Errorf("%w: it is closest to %s but differs in %s; %s", ErrUnknownBuild, best.label(), strings.Join(odd, ", "), weSpeak())
}

func (t *Table) oddities(suids map[string]int64) []string {
	var odd []string
	for _, class := range slices.Sorted(maps.Keys(suids)) {
		if d, ok := t.classes[class]; ok && strings.HasPrefix(class, "org.apache.spark.") && d.SUID != suids[class] {
			odd = append(odd, fmt.Sprintf("%s (serialVersionUID %d)", class, suids[class]))
		}
	}
	return odd
}

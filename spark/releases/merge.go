package releases

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/firesteel/firesteel/spark/javaser"
)

// Merge adds a computed table (of one release) to tables: to the one that it equals, or as a new one. The note says what
// was done and, for a new table, how it differs from the nearest of its dialect. The tables given are not changed, and
// keep the names of their builds.
func Merge(tables []*Table, t *Table) (merged []*Table, note string) {
	merged = slices.Clone(tables)
	release := t.newest()
	for i, old := range merged {
		if j := slices.IndexFunc(old.releases, func(r Release) bool { return r.Version == release.Version }); j >= 0 && old.scala == t.scala {
			merged[i] = old.withReleases(slices.Delete(slices.Clone(old.releases), j, j+1))
		}
	}
	merged = slices.DeleteFunc(merged, func(old *Table) bool { return len(old.releases) == 0 })
	for i, old := range merged {
		if old.equal(t) {
			merged[i] = old.withReleases(append(slices.Clone(old.releases), release))
			return merged, fmt.Sprintf("Spark %s equals the table of build %s", t.Name(), old.build)
		}
	}
	added := t.withReleases(t.releases)
	added.build = nameBuild(merged, t)
	return append(merged, added), fmt.Sprintf("Spark %s has a new table, build %s%s", t.Name(), added.build, differences(merged, t))
}

func (t *Table) withReleases(releases []Release) *Table {
	slices.SortFunc(releases, func(a, b Release) int { return CompareVersions(a.Version, b.Version) })
	return &Table{build: t.build, scala: t.scala, releases: releases, classes: t.classes}
}

func (t *Table) equal(o *Table) bool {
	return t.scala == o.scala && maps.EqualFunc(t.classes, o.classes, sameClass)
}

// nameBuild keeps the name of a table with the same fingerprint; else the name is the feature release, or the full version
// if that is taken.
func nameBuild(tables []*Table, t *Table) Build {
	taken := make(map[Build]bool)
	for _, old := range tables {
		if fingerprintOf(old) == fingerprintOf(t) {
			return old.build
		}
		taken[old.build] = true
	}
	b := Build(minor(t.newest().Version) + "/" + t.scala)
	if taken[b] {
		b = Build(t.Name())
	}
	return b
}

// differences lists the classes in which t differs from the table of its dialect that is most like it.
func differences(tables []*Table, t *Table) string {
	var best []string
	var nearest *Table
	for _, old := range tables {
		if old.scala != t.scala {
			continue
		}
		if d := Differences(old, t); nearest == nil || len(d) < len(best) {
			nearest, best = old, d
		}
	}
	if nearest == nil {
		return ": the first of its Scala version"
	}
	return fmt.Sprintf(": against Spark %s differ %v", nearest.Name(), best)
}

// Differences lists the classes that two tables do not describe in the same way, sorted; "+" marks those that only b has, "-" only a.
func Differences(a, b *Table) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(union(a.classes, b.classes))) {
		switch x, y := a.classes[name], b.classes[name]; {
		case x == nil:
			names = append(names, "+"+name)
		case y == nil:
			names = append(names, "-"+name)
		case !sameClass(x, y):
			names = append(names, name)
		}
	}
	return names
}

func union[V any](a, b map[string]V) map[string]V {
	u := maps.Clone(a)
	maps.Copy(u, b)
	return u
}

func sameClass(a, b *javaser.ClassDesc) bool { return reflect.DeepEqual(newRow(a), newRow(b)) }

// FileName is the name of the table's file.
func (t *Table) FileName() string {
	oldest := slices.MinFunc(t.releases, func(a, b Release) int { return CompareVersions(a.Version, b.Version) })
	return fmt.Sprintf("spark-%s_%s%s", oldest.Version, t.scala, TableSuffix)
}

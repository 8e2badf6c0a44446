package releases

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/firesteel/firesteel/spark/classfile"
	"github.com/firesteel/firesteel/spark/javaser"
)

// ErrUnknownClass tells that a table has no such class: the releases it stands for do not have it, or it is not one
// that crosses the wire.
var ErrUnknownClass = errors.New("class is not in the release table")

// Table is what the releases of one build put on the wire: every class of the deploy protocol with the serialVersionUID,
// flags and fields it has there. Tables and their descriptors are shared and immutable.
type Table struct {
	build    Build
	scala    string
	releases []Release // oldest first, never empty
	classes  map[string]*javaser.ClassDesc
}

// Release is what is known of one Spark release beyond its table.
type Release struct {
	Version       string   `json:"version"`       // of Spark: "3.5.7"
	ScalaLibrary  string   `json:"scalaLibrary"`  // "2.12.18"
	ProbeSUID     int64    `json:"probe,string"`  // serialVersionUID of ProbeClass
	ModuleOptions []string `json:"moduleOptions"` // what JavaModuleOptions puts into every executor's javaOpts (see VersionHint)
}

// Name is the newest release that the table was checked against, with its Scala version: "3.5.9/2.12".
func (t *Table) Name() string { return t.newest().Version + "/" + t.scala }

// Scala is the dialect: "2.12" or "2.13". It decides how collections and singletons are written (package scala).
func (t *Table) Scala() string { return t.scala }

// Build is what the table's releases have in common on the wire.
func (t *Table) Build() Build { return t.build }

// Releases are the Spark releases whose jars gave exactly this table, oldest first. Others may have it too: patch
// releases have not been seen to change it.
func (t *Table) Releases() []Release { return slices.Clone(t.releases) }

// Newest is the newest of them.
func (t *Table) Newest() Release { return t.newest() }

func (t *Table) newest() Release { return t.releases[len(t.releases)-1] }

// Class gives a class by its binary name ("org.apache.spark.rpc.RpcAddress", "[Ljava.lang.String;"). The error wraps ErrUnknownClass.
func (t *Table) Class(name string) (*javaser.ClassDesc, error) {
	if d, ok := t.lookup(name); ok {
		return d, nil
	}
	return nil, fmt.Errorf("%w: %s in the table of Spark %s", ErrUnknownClass, name, t.Name())
}

func (t *Table) lookup(name string) (*javaser.ClassDesc, bool) {
	if d, ok := t.classes[name]; ok {
		return d, true
	}
	d, ok := classfile.JDK(name)
	return d, ok
}

// suid is the serialVersionUID of a class of the table, 0 if it has none.
func (t *Table) suid(class string) int64 {
	if d, ok := t.classes[class]; ok {
		return d.SUID
	}
	return 0
}

// Names lists the Spark and Scala classes of the table, sorted. Class knows a few of the JDK besides.
func (t *Table) Names() []string { return slices.Sorted(maps.Keys(t.classes)) }

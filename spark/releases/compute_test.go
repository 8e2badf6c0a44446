package releases

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/classfile/classfiletest"
)

func compute(t *testing.T, s fakeSpark) *Table {
	t.Helper()
	jars, err := FindJars(filepath.Join(s.install(t), "jars"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := Compute(jars)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestCompute(t *testing.T) {
	t.Parallel()
	table := compute(t, fakeSpark{version: "9.1.2", scala: "2.13", ref: 1 << 32, profile: 2 << 32, probe: 7, options: []string{"-a"}})
	want := []string{
		deployMessages + "MasterInStandby$", deployMessages + "RegisterWorker", // neither the companion nor what is not serializable
		resourceProfile, endpointRef, checkExistence, "scala.None$",
	}
	if got := table.Names(); !slices.Equal(got, want) {
		t.Errorf("classes %v, want %v", got, want)
	}
	r := table.Releases()
	if len(r) != 1 || r[0].Version != "9.1.2" || r[0].ScalaLibrary != "2.13.99" || r[0].ProbeSUID != 7 || !slices.Equal(r[0].ModuleOptions, []string{"-a"}) {
		t.Errorf("release %+v", r)
	}
	if table.Build() != "x00000001.00000002/2.13" || table.Name() != "9.1.2/2.13" || table.Scala() != "2.13" {
		t.Errorf("build %q, name %q", table.Build(), table.Name())
	}
	var file bytes.Buffer
	if _, err := table.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	again, err := ReadTable(&file)
	if err != nil || len(Differences(table, again)) != 0 || !table.equal(again) {
		t.Errorf("written and read: %v, differs in %v", err, Differences(table, again))
	}
}

func TestComputeErrors(t *testing.T) {
	t.Parallel()
	if _, err := Compute(Jars{}); !errors.Is(err, ErrNoJars) {
		t.Errorf("got %v", err)
	}
	dir := t.TempDir()
	classfiletest.WriteJar(t, filepath.Join(dir, "spark-core_2.11-2.4.8.jar"))
	jars, err := FindJars(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compute(jars); !errors.Is(err, ErrNoJars) || !strings.Contains(err.Error(), "DeployMessages") {
		t.Errorf("got %v", err)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	base := fakeSpark{version: "9.0.0", scala: "2.13", ref: 1 << 32, profile: 2 << 32, probe: 1, options: []string{"-a"}}
	with := func(change func(*fakeSpark)) *Table {
		s := base
		change(&s)
		return compute(t, s)
	}
	tables, note := Merge(nil, compute(t, base))
	if len(tables) != 1 || tables[0].Build() != "9.0/2.13" || !strings.Contains(note, "new table") {
		t.Fatalf("%v %q", tables, note)
	}
	tables, note = Merge(tables, with(func(s *fakeSpark) { s.version, s.probe = "9.1.0", 2 }))
	if len(tables) != 1 || len(tables[0].Releases()) != 2 || !strings.Contains(note, "equals") {
		t.Fatalf("%v %q", tables, note)
	}
	// a new message with the same two marks: another table, the same build
	tables, note = Merge(tables, with(func(s *fakeSpark) { s.version, s.messages = "9.2.0", []string{"NewMessage"} }))
	if len(tables) != 2 || tables[1].Build() != "9.0/2.13" || !strings.Contains(note, "+"+deployMessages+"NewMessage") {
		t.Fatalf("%v %q", tables, note)
	}
	// a changed mark: a build of its own; the feature release's name is taken by then
	tables, _ = Merge(tables, with(func(s *fakeSpark) { s.version, s.profile = "9.0.7", 3<<32 }))
	if len(tables) != 3 || tables[2].Build() != "9.0.7/2.13" {
		t.Fatalf("%v", tables[2].Build())
	}
	// an older release joins a table: its build keeps its name, though the file is named after the oldest
	tables, _ = Merge(tables, with(func(s *fakeSpark) { s.version = "8.9.9" }))
	if len(tables) != 3 || tables[0].Build() != "9.0/2.13" || tables[0].FileName() != "spark-8.9.9_2.13.jsonl" || tables[0].Name() != "9.1.0/2.13" {
		t.Fatalf("%v %v", tables[0].FileName(), tables[0].Name())
	}
	// a release computed again moves instead of being there twice
	tables, _ = Merge(tables, with(func(s *fakeSpark) { s.version, s.profile = "9.0.7", 2<<32 }))
	versions := []string{}
	for _, table := range tables {
		for _, r := range table.Releases() {
			versions = append(versions, r.Version)
		}
	}
	if !slices.Equal(versions, []string{"8.9.9", "9.0.0", "9.0.7", "9.1.0", "9.2.0"}) {
		t.Errorf("releases %v", versions)
	}
}

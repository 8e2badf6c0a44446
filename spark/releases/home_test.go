package releases

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/classfile/classfiletest"
)

// fakeSpark says what the jars of a made-up distribution hold.
type fakeSpark struct {
	version, scala string
	ref, profile   int64    // declared serialVersionUIDs
	probe          int64    // 0 for none
	options        []string // nil for no JavaModuleOptions class
	messages       []string // DeployMessages besides RegisterWorker
}

// declared is a serializable class that declares its serialVersionUID.
func declared(name string, suid int64) classfiletest.Class {
	return classfiletest.Class{Name: name, Interfaces: []string{classfiletest.Serializable}, Fields: []classfiletest.Member{
		{Access: 0x1A, Name: "serialVersionUID", Descriptor: "J", Constant: &suid},
	}}
}

// install writes the distribution's jars and gives its home.
func (s fakeSpark) install(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	core := []classfiletest.Class{
		declared(endpointRef, s.ref), declared(resourceProfile, s.profile), declared(checkExistence, 1),
		declared(deployMessages+"RegisterWorker", 2), declared(deployMessages+"RegisterWorker$", 3),
		declared(deployMessages+"MasterInStandby$", 4), {Name: deployMessages + "RegisterWorkerResponse"}, declared(strings.TrimSuffix(deployMessages, "$")+"$", 5),
	}
	for _, m := range s.messages {
		core = append(core, declared(deployMessages+m, 6))
	}
	if s.probe != 0 {
		core = append(core, declared(ProbeClass, s.probe))
	}
	jars := filepath.Join(home, "jars")
	classfiletest.WriteJar(t, filepath.Join(jars, "spark-core_"+s.scala+"-"+s.version+".jar"), core...)
	classfiletest.WriteJar(t, filepath.Join(jars, "scala-library-"+s.scala+".99.jar"), declared("scala.None$", 9))
	classfiletest.WriteJar(t, filepath.Join(jars, "zookeeper-3.9.jar"))
	if s.options != nil {
		classfiletest.WriteJar(t, filepath.Join(jars, "spark-launcher_"+s.scala+"-"+s.version+".jar"),
			classfiletest.Class{Name: moduleOptions, Strings: append([]string{"spark.not.an.option"}, s.options...)})
	}
	return home
}

func TestInspectHome(t *testing.T) {
	t.Parallel()
	dir := fakeSpark{version: "9.1.0-SNAPSHOT", scala: "2.13", ref: 0x1111111122222222, profile: 0x3333333344444444, probe: -5, options: []string{"-a", "-b"}}.install(t)
	h, err := InspectHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	if h.Dir != dir || h.Version != "9.1.0-SNAPSHOT" || h.Scala != "2.13" || h.Build != "x11111111.33333333/2.13" || h.ProbeSUID != -5 || !slices.Equal(h.ModuleOptions, []string{"-a", "-b"}) {
		t.Errorf("got %+v", h)
	}
	if err := os.WriteFile(filepath.Join(dir, "RELEASE"), []byte("Spark 9.1.0 (git revision abc) built for Hadoop 3.4.1\nBuild flags: -Pyarn\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if h, err = InspectHome(dir); err != nil || h.Version != "9.1.0" {
		t.Errorf("with a RELEASE file: %+v, %v", h, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "RELEASE"), []byte("something else\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if h, err = InspectHome(dir); err != nil || h.Version != "9.1.0-SNAPSHOT" {
		t.Errorf("with a strange RELEASE file: %+v, %v", h, err)
	}
}

// TestInspectHomeOfKnownBuild: the same rule names a home and the applications of it.
func TestInspectHomeOfKnownBuild(t *testing.T) {
	t.Parallel()
	known := tableOf(t, "4.1.4", "2.13")
	dir := fakeSpark{version: "4.1.9", scala: "2.13", ref: known.suid(endpointRef), profile: known.suid(resourceProfile)}.install(t)
	h, err := InspectHome(dir)
	if err != nil || h.Build != "4.1/2.13" || h.ProbeSUID != 0 || h.ModuleOptions != nil {
		t.Errorf("got %+v, %v", h, err)
	}
	app, _, err := Identify(suidsOf(t, "4.1.4", "2.13", registerApp))
	if err != nil || app != h.Build {
		t.Errorf("application is %q, home %q, %v", app, h.Build, err)
	}
}

func TestInspectHomeErrors(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	noCore := t.TempDir()
	classfiletest.WriteJar(t, filepath.Join(noCore, "jars", "spark-sql_2.13-4.1.4.jar"))
	for _, dir := range []string{empty, noCore, filepath.Join(empty, "missing")} {
		if _, err := InspectHome(dir); !errors.Is(err, ErrNoJars) || !strings.Contains(err.Error(), dir) {
			t.Errorf("got %v", err)
		}
	}
	two := fakeSpark{version: "4.1.4", scala: "2.13"}.install(t)
	classfiletest.WriteJar(t, filepath.Join(two, "jars", "spark-core_2.12-3.5.7.jar"))
	if _, err := InspectHome(two); err == nil || errors.Is(err, ErrNoJars) || !strings.Contains(err.Error(), "mixed") {
		t.Errorf("two releases in one folder: %v", err)
	}
	hollow := t.TempDir()
	classfiletest.WriteJar(t, filepath.Join(hollow, "jars", "spark-core_2.13-4.1.4.jar"))
	if _, err := InspectHome(hollow); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("a core jar without classes: %v", err)
	}
	broken := t.TempDir()
	classfiletest.WriteJar(t, filepath.Join(broken, "jars", "x.jar"))
	if err := os.WriteFile(filepath.Join(broken, "jars", "spark-core_2.13-4.1.4.jar"), []byte("PK\x03\x04"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := InspectHome(broken); err == nil || !strings.Contains(err.Error(), "spark-core") {
		t.Errorf("a broken core jar: %v", err)
	}
}

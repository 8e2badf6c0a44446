package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/classfile/classfiletest"
	"github.com/firesteel/firesteel/spark/releases"
)

// fakeJars writes a folder with the least that passes for a Spark distribution.
func fakeJars(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	message := classfiletest.Class{Name: "org.apache.spark.deploy.DeployMessages$RegisterWorker", Interfaces: []string{classfiletest.Serializable}}
	probe := classfiletest.Class{Name: releases.ProbeClass, Interfaces: []string{classfiletest.Serializable}}
	options := classfiletest.Class{Name: "org.apache.spark.launcher.JavaModuleOptions", Strings: []string{"-a"}}
	classfiletest.WriteJar(t, filepath.Join(dir, "spark-core_2.13-"+version+".jar"), message, probe, options)
	return dir
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "README.md"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if err := generate(&log, []string{fakeJars(t, "9.1.0")}, out, false); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(files(t, out), " "); got != "README.md spark-9.1.0_2.13.jsonl" {
		t.Errorf("files %s", got)
	}
	// an older release with the same table: the file is renamed, nothing else is touched
	if err := generate(&log, []string{fakeJars(t, "9.0.0")}, out, false); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(files(t, out), " "); got != "README.md spark-9.0.0_2.13.jsonl" {
		t.Errorf("files %s", got)
	}
	tables, err := readTables(out)
	if err != nil || len(tables) != 1 || len(tables[0].Releases()) != 2 || tables[0].Build() != "9.1/2.13" {
		t.Errorf("tables %v, %v", tables, err)
	}
	if !strings.Contains(log.String(), "Spark 9.0.0/2.13 equals the table of build 9.1/2.13") {
		t.Errorf("log %q", &log)
	}
	if err := generate(&log, []string{fakeJars(t, "9.5.0")}, out, true); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(files(t, out), " "); got != "README.md spark-9.5.0_2.13.jsonl" {
		t.Errorf("fresh: files %s", got)
	}
}

func TestGenerateErrors(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if err := generate(&bytes.Buffer{}, nil, out, false); err == nil || !strings.Contains(err.Error(), "--home") {
		t.Errorf("got %v", err)
	}
	if err := generate(&bytes.Buffer{}, []string{t.TempDir()}, out, false); err == nil {
		t.Error("a folder without jars: no error")
	}
	if err := os.WriteFile(filepath.Join(out, "broken.jsonl"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := generate(&bytes.Buffer{}, []string{fakeJars(t, "9.1.0")}, out, false); err == nil || !strings.Contains(err.Error(), "broken.jsonl") {
		t.Errorf("got %v", err)
	}
	if got := files(t, out); len(got) != 1 {
		t.Errorf("wrote %v in spite of an error", got)
	}
}

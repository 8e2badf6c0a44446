package scala

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/releases"
)

// dialects are the class tables of the releases that wrote the test vectors.
func dialects(t testing.TB) map[string]Dialect {
	t.Helper()
	out := map[string]Dialect{}
	for release, scala := range map[string]string{"3.5.7": "2.12", "4.1.4": "2.13"} {
		for _, table := range releases.Tables() {
			for _, r := range table.Releases() {
				if r.Version == release && table.Scala() == scala {
					out[release] = table
				}
			}
		}
		if out[release] == nil {
			t.Fatalf("no table for Spark %s", release)
		}
	}
	return out
}

func decode(t testing.TB, b []byte) javaser.Value {
	t.Helper()
	v, err := javaser.Decode(b, javaser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// overTheWire is what a peer reads of a value that we write.
func overTheWire(t testing.TB, v javaser.Value) javaser.Value {
	t.Helper()
	b, err := javaser.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, b)
}

func collection(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "collections", filepath.FromSlash(name)+".ser"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

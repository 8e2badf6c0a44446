package releases_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/releases"
)

// captures are payloads of traffic between Spark's own processes, kept with the decoder's tests.
const captures = "../javaser/testdata/captures"

// captured decodes the first payload of a release whose file name ends in name and collects what its descriptors say.
func captured(t *testing.T, version, name string) (javaser.Value, map[string]int64) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(captures, version, "*"+name+".ser"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no capture of %s in %s, %v", name, version, err)
	}
	data, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	v, err := javaser.Decode(data, javaser.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	suids := make(map[string]int64)
	javaser.VisitClasses(v, func(d *javaser.ClassDesc) { suids[d.Name] = d.SUID })
	return v, suids
}

// TestStockTraffic: Spark's own processes are recognised from their first messages.
func TestStockTraffic(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]struct {
		scala               string
		application, worker releases.Build
		hint                string
	}{
		"3.5.7": {"2.12", "3.4/2.12", "3.4/2.12", ""},
		"4.1.4": {"2.13", "4.1/2.13", "4.1/2.13|4.3/2.13", "4.1"},
	} {
		_, suids := captured(t, version, "CheckExistence")
		table, err := releases.ByCheckExistence(suids["org.apache.spark.rpc.netty.RpcEndpointVerifier$CheckExistence"])
		if err != nil || table.Scala() != want.scala {
			t.Errorf("%s: CheckExistence gives %v, %v", version, table, err)
		}
		_, suids = captured(t, version, "RegisterWorker")
		if b, _, err := releases.Identify(suids); err != nil || b != want.worker {
			t.Errorf("%s: the worker is %q, %v; want %q", version, b, err, want.worker)
		}
		app, suids := captured(t, version, "RegisterApplication")
		b, table, err := releases.Identify(suids)
		if err != nil || b != want.application || table.Build() != b {
			t.Errorf("%s: the application is %q, %v; want %q", version, b, err, want.application)
		}
		if hint, ok := releases.VersionHint(b, jvmOptions(app)); hint != want.hint || ok != (want.hint != "") {
			t.Errorf("%s: the hint is %q, want %q", version, hint, want.hint)
		}
	}
}

// jvmOptions collects every string of a tree that looks like an option: it needs no knowledge of how Scala writes a Seq.
func jvmOptions(v javaser.Value) []string {
	var options []string
	switch v := v.(type) {
	case string:
		if strings.HasPrefix(v, "-") {
			options = append(options, v)
		}
	case *javaser.Array:
		for _, e := range v.Values {
			options = append(options, jvmOptions(e)...)
		}
	case *javaser.Object:
		for _, d := range v.Data {
			for _, e := range append(d.Values[:len(d.Values):len(d.Values)], d.Annotation...) {
				options = append(options, jvmOptions(e)...)
			}
		}
	}
	return options
}

// TestTrafficMatchesTables: every descriptor in Spark's own traffic is in the table, field for field.
func TestTrafficMatchesTables(t *testing.T) {
	t.Parallel()
	for version, scala := range map[string]string{"3.5.7": "2.12", "4.1.4": "2.13"} {
		paths, err := filepath.Glob(filepath.Join(captures, version, "*.ser"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no captures of %s, %v", version, err)
		}
		table := tableOf(t, version, scala)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			v, err := javaser.Decode(data, javaser.DefaultLimits())
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			javaser.VisitClasses(v, func(d *javaser.ClassDesc) { checkDesc(t, table, path, d) })
		}
	}
}

func tableOf(t *testing.T, version, scala string) *releases.Table {
	t.Helper()
	for _, table := range releases.Tables() {
		for _, r := range table.Releases() {
			if r.Version == version && table.Scala() == scala {
				return table
			}
		}
	}
	t.Fatalf("no table of Spark %s/%s", version, scala)
	return nil
}

func checkDesc(t *testing.T, table *releases.Table, path string, got *javaser.ClassDesc) {
	t.Helper()
	want, err := table.Class(got.Name)
	if err != nil {
		t.Errorf("%s: %v", filepath.Base(path), err)
		return
	}
	same := got.SUID == want.SUID && got.Flags == want.Flags && len(got.Fields) == len(want.Fields) && (got.Super == nil) == (want.Super == nil)
	for i := 0; same && i < len(got.Fields); i++ {
		same = got.Fields[i] == want.Fields[i]
	}
	if same && got.Super != nil {
		same = got.Super.Name == want.Super.Name
	}
	if !same {
		t.Errorf("%s: Spark sends\n%+v, the table has\n%+v", filepath.Base(path), got, want)
	}
}

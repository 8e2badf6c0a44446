package releases

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

func TestTableFilesAreAsGenerated(t *testing.T) {
	t.Parallel()
	for _, table := range Tables() {
		want, err := os.ReadFile(filepath.Join("tables", table.FileName()))
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := table.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s is not what its table is written as (edited by hand?), %v", table.FileName(), err)
		}
	}
}

// TestTablesHoldTogether: each has every message's classes, linked to shared superclasses, and names are unique.
func TestTablesHoldTogether(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for _, table := range Tables() {
		if names[table.Name()] || table.Build() == "" || !table.Build().Exact() {
			t.Errorf("table %q of build %q", table.Name(), table.Build())
		}
		names[table.Name()] = true
		ref, err := table.Class("org.apache.spark.rpc.netty.NettyRpcEndpointRef")
		if err != nil {
			t.Fatal(err)
		}
		super, err := table.Class(endpointRef)
		if err != nil || ref.Super != super || ref.Flags != javaser.FlagSerializable|javaser.FlagWriteMethod {
			t.Errorf("%s: %+v is not above %+v, %v", table.Name(), super, ref, err)
		}
		for _, class := range []string{"java.lang.Boolean", "java.lang.RuntimeException", "[Ljava.lang.StackTraceElement;", "java.util.concurrent.TimeUnit"} {
			if _, err := table.Class(class); err != nil {
				t.Error(err)
			}
		}
		if _, err := table.Class("java.util.HashMap"); !errors.Is(err, ErrUnknownClass) {
			t.Errorf("got %v", err)
		}
		for _, r := range table.Releases() {
			if r.ProbeSUID == 0 || len(r.ModuleOptions) < 10 {
				t.Errorf("Spark %s: %+v", r.Version, r)
			}
		}
	}
}

// TestMessagesAreOnePerDialect: ByCheckExistence may choose any table of a dialect because their messages are the same.
func TestMessagesAreOnePerDialect(t *testing.T) {
	t.Parallel()
	seen := make(map[string]int64)
	for _, table := range Tables() {
		for _, name := range table.Names() {
			if !strings.HasPrefix(name, deployMessages) && name != checkExistence {
				continue
			}
			key := table.Scala() + " " + name
			if suid, ok := seen[key]; ok && suid != table.suid(name) {
				t.Errorf("%s differs", key)
			}
			seen[key] = table.suid(name)
		}
	}
}

func TestReadTableRefusesNonsense(t *testing.T) {
	t.Parallel()
	const head = `{"build":"1.0/2.13","scala":"2.13","releases":[{"version":"1.0.0","probe":"1"}]}` + "\n"
	for name, text := range map[string]string{
		"empty":         "",
		"no header":     "{}\n",
		"no JSON":       "Spark\n",
		"bad row":       head + "[]\n",
		"SUID too big":  head + `{"n":"a","s":"9223372036854775808","f":2}` + "\n",
		"unknown super": head + `{"n":"a","s":"1","f":2,"p":"b"}` + "\n",
		"own super":     head + `{"n":"a","s":"1","f":2,"p":"b"}` + "\n" + `{"n":"b","s":"1","f":2,"p":"a"}` + "\n",
		"endless line":  head + strings.Repeat("x", maxRow+1),
	} {
		if table, err := ReadTable(strings.NewReader(text)); !errors.Is(err, errTableFile) {
			t.Errorf("%s: got %v, %v", name, table, err)
		}
	}
	if _, err := ReadTable(strings.NewReader(head + `{"n":"a","s":"-1","f":2,"p":"java.lang.IllegalStateException"}`)); err != nil {
		t.Error(err)
	}
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	ordered := []string{"", "3.4.4", "3.5", "3.5.0", "3.5.7", "3.5.10", "3.10.0", "4.0.0-SNAPSHOT", "4.0.0-preview2", "4.0.0", "4.0.0.1"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := CompareVersions(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("CompareVersions(%q, %q) = %d", a, b, got)
			}
		}
	}
	for version, want := range map[string]string{"3.5.7": "3.5", "4.4.0-SNAPSHOT": "4.4", "4": "4", "": ""} {
		if got := minor(version); got != want {
			t.Errorf("minor(%q) = %q", version, got)
		}
	}
}

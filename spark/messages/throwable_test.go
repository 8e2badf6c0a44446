package messages

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

// Exceptions as JVMs write them: with stack traces, causes, suppressed ones, and the fields of Spark's own classes.
func TestReadsRealExceptions(t *testing.T) {
	t.Parallel()
	for _, r := range runs {
		env := release(t, r.release, r.scala)
		read := func(name string) Message {
			b, err := os.ReadFile(filepath.Join("testdata", "exceptions", r.release, name+".ser"))
			if err != nil {
				t.Fatal(err)
			}
			m := mustDecode(t, b)
			if again := mustTree(t, mustEncode(t, m, env)); name != "DriverStateChanged" && !javaser.Equal(again, mustTree(t, b)) {
				t.Errorf("%s %s: passed on as another tree", r.release, name)
			}
			return m
		}
		const spark = "org.apache.spark.SparkException: Job aborted"
		if got := read("RpcFailure").(*RPCFailure).Cause.String(); got != spark {
			t.Errorf("%s: %s", r.release, got)
		}
		if got := read("IOException").(*RPCFailure).Cause.String(); got != "java.io.FileNotFoundException: /x" {
			t.Errorf("%s: %s", r.release, got)
		}
		changed := read("DriverStateChanged").(*DriverStateChanged)
		if changed.DriverID != "driver-1" || changed.State != DriverError || changed.Exception == nil || changed.Exception.String() != spark {
			t.Errorf("%s: %s", r.release, show(changed))
		}
	}
}

package releases

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

// What the classes of a message are, as a decoder collects them from its descriptors.
var (
	refClasses    = []string{"org.apache.spark.rpc.netty.NettyRpcEndpointRef", endpointRef, "org.apache.spark.rpc.RpcTimeout", "scala.concurrent.duration.FiniteDuration", "org.apache.spark.rpc.RpcEndpointAddress", "org.apache.spark.rpc.RpcAddress"}
	registerApp   = append([]string{deployMessages + "RegisterApplication", "org.apache.spark.deploy.ApplicationDescription", "org.apache.spark.deploy.Command", resourceProfile, "org.apache.spark.resource.ExecutorResourceRequest", "scala.collection.immutable.List$SerializationProxy", "scala.None$"}, refClasses...)
	registerWork  = append([]string{deployMessages + "RegisterWorker", "scala.collection.immutable.Map$EmptyMap$"}, refClasses...)
	requestSubmit = []string{deployMessages + "RequestSubmitDriver", "org.apache.spark.deploy.DriverDescription", "org.apache.spark.deploy.Command"}
)

func suidsOf(t *testing.T, version, scala string, classes []string) map[string]int64 {
	t.Helper()
	table := tableOf(t, version, scala)
	suids := map[string]int64{"java.lang.Integer": 1360826667806852920, "org.example.UserClass": 77}
	for _, c := range classes {
		if d, err := table.Class(c); err == nil {
			suids[c] = d.SUID
		}
	}
	return suids
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version, scala   string
		app, work, drive Build
	}{
		{"3.4.4", "2.12", "3.4/2.12", "3.4/2.12", "3.4/2.12"},
		{"3.5.7", "2.12", "3.4/2.12", "3.4/2.12", "3.4/2.12"},
		{"3.5.7", "2.13", "3.5/2.13", "3.5/2.13", "3.5/2.13|4.0/2.13|4.1/2.13|4.3/2.13"},
		{"4.0.1", "2.13", "4.0/2.13", "4.0/2.13", "3.5/2.13|4.0/2.13|4.1/2.13|4.3/2.13"},
		{"4.1.4", "2.13", "4.1/2.13", "4.1/2.13|4.3/2.13", "3.5/2.13|4.0/2.13|4.1/2.13|4.3/2.13"},
		{"4.2.1", "2.13", "4.1/2.13", "4.1/2.13|4.3/2.13", "3.5/2.13|4.0/2.13|4.1/2.13|4.3/2.13"},
		{"4.3.0", "2.13", "4.3/2.13", "4.1/2.13|4.3/2.13", "3.5/2.13|4.0/2.13|4.1/2.13|4.3/2.13"},
	} {
		for _, m := range []struct {
			classes []string
			want    Build
		}{{registerApp, c.app}, {registerWork, c.work}, {requestSubmit, c.drive}} {
			got, table, err := Identify(suidsOf(t, c.version, c.scala, m.classes))
			if err != nil || got != m.want {
				t.Errorf("Spark %s/%s, %s: got %q, %v; want %q", c.version, c.scala, m.classes[0], got, err, m.want)
				continue
			}
			alternatives := got.Alternatives()
			if table.Build() != alternatives[len(alternatives)-1] {
				t.Errorf("Spark %s: %q comes with the table of %q, not of the newest", c.version, got, table.Build())
			}
		}
	}
}

// TestIdentifyIgnoresScalasPatchRelease: FiniteDuration and collections move without Spark.
func TestIdentifyIgnoresScalasPatchRelease(t *testing.T) {
	t.Parallel()
	suids := suidsOf(t, "4.1.4", "2.13", registerApp)
	suids["scala.concurrent.duration.FiniteDuration"] = 1
	suids["scala.collection.immutable.ArraySeq"] = 2
	if got, _, err := Identify(suids); err != nil || got != "4.1/2.13" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestIdentifyNewRelease is what 4.3 was to the table of 4.1: a new ResourceProfile, everything else known.
func TestIdentifyNewRelease(t *testing.T) {
	t.Parallel()
	suids := suidsOf(t, "4.3.0", "2.13", registerApp)
	suids[resourceProfile] = 0x0badf00d00000001
	app, table, err := Identify(suids)
	if err != nil || table.Scala() != "2.13" || !strings.HasSuffix(string(app), ".0badf00d/2.13") {
		t.Fatalf("got %q, %v, %v", app, table, err)
	}
	if !app.Exact() || !app.Overlaps(app) || app.Overlaps("4.3/2.13") || !strings.Contains(app.Label(), "unknown") {
		t.Errorf("%q: exact %v, label %q", app, app.Exact(), app.Label())
	}
	suids = suidsOf(t, "4.3.0", "2.13", registerWork)
	suids[endpointRef] = 0x1234567800000001
	worker, _, err := Identify(suids)
	if err != nil || worker != "x12345678.?/2.13" || worker.Exact() {
		t.Errorf("worker: got %q, %v", worker, err)
	}
	suids = suidsOf(t, "4.3.0", "2.13", registerApp)
	suids[endpointRef] = 0x1234567800000001
	if app, _, err := Identify(suids); err != nil || !app.Overlaps(worker) || !worker.Overlaps(app) {
		t.Errorf("%q does not overlap %q, %v", app, worker, err)
	}
}

func TestIdentifyRefusesChangedMessages(t *testing.T) {
	t.Parallel()
	suids := suidsOf(t, "3.5.7", "2.12", registerApp)
	suids["org.apache.spark.rpc.RpcAddress"] = 3333
	build, table, err := Identify(suids)
	if !errors.Is(err, ErrUnknownBuild) || build != "" || table != nil {
		t.Fatalf("got %q, %v, %v", build, table, err)
	}
	for _, want := range []string{"RpcAddress (serialVersionUID 3333)", "Spark 3.4-3.5 (Scala 2.12)", "Spark 4.1-4.2 (Scala 2.13)", "Spark 4.3 (Scala 2.13)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	for _, suids := range []map[string]int64{nil, {"java.lang.Integer": 1360826667806852920}, {"scala.None$": 1}} {
		if build, _, err := Identify(suids); !errors.Is(err, ErrUnknownBuild) || build != "" {
			t.Errorf("%v: got %q, %v", suids, build, err)
		}
	}
}

func TestIdentifyMixedDialects(t *testing.T) {
	t.Parallel()
	suids := suidsOf(t, "3.5.7", "2.12", registerApp)
	maps.Copy(suids, suidsOf(t, "4.1.4", "2.13", []string{"org.apache.spark.rpc.RpcAddress"}))
	if build, _, err := Identify(suids); !errors.Is(err, ErrUnknownBuild) {
		t.Errorf("got %q, %v", build, err)
	}
}

func TestByCheckExistence(t *testing.T) {
	t.Parallel()
	for suid, want := range map[int64]string{7789290765573734431: "2.12", 5378738997755484868: "2.13"} {
		table, err := ByCheckExistence(suid)
		if err != nil || table.Scala() != want {
			t.Errorf("%d: got %v, %v", suid, table, err)
		}
	}
	_, err := ByCheckExistence(42)
	if !errors.Is(err, ErrUnknownBuild) || !strings.Contains(err.Error(), "42") || !strings.Contains(err.Error(), "Spark 3.4-3.5 (Scala 2.12)") {
		t.Errorf("got %v", err)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b Build
		want bool
	}{
		{"4.1/2.13", "4.1/2.13", true},
		{"4.1/2.13", "4.3/2.13", false},
		{"4.1/2.13|4.3/2.13", "4.3/2.13", true},
		{"4.1/2.13|4.3/2.13", "4.0/2.13", false},
		{"4.1/2.13|4.3/2.13", "4.0/2.13|4.1/2.13", true},
		{"3.5/2.13", "3.4/2.12", false},
		{"", "", false},
		{"", "4.1/2.13", false},
		{"x1.2/2.13", "x1.2/2.13", true},
		{"x1.?/2.13", "x1.2/2.13", true},
		{"x1.?/2.13", "x1.2/2.12", false},
		{"x1.?/2.13", "x?.2/2.13", false},
		{"x?.2/2.13", "x1.2/2.13", true},
		{"x1.?/2.13", "x2.?/2.13", false},
		{"nonsense", "4.1/2.13", false},
		{"x/", "x/2.13", false},
		{Build("x" + strings.Join([]string{shorten(-6062078299962416402), shorten(-2517983430696660228)}, ".") + "/2.13"), "4.1/2.13", true}, // stored before we knew 4.1
	} {
		if got := c.a.Overlaps(c.b); got != c.want || c.b.Overlaps(c.a) != c.want {
			t.Errorf("%q and %q overlap: %v, want %v", c.a, c.b, got, c.want)
		}
	}
	for b, want := range map[Build]string{
		"4.1/2.13":          "Spark 4.1-4.2 (Scala 2.13)",
		"4.1/2.13|4.3/2.13": "Spark 4.1-4.2 (Scala 2.13) or Spark 4.3 (Scala 2.13)",
		"":                  "an unknown Spark",
	} {
		if got := b.Label(); got != want {
			t.Errorf("%q: label %q, want %q", b, got, want)
		}
	}
}

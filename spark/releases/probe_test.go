package releases

import (
	"slices"
	"strings"
	"testing"

	"github.com/firesteel/firesteel/spark/javaser"
)

// TestQuestion: a question is a CheckExistence that a JVM can read, with the probe's class beside.
func TestQuestion(t *testing.T) {
	t.Parallel()
	for _, table := range Tables() {
		for _, guess := range []int64{0, table.newest().ProbeSUID} {
			q, err := table.Question("Worker", guess)
			if err != nil {
				t.Fatal(err)
			}
			b, err := javaser.Encode(q)
			if err != nil {
				t.Fatal(err)
			}
			tree, err := javaser.Decode(b, javaser.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			o := tree.(*javaser.Object)
			plain, _ := table.Class(checkExistence)
			name, _ := o.Get("name")
			probe, _ := o.Get(probeField)
			class, ok := probe.(*javaser.Class)
			if o.Class.SUID != plain.SUID || name != "Worker" || !ok || class.Desc.Name != ProbeClass || class.Desc.SUID == 0 || guess != 0 && class.Desc.SUID != guess {
				t.Errorf("%s: %+v", table.Name(), o)
			}
			if !slices.IsSortedFunc(o.Class.Fields, func(a, b javaser.Field) int { return strings.Compare(a.Name, b.Name) }) {
				t.Errorf("%s: fields out of order: %v", table.Name(), o.Class.Fields)
			}
			if len(plain.Fields) != 1 {
				t.Errorf("the table's own class was changed: %v", plain.Fields)
			}
		}
	}
}

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	const text = "java.io.InvalidClassException: org.apache.spark.TaskContext; local class incompatible: stream classdesc serialVersionUID = 1, local class serialVersionUID = -680335732533056488\n" +
		"\tat java.base/java.io.ObjectStreamClass.initNonProxy(ObjectStreamClass.java:597)"
	if n, ok := ReadAnswer(text); !ok || n != -680335732533056488 {
		t.Errorf("got %d, %v", n, ok)
	}
	if n, ok := ReadAnswer(WriteAnswer(5, -7)); !ok || n != -7 {
		t.Errorf("got %d, %v", n, ok)
	}
	for _, text := range []string{
		"", "java.io.InvalidClassException", strings.Replace(text, "TaskContext", "Other", 1),
		"InvalidClassException: org.apache.spark.TaskContext; local class incompatible: stream classdesc serialVersionUID = 1, local class serialVersionUID = 9223372036854775808",
		"InvalidClassException: org.apache.spark.TaskContext; local class incompatible: stream classdesc serialVersionUID = 1, local class serialVersionUID = 92233720368547758070000",
		"java.lang.ClassNotFoundException: org.apache.spark.TaskContext",
	} {
		if n, ok := ReadAnswer(text); ok {
			t.Errorf("%q: got %d", text, n)
		}
	}
}

// TestWorkerLabelsMeetDriverLabels: whatever release two peers are of, a worker's labels hold a driver's label if and
// only if they are of the same feature release and dialect.
func TestWorkerLabelsMeetDriverLabels(t *testing.T) {
	t.Parallel()
	type peer struct {
		version, scala string
		probe          int64
		app, worker    Build // as Identify tells them
	}
	var peers []peer
	for _, table := range Tables() {
		for _, r := range table.Releases() {
			app, _, err := Identify(suidsOf(t, r.Version, table.Scala(), registerApp))
			if err != nil {
				t.Fatal(err)
			}
			worker, _, err := Identify(suidsOf(t, r.Version, table.Scala(), registerWork))
			if err != nil {
				t.Fatal(err)
			}
			peers = append(peers, peer{r.Version, table.Scala(), r.ProbeSUID, app, worker})
		}
	}
	// A release that is to come: the messages and classes of 4.3, another ProbeClass; and one with a ResourceProfile of its own.
	peers = append(peers, peer{"4.4.0", "2.13", 44, "4.3/2.13", "4.1/2.13|4.3/2.13"}, peer{"4.5.0", "2.13", 45, "x12345678.9abcdef0/2.13", "x12345678.?/2.13"})
	for _, w := range peers {
		labels := WorkerLabels(w.worker, w.probe)
		for _, a := range peers {
			want := minor(w.version) == minor(a.version) && w.scala == a.scala
			if got := slices.Contains(labels, LabelByProbe(a.app, a.probe)); got != want {
				t.Errorf("worker %s/%s %v, driver %s/%s %s: %v", w.version, w.scala, labels, a.version, a.scala, LabelByProbe(a.app, a.probe), got)
			}
		}
	}
}

func TestProbeOf(t *testing.T) {
	t.Parallel()
	for _, table := range Tables() {
		for _, r := range table.Releases() {
			if got := ProbeOf(table.Build(), minor(r.Version)); got != r.ProbeSUID {
				t.Errorf("Spark %s: got %d, want %d", r.Version, got, r.ProbeSUID)
			}
		}
	}
	if got := ProbeOf("4.1/2.13", "4.3"); got != 0 {
		t.Errorf("a release of another build: %d", got)
	}
}

func TestGuess(t *testing.T) {
	t.Parallel()
	probe := func(version, scala string) int64 { return homeOf(t, version, scala).ProbeSUID }
	for b, want := range map[Build]int64{
		"3.4/2.12": probe("3.5.9", "2.12"), "4.1/2.13": probe("4.2.1", "2.13"), "4.1/2.13|4.3/2.13": probe("4.3.0", "2.13"), "4.0/2.13": probe("4.0.5", "2.13"),
		"": 0, "x12345678.?/2.13": 0,
	} {
		if got := b.Guess(); got != want {
			t.Errorf("%q: got %d, want %d", b, got, want)
		}
	}
}

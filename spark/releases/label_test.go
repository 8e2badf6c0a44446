package releases

import (
	"slices"
	"testing"
)

func TestLabel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		build            Build
		version, release string
	}{{"4.1/2.13", "4.2.1", "4.2"}, {"3.4/2.12", "3.5", "3.5"}, {"x12345678.9abcdef0/2.13", "9.0.0-SNAPSHOT", "9.0"}} {
		label := Label(c.build, c.version)
		if b, r := SplitLabel(label); b != c.build || r != c.release {
			t.Errorf("%q became %q, %q", label, b, r)
		}
		if b, r := SplitLabel(string(c.build)); b != c.build || r != "" {
			t.Errorf("a build alone: %q, %q", b, r)
		}
	}
	if Label("3.4/2.12", "3.4.4") == Label("3.4/2.12", "3.5.7") || Label("3.4/2.12", "3.5.7") != Label("3.4/2.12", "3.5.9") {
		t.Error("labels must differ between feature releases and be equal within one")
	}
}

func TestAppOf(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]App{
		"4.1/2.13":                   {Build: "4.1/2.13"},
		"4.1/2.13@4.2":               {Build: "4.1/2.13", Release: "4.2"},
		"4.1/2.13@4.2=4.2.1":         {Build: "4.1/2.13", Release: "4.2", Wish: "4.2.1"},
		LabelByProbe("4.3/2.13", -2): {Build: "?/2.13", ProbeSUID: -2},
		"4.1/2.13=4.2.1":             {Build: "4.1/2.13", Wish: "4.2.1"},
		"4.3/2.13@xyz":               {Build: "4.3/2.13"},
		"":                           {},
	} {
		if got := AppOf(label); got.Build != want.Build || got.Release != want.Release || got.Wish != want.Wish || got.ProbeSUID != want.ProbeSUID {
			t.Errorf("%q: got %+v", label, got)
		}
	}
}

func TestDescribeLabel(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]string{
		"4.1/2.13@4.2":             "Spark 4.2 (Scala 2.13)",
		"4.1/2.13@4.2=4.2.1":       "Spark 4.2.1 (Scala 2.13)",
		"3.4/2.12":                 "Spark 3.4-3.5 (Scala 2.12)",
		"?/2.13@x0000000000000001": "an unknown Spark release (Scala 2.13, its org.apache.spark.TaskContext has the serialVersionUID 1)",
		"":                         "an unknown Spark",
	} {
		if got := DescribeLabel(label); got != want {
			t.Errorf("%q: got %q, want %q", label, got, want)
		}
	}
}

// A home takes the applications of its feature release, those that ask for its version, and nothing else. One whose jars
// have another ProbeClass than the release of its name takes the drivers that have it too.
func TestHomeLabels(t *testing.T) {
	t.Parallel()
	h := homeOf(t, "4.2.1", "2.13")
	if got, want := h.Labels(), []string{"4.1/2.13", "4.1/2.13=4.2.1", "4.1/2.13@4.2", "4.1/2.13@4.2=4.2.1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	h.ProbeSUID = 1
	if got := LabelByProbe(h.Build, 1); !slices.Contains(h.Labels(), got) {
		t.Errorf("%v lacks %s", h.Labels(), got)
	}
	if home, ok := Match(AppOf(LabelByProbe(h.Build, 1)), []Home{homeOf(t, "4.1.4", "2.13"), h}); !ok || home.Version != "4.2.1" {
		t.Errorf("its driver is given %+v", home)
	}
}

// A worker finds the home for whatever it announced that it can run: what the scheduler gives it never fails for that.
func TestLabelsFindTheirHome(t *testing.T) {
	t.Parallel()
	changed, future := homeOf(t, "3.5.9", "2.12"), Home{Dir: "/opt/9", Version: "9.0.0", Scala: "2.13", Build: "x12345678.9abcdef0/2.13", ProbeSUID: 99}
	changed.Dir, changed.ProbeSUID = "/opt/ours", 98
	homes := []Home{homeOf(t, "3.4.4", "2.12"), homeOf(t, "3.5.7", "2.12"), homeOf(t, "4.0.5", "2.13"), homeOf(t, "4.1.4", "2.13"), homeOf(t, "4.2.1", "2.13"), homeOf(t, "4.3.0", "2.13"), changed, future}
	for _, h := range homes {
		for _, label := range h.Labels() {
			got, ok := Match(AppOf(label), homes)
			if !ok || minor(got.Version) != minor(h.Version) && AppOf(label).Release != "" {
				t.Errorf("%s of Spark %s finds %+v", label, h.Version, got)
			}
		}
	}
}

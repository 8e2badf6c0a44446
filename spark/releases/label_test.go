package releases

import "testing"

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

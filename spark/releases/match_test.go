package releases

import (
	"slices"
	"testing"
)

// homeOf makes the home of a release whose table we have, as InspectHome would find it.
func homeOf(t *testing.T, version, scala string) Home {
	t.Helper()
	table := tableOf(t, version, scala)
	for _, r := range table.Releases() {
		if r.Version == version {
			return Home{Dir: "/opt/" + version, Version: version, Scala: scala, Build: table.Build(), ProbeSUID: r.ProbeSUID, ModuleOptions: r.ModuleOptions}
		}
	}
	t.Fatal("unreachable: tableOf found the release")
	return Home{}
}

// javaOptsOf is what a driver of that release sends with no options of the user's.
func javaOptsOf(t *testing.T, version, scala string) []string {
	t.Helper()
	return append([]string{"-Dspark.driver.port=33029", "-Djava.net.preferIPv6Addresses=false"}, homeOf(t, version, scala).ModuleOptions...)
}

func TestVersionHint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		build Build
		opts  []string
		want  string
	}{
		{"4.1/2.13", javaOptsOf(t, "4.1.4", "2.13"), "4.1"},
		{"4.1/2.13", javaOptsOf(t, "4.2.0", "2.13"), "4.2"},
		{"4.1/2.13", javaOptsOf(t, "4.2.1", "2.13"), "4.2"},
		{"4.3/2.13", javaOptsOf(t, "4.3.0", "2.13"), "4.3"},
		{"4.0/2.13", javaOptsOf(t, "4.0.5", "2.13"), "4.0"},
		{"4.1/2.13", append(javaOptsOf(t, "4.1.4", "2.13"), "-XX:+UseG1GC"), "4.1"},
		{"4.1/2.13|4.3/2.13", javaOptsOf(t, "4.1.4", "2.13"), "4.1"},
		{"4.1/2.13|4.3/2.13", javaOptsOf(t, "4.2.1", "2.13"), ""}, // 4.2 and 4.3 have the same options
		{"3.4/2.12", javaOptsOf(t, "3.5.7", "2.12"), ""},          // as 3.4 and 3.5 have
		{"4.1/2.13", []string{"-XX:+UseG1GC"}, ""},
		{"4.1/2.13", append(javaOptsOf(t, "4.1.4", "2.13"), javaOptsOf(t, "4.2.1", "2.13")...), ""},
		{"x12345678.9abcdef0/2.13", javaOptsOf(t, "4.1.4", "2.13"), ""},
		{"", javaOptsOf(t, "4.1.4", "2.13"), ""},
	} {
		if got, ok := VersionHint(c.build, c.opts); got != c.want || ok != (c.want != "") {
			t.Errorf("build %q, options %v: got %q, %v; want %q", c.build, c.opts, got, ok, c.want)
		}
	}
}

// TestProbeTellsFeatureReleases: every feature release has a value of its own.
func TestProbeTellsFeatureReleases(t *testing.T) {
	t.Parallel()
	for _, table := range Tables() {
		for _, r := range table.Releases() {
			if got, ok := ReleaseByProbe(r.ProbeSUID); !ok || got != minor(r.Version) {
				t.Errorf("Spark %s: probe says %q, %v", r.Version, got, ok)
			}
		}
	}
	if got, ok := ReleaseByProbe(1); ok {
		t.Errorf("1 is %q", got)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	h344, h357, h359 := homeOf(t, "3.4.4", "2.12"), homeOf(t, "3.5.7", "2.12"), homeOf(t, "3.5.9", "2.12")
	h401, h414, h421, h430 := homeOf(t, "4.0.1", "2.13"), homeOf(t, "4.1.4", "2.13"), homeOf(t, "4.2.1", "2.13"), homeOf(t, "4.3.0", "2.13")
	custom357, bare := h357, h421
	custom357.Dir = "/opt/ours"
	bare.ModuleOptions, bare.ProbeSUID = nil, 0
	future := Home{Dir: "/opt/9", Version: "9.0.0", Scala: "2.13", Build: "x12345678.9abcdef0/2.13", ModuleOptions: []string{"-new"}}
	all := []Home{h357, h421, h344, h430, h359, h401, h414, future}
	for name, c := range map[string]struct {
		app   App
		homes []Home
		want  string // Dir, "" for none
	}{
		"build":                              {App{Build: "4.0/2.13"}, all, h401.Dir},
		"newest of the build":                {App{Build: "3.4/2.12"}, all, h359.Dir},
		"no home of the build":               {App{Build: "3.5/2.13"}, all, ""},
		"nothing known":                      {App{}, all, ""},
		"no homes":                           {App{Build: "4.0/2.13"}, nil, ""},
		"probe tells 3.4 from 3.5":           {App{Build: "3.4/2.12", ProbeSUID: h344.ProbeSUID}, all, h344.Dir},
		"probe takes the newest patch":       {App{Build: "3.4/2.12", ProbeSUID: h357.ProbeSUID}, all, h359.Dir},
		"probe excludes":                     {App{Build: "3.4/2.12", ProbeSUID: h344.ProbeSUID}, []Home{h357, h359}, ""},
		"probe of a home that has none":      {App{Build: "4.1/2.13", ProbeSUID: h421.ProbeSUID}, []Home{bare}, bare.Dir},
		"release":                            {App{Build: "3.4/2.12", Release: "3.4"}, all, h344.Dir},
		"release takes the newest patch":     {App{Build: "3.4/2.12", Release: "3.5"}, all, h359.Dir},
		"release excludes":                   {App{Build: "3.4/2.12", Release: "3.4"}, []Home{h357, h359}, ""},
		"wish against the release":           {App{Build: "3.4/2.12", Release: "3.4", Wish: "3.5.7"}, all, h357.Dir},
		"options tell 4.1":                   {App{Build: "4.1/2.13", JavaOpts: javaOptsOf(t, "4.1.4", "2.13")}, all, h414.Dir},
		"options tell 4.2":                   {App{Build: "4.1/2.13", JavaOpts: javaOptsOf(t, "4.2.1", "2.13")}, all, h421.Dir},
		"options exclude":                    {App{Build: "4.1/2.13", JavaOpts: javaOptsOf(t, "4.1.4", "2.13")}, []Home{h421, h430}, ""},
		"options of nobody":                  {App{Build: "4.1/2.13", JavaOpts: []string{"-Xss4m"}}, all, h421.Dir},
		"alternatives: newest":               {App{Build: "4.0/2.13|4.1/2.13|4.3/2.13"}, all, h430.Dir},
		"alternatives: options":              {App{Build: "4.1/2.13|4.3/2.13", JavaOpts: javaOptsOf(t, "4.1.4", "2.13")}, all, h414.Dir},
		"unknown release finds its home":     {App{Build: "x12345678.9abcdef0/2.13", JavaOpts: []string{"-new"}}, all, future.Dir},
		"wish":                               {App{Build: "3.4/2.12", Wish: "3.5.7"}, all, h357.Dir},
		"wish against the build":             {App{Build: "3.4/2.12", Wish: "4.0.1"}, all, h401.Dir},
		"wish nobody can grant":              {App{Build: "3.4/2.12", Wish: "3.5.6"}, all, ""},
		"wish without a build":               {App{Wish: "4.3.0"}, all, h430.Dir},
		"first of equals":                    {App{Build: "3.4/2.12"}, []Home{h357, custom357}, h357.Dir},
		"first of equals, other order":       {App{Build: "3.4/2.12"}, []Home{custom357, h357}, custom357.Dir},
		"home without options, hint against": {App{Build: "4.1/2.13", JavaOpts: javaOptsOf(t, "4.1.4", "2.13")}, []Home{bare}, ""},
		"home without options, hint for":     {App{Build: "4.1/2.13", JavaOpts: javaOptsOf(t, "4.2.1", "2.13")}, []Home{bare}, bare.Dir},
	} {
		got, ok := Match(c.app, c.homes)
		if got.Dir != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q, %v; want %q", name, got.Dir, ok, c.want)
		}
	}
	if !slices.Equal(all[0].ModuleOptions, h357.ModuleOptions) {
		t.Error("Match changed its input")
	}
}

func TestModuleOptions(t *testing.T) {
	t.Parallel()
	for label, want := range map[string][]string{
		"3.4/2.12@3.5": homeOf(t, "3.5.9", "2.12").ModuleOptions, "4.3/2.13": homeOf(t, "4.3.0", "2.13").ModuleOptions, "4.1/2.13@4.1": homeOf(t, "4.1.4", "2.13").ModuleOptions, "9.9/2.12": nil,
	} {
		if got := ModuleOptions(label); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", label, got, want)
		}
	}
}

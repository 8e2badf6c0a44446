package releases

// App is what is known of the Spark release of an application that wants an executor or a driver.
type App struct {
	Build     Build    // from Identify
	Release   string   // the feature release ("3.5"), if something told it (VersionHint, ReleaseByProbe, SplitLabel); "" if not
	JavaOpts  []string // ApplicationDescription.command.javaOpts; see VersionHint
	ProbeSUID int64    // what the driver's ProbeClass is, if it was asked; 0 if not
	Wish      string   // an exact version that somebody asked for ("3.5.7"); "" for none
}

// HomeWish is the variable in an application's executor environment by which it asks for one exact version of Spark:
// spark.executorEnv.FIRESTEEL_SPARK_VERSION=3.5.7.
const HomeWish = "FIRESTEEL_SPARK_VERSION"

// DriverRun is the variable in an application's executor environment that names the run of the cluster-mode driver which
// started it. DriverRunOption is the JVM option by which a driver is given it: Spark passes spark.executorEnv.* on.
const DriverRun = "FIRESTEEL_DRIVER_ID"

// DriverRunOption: see DriverRun.
func DriverRunOption(runID string) string { return "-Dspark.executorEnv." + DriverRun + "=" + runID }

// Match picks the home that the application can run on. A wish wins over everything else known, and is not replaced by
// another version when no home has it. Otherwise the home must be of the application's build and, as far as is known, of
// its feature release: executors of another one fail on their first task. Where the ProbeClass of both is known, it
// decides. Of several, the newest version is taken, then the first in the list.
//
// Where the release of an application of 3.4 or 3.5 is not known, which its options do not tell, a 3.5 is taken.
func Match(app App, homes []Home) (Home, bool) {
	var best Home
	var bestRank, found = rank{}, false
	for _, h := range homes {
		r, ok := app.rank(h)
		if ok && (!found || r.better(bestRank)) {
			best, bestRank, found = h, r, true
		}
	}
	return best, found
}

// rank orders the homes that fit.
type rank struct {
	sameBuild bool // matters only under a wish
	options   int  // how many default JVM options of the home the application was given
	version   string
}

func (r rank) better(o rank) bool {
	switch {
	case r.sameBuild != o.sameBuild:
		return r.sameBuild
	case r.options != o.options:
		return r.options > o.options
	}
	return CompareVersions(r.version, o.version) > 0
}

func (app App) rank(h Home) (rank, bool) {
	sameProbe := app.ProbeSUID != 0 && app.ProbeSUID == h.ProbeSUID // one number, one release, whatever we know of either
	r := rank{sameBuild: sameProbe || app.Build.Overlaps(h.Build), version: h.Version}
	switch {
	case app.Wish != "":
		return r, app.Wish == h.Version
	case !r.sameBuild || app.Release != "" && app.Release != minor(h.Version):
		return r, false
	case app.ProbeSUID != 0 && h.ProbeSUID != 0:
		return r, app.ProbeSUID == h.ProbeSUID
	case containsAll(app.JavaOpts, h.ModuleOptions):
		r.options = len(h.ModuleOptions)
		return r, true
	}
	// The home's drivers would have given other options. That excludes it if we know whose options these are.
	feature, known := VersionHint(app.Build, app.JavaOpts)
	return r, !known || feature == minor(h.Version)
}

package releases

import "slices"

// VersionHint tells the feature release ("4.2") of an application of a known build from the JVM options in its
// ApplicationDescription.command.javaOpts. SparkContext puts the defaults of JavaModuleOptions into them, whatever the user
// sets, and these differ between 4.1 and 4.2, which share a build. They do not differ between 3.4 and 3.5: then, and where
// the options are not there (a cluster-mode driver's command), ok is false.
func VersionHint(b Build, javaOpts []string) (featureRelease string, ok bool) {
	var fitting []Release
	for _, t := range load() {
		if !slices.Contains(b.Alternatives(), t.build) {
			continue
		}
		for _, r := range t.releases {
			if containsAll(javaOpts, r.ModuleOptions) {
				fitting = append(fitting, r)
			}
		}
	}
	for _, r := range fitting {
		dominated := slices.ContainsFunc(fitting, func(o Release) bool { return strictlyMore(o.ModuleOptions, r.ModuleOptions) })
		switch m := minor(r.Version); {
		case dominated:
		case featureRelease != "" && featureRelease != m:
			return "", false
		default:
			featureRelease = m
		}
	}
	return featureRelease, featureRelease != ""
}

// containsAll is false for an empty list of wanted options: nothing can be told from it.
func containsAll(have, want []string) bool {
	for _, o := range want {
		if !slices.Contains(have, o) {
			return false
		}
	}
	return len(want) > 0
}

// strictlyMore tells whether a has all of b's options and more.
func strictlyMore(a, b []string) bool { return containsAll(a, b) && !containsAll(b, a) }

// ModuleOptions are the options of JavaModuleOptions for an application with this label: of the newest release that it
// may be of.
func ModuleOptions(label string) []string {
	b, feature := SplitLabel(label)
	var found Release
	for _, t := range load() {
		if !slices.Contains(b.Alternatives(), t.build) {
			continue
		}
		for _, r := range t.releases {
			if (feature == "" || minor(r.Version) == feature) && (found.Version == "" || CompareVersions(r.Version, found.Version) > 0) {
				found = r
			}
		}
	}
	return slices.Clone(found.ModuleOptions)
}

package releases

import "strings"

// Label joins a build with the feature release ("4.2") that a version belongs to: "4.1/2.13@4.2". Two releases that
// share a build cannot run each other's executors, so this is what applications and homes are matched by, where the
// release is known. (Build.Label is a text for people.)
func Label(b Build, version string) string { return string(b) + "@" + minor(version) }

// SplitLabel takes a label apart; release is empty where the label is a build alone.
func SplitLabel(label string) (b Build, release string) {
	build, release, _ := strings.Cut(label, "@")
	return Build(build), release
}

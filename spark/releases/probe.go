package releases

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/firesteel/firesteel/spark/javaser"
)

// ProbeClass is a class of every Spark whose serialVersionUID is different in every feature release (3.4, 3.5, 4.0, 4.1,
// 4.2, 4.3) and the same in the patch releases of one that were looked at, even where the build is the same. It is never in a
// message of the deploy protocol, but a driver and its executors must agree on it.
//
// A peer tells what its own is when asked (Question).
const ProbeClass = "org.apache.spark.TaskContext"

// noGuess is no class's serialVersionUID as far as anybody knows: a question with it is always answered with the peer's own.
const noGuess = 1

// probeField is the field of a question that CheckExistence does not have. It sorts behind CheckExistence's own, "name".
const probeField = "probe"

// Question makes an ask to a peer's endpoint verifier by which its release is found out, without a side effect: a
// CheckExistence for an endpoint with one field more than the class has, which holds the java.lang.Class of ProbeClass
// with a serialVersionUID that is guessed (0: none). Java drops a field that a class does not have, but not before it
// has compared the number of every class that the field refers to. So a peer that has the guessed number answers as to any
// CheckExistence, with no word in its log; any other fails with the number that it has (ReadAnswer), at the cost of one
// exception there. Tried with Spark's own Worker and driver of 3.4 to 4.3.
func (t *Table) Question(endpoint string, guess int64) (*javaser.Object, error) {
	plain, err := t.Class(checkExistence)
	if err != nil {
		return nil, err
	}
	if guess == 0 {
		guess = noGuess
	}
	class := *plain
	class.Fields = append(slices.Clone(plain.Fields), javaser.Field{Name: probeField, Type: "Ljava/lang/Class;"})
	q := javaser.New(&class)
	if err := q.Set("name", endpoint); err != nil {
		return nil, fmt.Errorf("ask for a release: %w", err)
	}
	probe := &javaser.Class{Desc: &javaser.ClassDesc{Name: ProbeClass, SUID: guess, Flags: javaser.FlagSerializable}}
	if err := q.Set(probeField, probe); err != nil {
		return nil, fmt.Errorf("ask for a release: %w", err)
	}
	return q, nil
}

// mismatch is the text of java.io.ObjectStreamClass.initNonProxy for a class with another serialVersionUID.
var mismatch = regexp.MustCompile(`InvalidClassException: ` + regexp.QuoteMeta(ProbeClass) +
	`; local class incompatible: stream classdesc serialVersionUID = -?\d{1,19}, local class serialVersionUID = (-?\d{1,19})\b`)

// ReadAnswer takes the peer's number from the text by which it refused a Question.
func ReadAnswer(text string) (probe int64, ok bool) {
	m := mismatch.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	probe, err := strconv.ParseInt(m[1], 10, 64)
	return probe, err == nil
}

// WriteAnswer is what a Spark process whose ProbeClass has the number answers to a question with another one, for
// processes that stand in for Spark's.
func WriteAnswer(asked, probe int64) string {
	return fmt.Sprintf("java.io.InvalidClassException: %s; local class incompatible: stream classdesc serialVersionUID = %d, local class serialVersionUID = %d", ProbeClass, asked, probe)
}

// Guess is the number of ProbeClass in the newest release that the build may be of, 0 where no release of it is known.
func (b Build) Guess() (probe int64) {
	version := ""
	for _, x := range b.Alternatives() {
		if t, ok := ForBuild(x); ok && (version == "" || CompareVersions(t.newest().Version, version) > 0) {
			version, probe = t.newest().Version, t.newest().ProbeSUID
		}
	}
	return probe
}

// ProbeOf is the number of ProbeClass in a feature release of a build, 0 where it is not known.
func ProbeOf(b Build, featureRelease string) (probe int64) {
	for _, t := range load() {
		for _, r := range t.releases {
			if slices.Contains(b.Alternatives(), t.build) && minor(r.Version) == featureRelease {
				probe = r.ProbeSUID
			}
		}
	}
	return probe
}

// ReleaseByProbe tells the feature release whose ProbeClass has the given serialVersionUID.
func ReleaseByProbe(probe int64) (featureRelease string, ok bool) {
	_, featureRelease, ok = byProbe(probe)
	return featureRelease, ok
}

func byProbe(probe int64) (b Build, featureRelease string, ok bool) {
	for _, t := range load() {
		for _, r := range t.releases {
			if r.ProbeSUID == probe {
				return t.build, minor(r.Version), true
			}
		}
	}
	return "", "", false
}

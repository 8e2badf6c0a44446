package releases

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/firesteel/firesteel/spark/classfile"
)

// ErrNoJars tells that a folder does not hold a Spark distribution's jars.
var ErrNoJars = errors.New("no Spark jars")

// Jars are the jars of one Spark distribution that its wire protocol depends on.
type Jars struct {
	Dir          string
	Version      string // of Spark, by the name of spark-core: "3.5.7", "4.4.0-SNAPSHOT"
	Scala        string // the Scala version that Spark was built for: "2.12"
	ScalaLibrary string // the Scala library beside it: "2.12.18"; "" where it is missing
	paths        []string
}

var (
	coreJar  = regexp.MustCompile(`^spark-core_(\d+\.\d+)-(\d.*)\.jar$`)
	scalaJar = regexp.MustCompile(`^scala-library-(\d.*)\.jar$`)
	// Besides those two: modules that Spark 3.5 and later moved base classes to, and the launcher for its JVM options.
	otherJar = regexp.MustCompile(`^spark-(common-utils|common-utils-java|launcher|network-common|tags|kvstore)_\d+\.\d+-\d.*\.jar$`)
)

// FindJars looks into a folder of jars (SPARK_HOME/jars, or the jars folder of a pyspark package). It reads names only.
// The error wraps ErrNoJars when there is no spark-core among them.
func FindJars(dir string) (Jars, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Jars{}, fmt.Errorf("%w: %w", ErrNoJars, err)
	}
	jars := Jars{Dir: dir}
	var core, scala, others []string
	for _, e := range entries {
		name, path := e.Name(), filepath.Join(dir, e.Name())
		if m := coreJar.FindStringSubmatch(name); m != nil {
			jars.Scala, jars.Version = m[1], m[2]
			core = append(core, path)
		} else if m := scalaJar.FindStringSubmatch(name); m != nil {
			jars.ScalaLibrary = m[1]
			scala = append(scala, path)
		} else if otherJar.MatchString(name) {
			others = append(others, path)
		}
	}
	switch {
	case len(core) == 0:
		return Jars{}, fmt.Errorf("%w: %s has no spark-core_*.jar", ErrNoJars, dir)
	case len(core) > 1 || len(scala) > 1:
		return Jars{}, fmt.Errorf("two Spark or Scala releases are mixed in %s: %v %v", dir, core, scala)
	}
	jars.paths = slices.Concat(core, scala, others)
	return jars, nil
}

func (j Jars) open() (*classfile.ClassPath, error) {
	if len(j.paths) == 0 {
		return nil, fmt.Errorf("%w: use FindJars", ErrNoJars)
	}
	return classfile.OpenClassPath(j.paths...)
}

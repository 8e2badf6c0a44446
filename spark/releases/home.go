package releases

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/firesteel/firesteel/spark/classfile"
)

// Home is a Spark distribution installed on this machine, as InspectHome found it.
type Home struct {
	Dir           string
	Version       string   // of Spark: "3.5.7"
	Scala         string   // that Spark was built for: "2.12"
	Build         Build    // always exact; by the same rule for a release that is not in our tables
	ProbeSUID     int64    // serialVersionUID of its ProbeClass; 0 if it has none
	ModuleOptions []string // the JVM options that its drivers give to every executor; nil if they could not be read
}

// InspectHome looks at a SPARK_HOME or at the folder of an installed pyspark package. It reads a few classes from the
// jars (tens of milliseconds). The error wraps ErrNoJars when dir/jars is missing or has no spark-core.
func InspectHome(dir string) (Home, error) {
	jars, err := FindJars(filepath.Join(dir, "jars"))
	if err != nil {
		return Home{}, fmt.Errorf("inspect Spark home %s: %w (expected SPARK_HOME or the pyspark package folder)", dir, err)
	}
	cp, err := jars.open()
	if err != nil {
		return Home{}, fmt.Errorf("inspect Spark home %s: %w", dir, err)
	}
	defer cp.Close()
	h := Home{Dir: dir, Version: jars.Version, Scala: jars.Scala}
	if v, ok := releaseFile(dir); ok {
		h.Version = v
	}
	if err := h.read(cp); err != nil {
		return Home{}, fmt.Errorf("inspect Spark home %s: %w", dir, err)
	}
	return h, nil
}

func (h *Home) read(cp *classfile.ClassPath) error {
	f := fingerprint{scala: h.Scala}
	for class, half := range map[string]*string{endpointRef: &f.ref, resourceProfile: &f.profile} {
		d, err := classfile.Describe(cp, class)
		if err != nil {
			return err
		}
		*half = shorten(d.SUID)
	}
	h.Build = f.build()
	var err error
	if h.ProbeSUID, err = probe(cp); err != nil && !errors.Is(err, classfile.ErrNotFound) {
		return err
	}
	if h.ModuleOptions, err = readModuleOptions(cp); err != nil && !errors.Is(err, classfile.ErrNotFound) {
		return err
	}
	return nil
}

// maxReleaseFile bounds what is read of a RELEASE file, in bytes.
const maxReleaseFile = 4 << 10

// releaseFile takes the version from the first line of SPARK_HOME/RELEASE, "Spark 3.5.7 (git revision ...) built for
// Hadoop 3.3.4". A pyspark package has none.
func releaseFile(dir string) (version string, ok bool) {
	f, err := os.Open(filepath.Join(dir, "RELEASE"))
	if err != nil {
		return "", false
	}
	defer f.Close()
	buf := make([]byte, maxReleaseFile)
	n, _ := f.Read(buf) // an unreadable file is as good as none
	words := strings.Fields(string(buf[:n]))
	if len(words) < 2 || words[0] != "Spark" || number(strings.SplitN(words[1], ".", 2), 0) < 0 {
		return "", false
	}
	return words[1], true
}

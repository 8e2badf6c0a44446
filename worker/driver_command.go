package worker

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/firesteel/firesteel/spark/releases"
)

// driverComponent is the owner of a driver's addresses in a resources file.
const driverComponent = "spark.driver"

// BuildDriverCommand makes the command line and the environment of a driver as Spark's DriverRunner does. userJar is what
// {{USER_JAR}} stands for: the fetched file, or the driver's directory where there is none.
func BuildDriverCommand(spec DriverSpec, userJar string, cfg CommandConfig) (Launch, error) {
	c := child{
		command: spec.Command, sparkHome: spec.SparkHome, memoryMiB: spec.MemoryMiB,
		placeholders: map[string]string{"{{WORKER_URL}}": cfg.Identity.WorkerURL, "{{USER_JAR}}": userJar},
		env: map[string]string{
			"SPARK_DRIVER_LOG_URL_STDOUT": cfg.Identity.DriverLogURL(spec.RunID, "stdout"),
			"SPARK_DRIVER_LOG_URL_STDERR": cfg.Identity.DriverLogURL(spec.RunID, "stderr"),
		},
		first: []string{releases.DriverRunOption(spec.RunID)},
	}
	if cfg.ResourcesFile != "" {
		c.first = append(c.first, "-Dspark.driver.resourcesFile="+cfg.ResourcesFile)
	}
	java, err := commandBuilder{child: c, cfg: cfg}.java()
	if err != nil {
		return Launch{}, err
	}
	c.first = append(c.first, moduleOptions(java, spec.ModuleOptions, spec.Command.JavaOpts)...)
	return c.launch(cfg)
}

// DriverLogURL is the address of a driver's log page; logType is stdout or stderr.
func (id Identity) DriverLogURL(driver, logType string) string {
	return fmt.Sprintf("%s/logPage/?driverId=%s&logType=%s", id.logBase(), url.QueryEscape(driver), logType)
}

// moduleOptions are the JVM options of a driver's release (JavaModuleOptions) that it needs on this Java and was not given
// by its submitter. The original gives a driver of 3.5 none, and it fails on JDK 17.
func moduleOptions(java string, ofRelease, given []string) []string {
	if javaMajor(java) < 9 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(ofRelease), func(o string) bool { return slices.Contains(given, o) })
}

// javaMajor reads the feature release of a JDK from its release file: 8, 11, 17... A java that has none is taken for a
// modular one, as all are that Spark 4 takes.
func javaMajor(java string) int {
	const unknown = 17
	if real, err := filepath.EvalSymlinks(java); err == nil {
		java = real
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(java)), "release"))
	if err != nil {
		return unknown
	}
	for line := range strings.Lines(string(text)) {
		v, ok := strings.CutPrefix(strings.TrimSpace(line), `JAVA_VERSION="`)
		if !ok {
			continue
		}
		v = strings.TrimPrefix(strings.TrimSuffix(v, `"`), "1.") // 1.8.0_392
		if i := strings.IndexFunc(v, func(c rune) bool { return c < '0' || c > '9' }); i >= 0 {
			v = v[:i]
		}
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
	}
	return unknown
}

package worker

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// programSuffixes are those of files that Spark brings to executors and drivers: --jars, --py-files, --archives. What came
// by --files has any name, and cannot be told from what a program wrote; it stays with the logs.
var programSuffixes = []string{
	".jar", ".py", ".pyc", ".zip", ".egg", ".whl", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".so", ".class", ".r",
}

// isProgram tells whether a file, or an unpacked archive, was brought here to be run.
func isProgram(path string, d fs.DirEntry) bool {
	if isLog(d) {
		return false
	}
	if !d.IsDir() {
		return programName(d.Name())
	}
	found := false
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && programName(d.Name()) {
			found = true
			return fs.SkipAll
		}
		return nil // what cannot be read holds no program as far as we know
	})
	return found
}

func programName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(programSuffixes, func(s string) bool { return strings.HasSuffix(name, s) }) ||
		strings.HasPrefix(name, "resource-executor-") || // writeResourcesFile
		strings.HasPrefix(name, ".fetch-") // a fetch that was cut off
}

// isLog tells whether a file is one that people look at after a failure: the logs, those that are rolled, and what a JVM
// leaves when it dies.
func isLog(d fs.DirEntry) bool {
	name := strings.ToLower(d.Name())
	if d.IsDir() {
		return false
	}
	for _, prefix := range []string{"stdout", "stderr", "hs_err_pid", "replay_pid", "gc."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.HasSuffix(name, ".log") || strings.Contains(name, ".log.") || strings.HasSuffix(name, ".hprof") || strings.HasSuffix(name, ".jfr")
}

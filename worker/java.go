package worker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/firesteel/firesteel/config"
)

// ErrNoJava says that there is no JVM to run executors with.
var ErrNoJava = errors.New("no java found")

// FindJava names the java executable that executors get: $JAVA_HOME/bin/java,
// else the first java on PATH. Spark would fall back on the JVM its Worker runs
// in, which does not exist here.
func FindJava(env config.Env) (string, error) {
	if home := env.Get("JAVA_HOME"); home != "" {
		path := filepath.Join(home, "bin", "java")
		if !isExecutable(path) {
			return "", fmt.Errorf("%w: JAVA_HOME is %s, but %s is not an executable file; correct JAVA_HOME", ErrNoJava, home, path)
		}
		return path, nil
	}
	for _, dir := range filepath.SplitList(env.Get("PATH")) {
		if path := filepath.Join(dir, "java"); filepath.IsAbs(path) && isExecutable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: set JAVA_HOME, or put java on the PATH of the worker (%s)", ErrNoJava, strings.TrimSpace("PATH="+env.Get("PATH")))
}

func isExecutable(path string) bool {
	if st, err := os.Stat(path); err != nil || st.IsDir() {
		return false
	}
	_, err := exec.LookPath(path)
	return err == nil
}

package spark

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed log4j2.properties
var log4j []byte

// Environment is what every Spark process of an experiment needs, ours or the original's: loopback, a Java 17, log
// lines with milliseconds, and all scratch files under dir, so that a killed process leaves nothing elsewhere.
func Environment(dir string) ([]string, error) {
	java, err := JavaHome()
	if err != nil {
		return nil, err
	}
	conf, local, tmp := filepath.Join(dir, "conf"), filepath.Join(dir, "local"), filepath.Join(dir, "tmp")
	for _, d := range []string{conf, local, tmp} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("make the folders of an experiment: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(conf, "log4j2.properties"), log4j, 0o644); err != nil {
		return nil, fmt.Errorf("write the log settings of an experiment: %w", err)
	}
	return []string{
		"JAVA_HOME=" + java,
		"SPARK_CONF_DIR=" + conf,
		"SPARK_LOCAL_IP=127.0.0.1",
		"SPARK_LOCAL_DIRS=" + local,
		"TMPDIR=" + tmp,
		"SPARK_NO_DAEMONIZE=1",
		"PYTHONUNBUFFERED=1",
		// What a user has set for Spark and Python must not decide over an experiment.
		"SPARK_HOME", "SPARK_DAEMON_JAVA_OPTS", "SPARK_MASTER_OPTS", "SPARK_WORKER_OPTS", "SPARK_SUBMIT_OPTS", "PYSPARK_SUBMIT_ARGS",
		"PYSPARK_DRIVER_PYTHON", "PYSPARK_PYTHON", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "JAVA_TOOL_OPTIONS", "MASTER",
		"SPARK_MASTER_HOST", "SPARK_MASTER_PORT", "SPARK_MASTER_WEBUI_PORT", "SPARK_WORKER_CORES", "SPARK_WORKER_MEMORY", "SPARK_WORKER_PORT",
		"SPARK_WORKER_WEBUI_PORT", "SPARK_WORKER_DIR", "SPARK_WORKER_INSTANCES", "SPARK_PUBLIC_DNS", "SPARK_LOCAL_HOSTNAME", "SPARK_LOG_DIR",
	}, nil
}

// Env is what this release's own programs need besides Environment.
func (r Release) Env() []string {
	return []string{"SPARK_HOME=" + r.Home, "PYSPARK_PYTHON=" + r.Python, "PYSPARK_DRIVER_PYTHON=" + r.Python}
}

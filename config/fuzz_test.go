package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzSettings: whatever the environment and spark-defaults.conf hold, the settings are taken or refused, and those that
// are taken are such as the masters and workers count with.
func FuzzSettings(f *testing.F) {
	f.Add("SPARK_MASTER_PORT=7077\x00SPARK_MASTER_OPTS=-Dspark.deploy.spreadOut=false \"-Da=b c\"", "spark.deploy.defaultCores 4\n")
	f.Add("SPARK_WORKER_CORES=-1\x00SPARK_WORKER_MEMORY=8g\x00SPARK_LOCAL_DIRS=/a,/b", "spark.deploy.retainedApplications=99999999999999999999")
	f.Add("SPARK_WORKER_MEMORY=9223372036854775807g", "spark.master.ui.port: 1\\\n 2")
	f.Add("SPARK_PUBLIC_DNS=\xff", "\\u00zz = 1\nspark.worker.timeout 9223372036854775807d")
	f.Fuzz(func(t *testing.T, environ, properties string) {
		file := filepath.Join(t.TempDir(), "spark-defaults.conf")
		if err := os.WriteFile(file, []byte(properties), 0o600); err != nil {
			t.Fatal(err)
		}
		env := EnvOf(strings.Split(environ, "\x00"))
		if m, err := LoadMaster(MasterFlags{PropertiesFile: file}, env); err == nil {
			if m.Port < 0 || m.Port > 65535 || m.RetainedApplications < 0 || m.RetainedDrivers < 0 || m.DefaultCores <= 0 {
				t.Errorf("taken: %+v", m)
			}
		}
		if w, err := LoadWorker(WorkerFlags{PropertiesFile: file}, env); err == nil {
			if w.Port < 0 || w.Port > 65535 || w.Cores <= 0 || w.MemoryMiB <= 0 {
				t.Errorf("taken: %+v", w)
			}
		}
	})
}

// FuzzUnits: times, sizes and options of any spelling are read without a panic; a size or time that is taken is not
// negative unless its text says so.
func FuzzUnits(f *testing.F) {
	for _, s := range []string{"60s", "1h", "8g", "-1", "9223372036854775807t", "1.5g", " 7 ", "\"a b\" c\\ d", "100000000000d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseTime(s, time.Second); err == nil && d < 0 && !strings.Contains(s, "-") {
			t.Errorf("%q is %s", s, d)
		}
		if n, err := ParseBytes(s, 1<<20); err == nil && n < 0 && !strings.Contains(s, "-") {
			t.Errorf("%q is %d bytes", s, n)
		}
		if n, err := ParseMemoryMiB(s); err == nil && n < 0 && !strings.Contains(s, "-") {
			t.Errorf("%q is %d MiB", s, n)
		}
		_, _ = SplitOptions(s)
		_, _ = ParseProperties(strings.NewReader(s))
	})
}

package config

import (
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func ptr[T any](v T) *T { return &v }

func TestSplitOptions(t *testing.T) {
	t.Parallel()
	got, err := SplitOptions(`-Da=1  "-Db=x y" -Dc='it''s' -Dd=\"q\" -De='\n' ""`)
	want := []string{"-Da=1", "-Db=x y", "-Dc=its", `-Dd="q"`, `-De=\n`, ""}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{`"a`, `'a`, `a\`} {
		if _, err := SplitOptions(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

func TestMasterDefaults(t *testing.T) {
	t.Parallel()
	m, err := LoadMaster(MasterFlags{}, Env{"SPARK_LOCAL_IP": "10.1.2.3", "SPARK_PUBLIC_DNS": "m.example"})
	if err != nil {
		t.Fatal(err)
	}
	m.Conf = nil
	want := Master{
		Host: "10.1.2.3", PublicHost: "m.example", Port: 7077, UI: UI{Port: 8080, KillEnabled: true},
		DefaultCores: 2147483647, SpreadOutApps: true, SpreadOutDrivers: true, WorkerSelectionPolicy: "CORES_FREE_DESC",
		MaxExecutorRetries: 10, MaxDrivers: 2147483647, RetainedApplications: 200, RetainedDrivers: 200,
		AppIDPattern: "app-%s-%04d", DriverIDPattern: "driver-%s-%04d", WorkerTimeout: time.Minute, DeadWorkerPersistence: 15,
		DecommissionAllowMode: "LOCAL", REST: REST{Enabled: true, Port: 6066}, PortMaxRetries: 16,
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
}

func TestOrderOfStrength(t *testing.T) {
	t.Parallel()
	file := write(t, filepath.Join(t.TempDir(), "p.conf"),
		"spark.master.ui.port 1001\nspark.deploy.defaultCores 3\nspark.deploy.maxDrivers 5\nother.key 1\n")
	env := Env{
		"SPARK_MASTER_PORT": "2001", "SPARK_MASTER_WEBUI_PORT": "2002", "SPARK_MASTER_HOST": "env-host",
		"SPARK_DAEMON_JAVA_OPTS": "-Dspark.deploy.maxDrivers=6 -Dspark.deploy.retainedDrivers=7 -Xmx1g",
		"SPARK_MASTER_OPTS":      "-Dspark.deploy.maxDrivers=8",
	}
	m, err := LoadMaster(MasterFlags{Port: ptr(3001), WebUIPort: ptr(3002), PropertiesFile: file}, env)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{m.UI.Port, m.Port, m.Host, m.DefaultCores, m.MaxDrivers, m.RetainedDrivers}
	want := []any{1001, 3001, "env-host", 3, 8, 7}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, ok := m.Conf.Raw("other.key"); ok {
		t.Error("a key outside spark.* was kept")
	}
	m, err = LoadMaster(MasterFlags{}, env)
	if err != nil || m.Port != 2001 || m.UI.Port != 2002 {
		t.Errorf("environment not used: %d %d %v", m.Port, m.UI.Port, err)
	}
}

func masterWith(t *testing.T, opts string) (Master, error) {
	t.Helper()
	return LoadMaster(MasterFlags{}, Env{"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_MASTER_OPTS": opts})
}

func TestMasterRefusals(t *testing.T) {
	t.Parallel()
	for opts, want := range map[string]string{
		"-Dspark.deploy.defaultCores=0":                            "must be positive",
		"-Dspark.deploy.maxDrivers=0":                              "should be positive",
		"-Dspark.deploy.appNumberModulo=999":                       "greater than or equal to 1000",
		"-Dspark.deploy.appNumberModulo=x":                         "should be int",
		"'-Dspark.deploy.appIdPattern=a %s'":                       "Whitespace is not allowed",
		"-Dspark.deploy.appIdPattern=a/%s":                         "cannot name a directory",
		"-Dspark.deploy.driverIdPattern=%d":                        "wants a number",
		"-Dspark.deploy.workerSelectionPolicy=FASTEST":             "CORES_FREE_ASC",
		"-Dspark.deploy.spreadOut=maybe":                           "should be boolean",
		"-Dspark.worker.timeout=0":                                 "positive number of seconds",
		"-Dspark.master.ui.port=70000":                             "port",
		"-Dspark.master.rest.port=-1":                              "port",
		"-Dspark.master.ui.decommission.allow.mode=SOME":           "LOCAL, ALLOW, DENY",
		"-Dspark.authenticate=true":                                "spark.authenticate.secret",
		"-Dspark.deploy.appIdPattern=${spark.deploy.appIdPattern}": "circular",
		`"-Dspark.x`: "left open",
	} {
		_, err := masterWith(t, opts)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", opts, err, want)
		}
	}
	_, err := masterWith(t, "-Dspark.deploy.defaultCores=0 -Dspark.deploy.maxDrivers=0")
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("both complaints should come, one line each: %v", err)
	}
	if _, err := LoadMaster(MasterFlags{PropertiesFile: "/nonexistent/x.conf"}, nil); err == nil || !strings.Contains(err.Error(), "/nonexistent/x.conf") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := LoadMaster(MasterFlags{Host: ptr("h:7077")}, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("host with a port: %v", err)
	}
}

func TestMasterSettings(t *testing.T) {
	t.Parallel()
	m, err := masterWith(t, "-Dspark.deploy.spreadOut=FALSE -Dspark.deploy.workerSelectionPolicy=worker_id "+
		"-Dspark.deploy.maxExecutorRetries=-1 -Dspark.deploy.appNumberModulo=1000 -Dspark.worker.timeout=5 "+
		"-Dspark.authenticate=true -Dspark.authenticate.secret=${env:SPARK_LOCAL_IP} -Dspark.ui.reverseProxyUrl=http://p/x/")
	if err != nil {
		t.Fatal(err)
	}
	got := []any{m.SpreadOutApps, m.WorkerSelectionPolicy, m.MaxExecutorRetries, m.AppNumberModulo, m.WorkerTimeout, m.AuthSecret, m.UI.ReverseProxyURL}
	want := []any{false, ByWorkerID, -1, 1000, 5 * time.Second, "127.0.0.1", "http://p/x"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWorkerDefaults(t *testing.T) {
	t.Parallel()
	w, err := LoadWorker(WorkerFlags{}, Env{"SPARK_LOCAL_HOSTNAME": "w1", "SPARK_HOME": "/opt/spark"})
	if err != nil {
		t.Fatal(err)
	}
	if w.Host != "w1" || w.PublicHost != "w1" || w.UI.Port != 8081 || w.Port != 0 || w.WorkDir != "/opt/spark/work" {
		t.Errorf("addresses: %+v", w)
	}
	if w.Cores < 1 || w.MemoryMiB < 512 {
		t.Errorf("capacity: %d cores, %d MiB", w.Cores, w.MemoryMiB)
	}
	wantCleanup := Cleanup{Enabled: true, Interval: 30 * time.Minute, AppDataTTL: 7 * 24 * time.Hour, Grace: 10 * time.Minute, DiskHigh: 0.9, DiskLow: 0.8}
	if w.Cleanup != wantCleanup || w.DriverTerminateTimeout != 10*time.Second || w.StateSyncMaxAttempts != 5 || w.DecommissionSignal != "PWR" {
		t.Errorf("upkeep: %+v", w)
	}
	if !w.Redaction.MatchString("my.PassWord") || w.Redaction.MatchString("spark.master") {
		t.Error("redaction default")
	}
}

func TestWorkerCapacity(t *testing.T) {
	t.Parallel()
	env := Env{"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_WORKER_CORES": "7", "SPARK_WORKER_MEMORY": "3g", "SPARK_WORKER_DIR": "/w",
		"SPARK_LOCAL_DIRS": "/a, /b", "SPARK_WORKER_WEBUI_PORT": "9"}
	w, err := LoadWorker(WorkerFlags{}, env)
	if err != nil || w.Cores != 7 || w.MemoryMiB != 3072 || w.WorkDir != "/w" || !slices.Equal(w.LocalDirs, []string{"/a", "/b"}) || w.UI.Port != 9 {
		t.Errorf("environment: %+v, %v", w, err)
	}
	w, err = LoadWorker(WorkerFlags{Cores: ptr(2), Memory: ptr("512m")}, env)
	if err != nil || w.Cores != 2 || w.MemoryMiB != 512 {
		t.Errorf("flags: %+v, %v", w, err)
	}
	for _, flags := range []WorkerFlags{{Cores: ptr(0)}, {Memory: ptr("512")}, {Memory: ptr("lots")}, {Memory: ptr("1023k")}, {Port: ptr(-1)}} {
		_, err := LoadWorker(flags, env)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: want one clear line, got %v", flags, err)
		}
	}
	env["SPARK_WORKER_CORES"] = "many"
	if _, err := LoadWorker(WorkerFlags{}, env); err == nil || !strings.Contains(err.Error(), "SPARK_WORKER_CORES") {
		t.Errorf("bad variable: %v", err)
	}
}

func TestWorkerSettings(t *testing.T) {
	t.Parallel()
	file := write(t, filepath.Join(t.TempDir(), "p.conf"), `
spark.worker.ui.port                     0
spark.worker.cleanup.enabled             false
spark.worker.cleanup.interval            60
spark.worker.driverTerminateTimeout      1500
spark.executor.logs.rolling.strategy     size
spark.executor.logs.rolling.maxSize      200k
spark.executor.logs.rolling.maxRetainedFiles 3
spark.worker.resource.gpu.amount         2
spark.worker.resource.gpu.discoveryScript /bin/gpus
spark.worker.resource.fpga.amount        0
spark.redaction.regex                    (?i)hush
`)
	w, err := LoadWorker(WorkerFlags{WebUIPort: ptr(5), PropertiesFile: file}, Env{"SPARK_LOCAL_IP": "::1"})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{w.Host, w.UI.Port, w.Cleanup.Enabled, w.Cleanup.Interval, w.DriverTerminateTimeout, w.Logs, w.Resources, w.Redaction.String()}
	want := []any{"[::1]", 0, false, time.Minute, 1500 * time.Millisecond,
		LogRolling{Strategy: RollBySize, MaxSize: 200 << 10, MaxRetainedFiles: 3},
		[]ResourceRequest{{Name: "gpu", Amount: 2, DiscoveryScript: "/bin/gpus"}}, "(?i)hush"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for _, line := range []string{
		"spark.worker.resource.gpu.discoveryScript=/x", "spark.redaction.regex=(?=x)", "spark.executor.logs.rolling.strategy=weekly",
		"spark.executor.logs.rolling.strategy=time\nspark.executor.logs.rolling.time.interval=yearly",
		"spark.worker.idPattern=%s %s %d", "spark.worker.cleanup.interval=-5", "spark.worker.executorStateSync.maxAttempts=0",
	} {
		file := write(t, filepath.Join(t.TempDir(), "p.conf"), line)
		if _, err := LoadWorker(WorkerFlags{PropertiesFile: file}, Env{"SPARK_LOCAL_IP": "127.0.0.1"}); err == nil {
			t.Errorf("%q should be refused", line)
		}
	}
}

package worker

import (
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/config"
)

// settingsOfSpark are the flags, variables and keys that Spark's documentation and source have for a Worker, or for Master
// and Worker alike.
var settingsOfSpark = strings.Fields(`
--host --port --webui-port --cores --memory --work-dir --properties-file
SPARK_WORKER_OPTS SPARK_DAEMON_JAVA_OPTS SPARK_DAEMON_MEMORY SPARK_DAEMON_CLASSPATH SPARK_WORKER_CORES SPARK_WORKER_MEMORY SPARK_WORKER_PORT
SPARK_WORKER_WEBUI_PORT SPARK_WORKER_DIR SPARK_WORKER_INSTANCES SPARK_LOCAL_DIRS SPARK_LOCAL_IP SPARK_LOCAL_HOSTNAME SPARK_PUBLIC_DNS SPARK_LOG_DIR
SPARK_LOG_MAX_FILES SPARK_PID_DIR SPARK_IDENT_STRING SPARK_NICENESS SPARK_NO_DAEMONIZE SPARK_CONF_DIR SPARK_HOME SPARK_SSH_FOREGROUND SPARK_SSH_OPTS
SPARK_WORKER_SLEEP SPARK_WORKERS SPARK_SHUFFLE_OPTS SPARK_HISTORY_OPTS _SPARK_AUTH_SECRET
spark.worker.ui.port spark.worker.ui.retainedExecutors spark.worker.ui.retainedDrivers spark.worker.ui.compressedLogFileLengthCacheSize
spark.worker.cleanup.enabled spark.worker.cleanup.interval spark.worker.cleanup.appDataTtl spark.worker.preferConfiguredMasterAddress
spark.worker.driverTerminateTimeout spark.worker.executorStateSync.maxAttempts spark.worker.decommission.signal
spark.worker.initialRegistrationRetries spark.worker.maxRegistrationRetries spark.worker.idPattern spark.worker.resourcesFile
spark.worker.resource.<name>.amount spark.worker.resource.<name>.discoveryScript spark.worker.timeout spark.decommission.enabled
spark.shuffle.service.enabled spark.shuffle.service.port spark.shuffle.service.db.enabled spark.shuffle.service.db.backend
spark.shuffle.service.fetch.rdd.enabled spark.shuffle.service.removeShuffle spark.storage.cleanupFilesAfterExecutorExit spark.local.dir
spark.executor.logs.rolling.strategy spark.executor.logs.rolling.time.interval spark.executor.logs.rolling.maxSize
spark.executor.logs.rolling.maxRetainedFiles spark.executor.logs.rolling.enableCompression
spark.ui.reverseProxy spark.ui.reverseProxyUrl spark.ui.proxyRedirectUri spark.ui.killEnabled spark.ui.filters spark.acls.enable
spark.ui.allowFramingFrom spark.ui.xXssProtection spark.ui.requestHeaderSize spark.ui.jettyStopTimeout spark.ui.prometheus.enabled
spark.metrics.conf spark.metrics.namespace spark.authenticate spark.authenticate.secret spark.authenticate.secret.file
spark.network.crypto.enabled spark.ssl.* spark.rpc.askTimeout spark.rpc.lookupTimeout spark.rpc.message.maxSize spark.port.maxRetries
spark.redaction.regex`)

// TestWorkerSettings holds docs/worker-settings.md against the list above and the proofs below: each setting has one row, a
// row that says yes has a proof, and one that says no gives a reason.
func TestWorkerSettings(t *testing.T) {
	t.Parallel()
	rows := documented(t)
	for _, name := range settingsOfSpark {
		row, ok := rows[name]
		if !ok {
			t.Errorf("%s is not in docs/worker-settings.md", name)
			continue
		}
		delete(rows, name)
		proof := proofs[name]
		switch {
		case row.honoured == "yes" && proof == nil:
			t.Errorf("%s is said to be honoured, without a proof", name)
		case row.honoured == "yes":
			t.Run(name, func(t *testing.T) { t.Parallel(); proof(t) })
		case proof != nil:
			t.Errorf("%s has a proof, and the page says %q", name, row.honoured)
		case row.honoured == "no" && row.note == "":
			t.Errorf("%s is not honoured, without a reason", name)
		case row.honoured != "no" && row.honoured != "not yet":
			t.Errorf("%s: %q is no answer", name, row.honoured)
		}
	}
	for name := range rows {
		t.Errorf("%s is no setting of a Worker that we know", name)
	}
}

type settingRow struct{ honoured, note string }

func documented(t *testing.T) map[string]settingRow {
	t.Helper()
	rows := map[string]settingRow{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (yes|no|not yet) \\|(.*)\\|$").FindAllStringSubmatch(readFile(t, "../docs/worker-settings.md"), -1) {
		if _, twice := rows[m[1]]; twice {
			t.Errorf("%s has two rows", m[1])
		}
		rows[m[1]] = settingRow{honoured: m[2], note: strings.TrimSpace(m[3])}
	}
	return rows
}

// with loads a worker's settings.
func with(t *testing.T, env config.Env, flags config.WorkerFlags) config.Worker {
	t.Helper()
	full := config.Env{"SPARK_LOCAL_HOSTNAME": "h"}
	for k, v := range env {
		full[k] = v
	}
	w, err := config.LoadWorker(flags, full)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// set loads a worker's settings with one key, which comes by a properties file.
func set(t *testing.T, pairs ...string) config.Worker {
	t.Helper()
	path := filepath.Join(t.TempDir(), "properties")
	var text strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&text, "%s %s\n", pairs[i], pairs[i+1])
	}
	writeFile(t, path, text.String(), 0o644)
	return with(t, nil, config.WorkerFlags{PropertiesFile: path})
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func byEnv(name, value string, get func(config.Worker) any, want any) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		same(t, get(with(t, config.Env{name: value}, config.WorkerFlags{})), want)
	}
}

func byKey(key, value string, get func(config.Worker) any, want any) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		same(t, get(set(t, key, value)), want)
		if got := get(with(t, nil, config.WorkerFlags{})); fmt.Sprint(got) == fmt.Sprint(want) {
			t.Errorf("%s makes no difference", key)
		}
	}
}

// ofShuffle gives the command line, the environment and the settings file of the shuffle service.
func ofShuffle(t *testing.T, env config.Env, w config.Worker) string {
	t.Helper()
	dir := t.TempDir()
	properties := map[string]string{}
	if w.Conf != nil {
		for _, key := range w.Conf.Keys() {
			properties[key], _ = w.Conf.Raw(key)
		}
	}
	all := config.Env{"JAVA_HOME": fakeJava(t, "")}
	for k, v := range env {
		all[k] = v
	}
	launch, err := shuffleCommand(ShuffleConfig{Settings: w.Shuffle, Home: fakeHome(t), Env: all, Properties: properties, AuthSecret: w.AuthSecret}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(launch.Args, " ") + "\n" + readFile(t, filepath.Join(dir, "spark-defaults.conf"))
}

func inShuffle(env config.Env, key, value, want string) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		var w config.Worker
		if key != "" {
			w = set(t, key, value)
		}
		if got := ofShuffle(t, env, w); !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
}

// launched gives the command of an executor and of a driver of a worker with these settings.
func launched(t *testing.T, w config.Worker, env config.Env, options ...string) []Launch {
	t.Helper()
	all := config.Env{"JAVA_HOME": fakeJava(t, "")}
	for k, v := range env {
		all[k] = v
	}
	home := fakeHome(t)
	cfg := CommandConfig{
		Identity: Identity{WorkerID: "w", WorkerURL: "spark://Worker@h:1", Host: w.Host, PublicHost: w.PublicHost, WebUIPort: 8081, ReverseProxy: w.UI.ReverseProxy, ReverseProxyURL: w.UI.ReverseProxyURL},
		Env:      all, AuthSecret: w.AuthSecret, NodeSSL: w.NodeSSL,
	}
	command := Command{MainClass: "Main", JavaOpts: options}
	executor, err := BuildCommand(ExecutorSpec{AppID: "app-1", MemoryMiB: 1, SparkHome: home, Command: command}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	driver, err := BuildDriverCommand(DriverSpec{ID: "d", RunID: "d", MemoryMiB: 1, SparkHome: home, Command: command}, "/x.jar", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return []Launch{executor, driver}
}

func wantEverywhere(t *testing.T, launches []Launch, in func(Launch) string, want string) {
	t.Helper()
	for _, l := range launches {
		if !strings.Contains(in(l), want) {
			t.Errorf("%q is not in %s", want, in(l))
		}
	}
}

func line(l Launch) string        { return strings.Join(l.Args, " ") }
func environment(l Launch) string { return strings.Join(l.Env, " ") }

// handedOver checks that executors, drivers and the shuffle service have the secret in their environment alone.
func handedOver(env config.Env, pairs ...string) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		var w config.Worker
		if len(env) > 0 {
			w = with(t, config.Env{"SPARK_WORKER_OPTS": "-Dspark.authenticate=true", "_SPARK_AUTH_SECRET": env["_SPARK_AUTH_SECRET"]}, config.WorkerFlags{})
		} else {
			w = set(t, append([]string{"spark.authenticate", "true"}, pairs...)...)
		}
		if w.AuthSecret == "" {
			t.Fatal("no secret")
		}
		launches := launched(t, w, nil, "-Dspark.authenticate=true", "-Dspark.authenticate.secret=another")
		wantEverywhere(t, launches, environment, "_SPARK_AUTH_SECRET="+w.AuthSecret)
		for _, l := range launches {
			if text := line(l); strings.Contains(text, w.AuthSecret) || strings.Contains(text, "another") {
				t.Errorf("the secret is on the command line: %s", text)
			}
		}
		if text := ofShuffle(t, nil, w); strings.Contains(text, w.AuthSecret) {
			t.Errorf("the secret is where the shuffle service's settings are: %s", text)
		}
	}
}

func flag[T any](make func(*config.WorkerFlags, *T), value T, get func(config.Worker) any, want any) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		var flags config.WorkerFlags
		make(&flags, &value)
		// The environment says something else, and is weaker.
		same(t, get(with(t, config.Env{
			"SPARK_WORKER_CORES": "1", "SPARK_WORKER_MEMORY": "1g", "SPARK_WORKER_PORT": "1", "SPARK_WORKER_WEBUI_PORT": "1", "SPARK_WORKER_DIR": "/1",
		}, flags)), want)
	}
}

func host(w config.Worker) any      { return w.Host }
func port(w config.Worker) any      { return w.Port }
func pagesPort(w config.Worker) any { return w.UI.Port }
func cores(w config.Worker) any     { return w.Cores }
func memory(w config.Worker) any    { return w.MemoryMiB }
func work(w config.Worker) any      { return w.WorkDir }
func local(w config.Worker) any     { return w.LocalDirs }
func rolling(w config.Worker) any   { return w.Logs }

// proofs by setting. What is only read here has its effect tested where it is used.
var proofs = map[string]func(*testing.T){
	"--host":       flag(func(f *config.WorkerFlags, v *string) { f.Host = v }, "me", host, "me"),
	"--port":       flag(func(f *config.WorkerFlags, v *int) { f.Port = v }, 4711, port, 4711),
	"--webui-port": flag(func(f *config.WorkerFlags, v *int) { f.WebUIPort = v }, 4712, pagesPort, 4712),
	"--cores":      flag(func(f *config.WorkerFlags, v *int) { f.Cores = v }, 7, cores, 7),
	"--memory":     flag(func(f *config.WorkerFlags, v *string) { f.Memory = v }, "3g", memory, 3072),
	"--work-dir":   flag(func(f *config.WorkerFlags, v *string) { f.WorkDir = v }, "/w", work, "/w"),
	"--properties-file": func(t *testing.T) {
		same(t, set(t, "spark.worker.ui.port", "4713").UI.Port, 4713)
	},

	"SPARK_WORKER_CORES":      byEnv("SPARK_WORKER_CORES", "6", cores, 6),
	"SPARK_WORKER_MEMORY":     byEnv("SPARK_WORKER_MEMORY", "5g", memory, 5120),
	"SPARK_WORKER_PORT":       byEnv("SPARK_WORKER_PORT", "4714", port, 4714),
	"SPARK_WORKER_WEBUI_PORT": byEnv("SPARK_WORKER_WEBUI_PORT", "4715", pagesPort, 4715),
	"SPARK_WORKER_DIR":        byEnv("SPARK_WORKER_DIR", "/x/y", work, "/x/y"),
	"SPARK_WORKER_OPTS":       byEnv("SPARK_WORKER_OPTS", "-Dspark.worker.ui.port=4716 -Xmx1g", pagesPort, 4716),
	"SPARK_DAEMON_JAVA_OPTS": func(t *testing.T) {
		byEnv("SPARK_DAEMON_JAVA_OPTS", "-Dspark.worker.ui.port=4717", pagesPort, 4717)(t)
		inShuffle(config.Env{"SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC"}, "", "", "-XX:+UseSerialGC")(t)
	},
	"SPARK_DAEMON_MEMORY":    inShuffle(config.Env{"SPARK_DAEMON_MEMORY": "300m"}, "", "", "-Xmx300M"),
	"SPARK_DAEMON_CLASSPATH": inShuffle(config.Env{"SPARK_DAEMON_CLASSPATH": "/extra/x.jar"}, "", "", "-cp /extra/x.jar:"),
	"SPARK_SHUFFLE_OPTS":     inShuffle(config.Env{"SPARK_SHUFFLE_OPTS": "-Dspark.network.timeout=9s -Da=b"}, "", "", "-Da=b"),
	"SPARK_LOCAL_DIRS": func(t *testing.T) {
		byEnv("SPARK_LOCAL_DIRS", "/a,/b", local, []string{"/a", "/b"})(t)
		same(t, with(t, config.Env{"SPARK_LOCAL_DIRS": "/a", "SPARK_WORKER_OPTS": "-Dspark.local.dir=/c"}, config.WorkerFlags{}).LocalDirs, []string{"/a"})
	},
	"SPARK_LOCAL_IP": func(t *testing.T) {
		same(t, with(t, config.Env{"SPARK_LOCAL_HOSTNAME": "", "SPARK_LOCAL_IP": "10.1.2.3"}, config.WorkerFlags{}).Host, "10.1.2.3")
	},
	"SPARK_LOCAL_HOSTNAME": byEnv("SPARK_LOCAL_HOSTNAME", "node7", host, "node7"),
	"SPARK_PUBLIC_DNS": func(t *testing.T) {
		w := with(t, config.Env{"SPARK_PUBLIC_DNS": "public.example"}, config.WorkerFlags{})
		wantEverywhere(t, launched(t, w, nil), environment, "http://public.example:8081/logPage/")
	},
	"SPARK_HOME": byEnv("SPARK_HOME", "/opt/spark", work, "/opt/spark/work"), // the homes: cmd/clusterd
	"SPARK_CONF_DIR": func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "spark-defaults.conf"), "spark.worker.ui.port 4718\n", 0o644)
		w := with(t, config.Env{"SPARK_CONF_DIR": dir}, config.WorkerFlags{})
		same(t, w.UI.Port, 4718)
		wantEverywhere(t, launched(t, w, config.Env{"SPARK_CONF_DIR": dir}), line, dir+"/:")
	},
	"SPARK_LOG_DIR": func(t *testing.T) { same(t, shuffleLog(t, config.Env{"USER": "me"}, "me", 100), 1) },
	"SPARK_IDENT_STRING": func(t *testing.T) {
		same(t, shuffleLog(t, config.Env{"USER": "me", "SPARK_IDENT_STRING": "ident"}, "ident", 100), 1)
	},
	"SPARK_LOG_MAX_FILES": func(t *testing.T) { // of 16 MiB each, beside the present one
		same(t, shuffleLog(t, config.Env{"USER": "me", "SPARK_LOG_MAX_FILES": "1"}, "me", 50<<20), 2)
	},
	"_SPARK_AUTH_SECRET": handedOver(config.Env{"_SPARK_AUTH_SECRET": "in-the-environment"}),

	"spark.worker.ui.port":                byKey("spark.worker.ui.port", "4719", pagesPort, 4719),
	"spark.worker.ui.retainedExecutors":   byKey("spark.worker.ui.retainedExecutors", "3", func(w config.Worker) any { return w.RetainedExecutors }, 3),
	"spark.worker.ui.retainedDrivers":     byKey("spark.worker.ui.retainedDrivers", "4", func(w config.Worker) any { return w.RetainedDrivers }, 4),
	"spark.worker.cleanup.enabled":        byKey("spark.worker.cleanup.enabled", "false", func(w config.Worker) any { return w.Cleanup.Enabled }, false),
	"spark.worker.cleanup.interval":       byKey("spark.worker.cleanup.interval", "5", func(w config.Worker) any { return w.Cleanup.Interval }, 5*time.Second),
	"spark.worker.cleanup.appDataTtl":     byKey("spark.worker.cleanup.appDataTtl", "6", func(w config.Worker) any { return w.Cleanup.AppDataTTL }, 6*time.Second),
	"spark.worker.driverTerminateTimeout": byKey("spark.worker.driverTerminateTimeout", "7s", func(w config.Worker) any { return w.DriverTerminateTimeout }, 7*time.Second),
	"spark.worker.decommission.signal":    byKey("spark.worker.decommission.signal", "SIGUSR2", func(w config.Worker) any { return w.DecommissionSignal }, "USR2"),
	"spark.worker.idPattern":              byKey("spark.worker.idPattern", "w-%s-%s-%d", func(w config.Worker) any { return w.IDPattern }, "w-%s-%s-%d"),
	"spark.worker.resourcesFile":          byKey("spark.worker.resourcesFile", "/r.json", func(w config.Worker) any { return w.ResourcesFile }, "/r.json"),
	"spark.worker.resource.<name>.amount": byKey("spark.worker.resource.gpu.amount", "2", func(w config.Worker) any { return w.Resources }, []config.ResourceRequest{{Name: "gpu", Amount: 2}}),
	"spark.worker.resource.<name>.discoveryScript": func(t *testing.T) {
		w := set(t, "spark.worker.resource.gpu.amount", "1", "spark.worker.resource.gpu.discoveryScript", "/find")
		same(t, w.Resources, []config.ResourceRequest{{Name: "gpu", Amount: 1, DiscoveryScript: "/find"}})
	},
	"spark.decommission.enabled": byKey("spark.decommission.enabled", "true", func(w config.Worker) any { return w.DecommissionEnabled }, true),

	"spark.shuffle.service.enabled":               byKey("spark.shuffle.service.enabled", "true", func(w config.Worker) any { return w.Shuffle.Enabled }, true),
	"spark.shuffle.service.port":                  inShuffle(nil, "spark.shuffle.service.port", "7444", "spark.shuffle.service.port=7444"),
	"spark.shuffle.service.db.enabled":            inShuffle(nil, "spark.shuffle.service.db.enabled", "false", "spark.shuffle.service.db.enabled=false"),
	"spark.shuffle.service.db.backend":            inShuffle(nil, "spark.shuffle.service.db.backend", "LEVELDB", "spark.shuffle.service.db.backend=LEVELDB"),
	"spark.shuffle.service.removeShuffle":         inShuffle(nil, "spark.shuffle.service.removeShuffle", "false", "spark.shuffle.service.removeShuffle=false"),
	"spark.shuffle.service.fetch.rdd.enabled":     byKey("spark.shuffle.service.fetch.rdd.enabled", "true", func(w config.Worker) any { return w.Shuffle.FetchRDD }, true),
	"spark.storage.cleanupFilesAfterExecutorExit": byKey("spark.storage.cleanupFilesAfterExecutorExit", "false", func(w config.Worker) any { return w.Shuffle.Cleanup }, false),
	"spark.local.dir":                             byKey("spark.local.dir", "/a,/b", local, []string{"/a", "/b"}),

	"spark.executor.logs.rolling.strategy": func(t *testing.T) {
		byKey("spark.executor.logs.rolling.strategy", "size", rolling, config.LogRolling{Strategy: "size", MaxSize: 1 << 20, MaxRetainedFiles: -1})(t)
		driverLogsAreRolled(t)
	},
	"spark.executor.logs.rolling.time.interval": func(t *testing.T) {
		w := set(t, "spark.executor.logs.rolling.strategy", "time", "spark.executor.logs.rolling.time.interval", "hourly")
		same(t, w.Logs.Interval, time.Hour)
	},
	"spark.executor.logs.rolling.maxSize":           byKey("spark.executor.logs.rolling.maxSize", "200000", func(w config.Worker) any { return w.Logs.MaxSize }, 200000),
	"spark.executor.logs.rolling.maxRetainedFiles":  byKey("spark.executor.logs.rolling.maxRetainedFiles", "3", func(w config.Worker) any { return w.Logs.MaxRetainedFiles }, 3),
	"spark.executor.logs.rolling.enableCompression": byKey("spark.executor.logs.rolling.enableCompression", "true", func(w config.Worker) any { return w.Logs.Compress }, true),

	"spark.ui.reverseProxy": func(t *testing.T) {
		wantEverywhere(t, launched(t, set(t, "spark.ui.reverseProxy", "true"), nil), environment, "=/proxy/w/logPage/")
	},
	"spark.ui.reverseProxyUrl": func(t *testing.T) {
		w := set(t, "spark.ui.reverseProxy", "true", "spark.ui.reverseProxyUrl", "https://front/")
		wantEverywhere(t, launched(t, w, nil), environment, "=https://front/proxy/w/logPage/")
	},
	"spark.port.maxRetries": byKey("spark.port.maxRetries", "2", func(w config.Worker) any { return w.PortMaxRetries }, 2),
	"spark.redaction.regex": func(t *testing.T) {
		w := set(t, "spark.redaction.regex", "hush")
		same(t, redactArgs(w.Redaction, []string{"-Dx.hush=1", "-Dpassword=2"}), []string{"-Dx.hush=" + redacted, "-Dpassword=2"})
	},
	"spark.authenticate":        handedOver(nil, "spark.authenticate.secret", "s3cr3t"),
	"spark.authenticate.secret": handedOver(nil, "spark.authenticate.secret", "s3cr3t"),
	"spark.authenticate.secret.file": func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "secret")
		writeFile(t, path, "from a file", 0o600)
		handedOver(nil, "spark.authenticate.secret.file", path)(t)
	},
	"spark.ssl.*": func(t *testing.T) {
		w := set(t, "spark.ssl.trustStore", "/ours")
		launches := launched(t, w, nil, "-Dspark.ssl.useNodeLocalConf=true", "-Dspark.ssl.trustStore=/theirs")
		wantEverywhere(t, launches, line, "-Dspark.ssl.trustStore=/ours")
		for _, l := range launches {
			if slices.Contains(l.Args, "-Dspark.ssl.trustStore=/theirs") {
				t.Errorf("the application's is there, too: %q", l.Args)
			}
		}
	},
}

// shuffleLog has the shuffle service write so many bytes into its log, and gives how many files that makes.
func shuffleLog(t *testing.T, env config.Env, name string, bytes int64) int {
	t.Helper()
	dir := t.TempDir()
	env["SPARK_LOG_DIR"] = dir
	s := &ShuffleService{log: quiet(), cfg: ShuffleConfig{Env: env}}
	s.copyLog(io.LimitReader(xs{}, bytes))
	found, err := filepath.Glob(filepath.Join(dir, "spark-"+name+"-"+shuffleClass+"-1-"+hostname()+".out*"))
	if err != nil {
		t.Error(err)
	}
	return len(found)
}

// xs is text without end.
type xs struct{}

func (xs) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func driverLogsAreRolled(t *testing.T) {
	t.Helper()
	f := newDrivers(t, "i=0; while [ $i -lt 3000 ]; do echo line $i of a driver that says a lot; i=$((i+1)); done", func(c *DriversConfig) {
		c.Logs = config.LogRolling{Strategy: config.RollBySize, MaxSize: 50_000}
	})
	f.Start(driverSpec(t))
	f.expect(DriverRunning)
	f.expect(DriverFinished)
	if rolled, err := filepath.Glob(filepath.Join(f.work, "driver-1", "stdout--*")); err != nil || len(rolled) < 2 {
		t.Errorf("rolled: %q, %v", rolled, err)
	}
}

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// WorkerFlags are the command-line values of a worker; nil means not given.
type WorkerFlags struct {
	Host           *string
	Port           *int
	WebUIPort      *int
	Cores          *int
	Memory         *string // "8g"; a bare number counts bytes, as with Spark's -m
	WorkDir        *string
	PropertiesFile string
}

// Worker holds Spark's settings of a Worker. Defaults are those of Spark 4.1.
type Worker struct {
	Host       string
	PublicHost string // for log links; SPARK_PUBLIC_DNS or Host
	Port       int    // of the endpoint executors watch; 0 is any free port
	UI         UI
	Cores      int
	MemoryMiB  int
	WorkDir    string   // SPARK_WORKER_DIR, default $SPARK_HOME/work, else ./work
	LocalDirs  []string // scratch roots: SPARK_LOCAL_DIRS, spark.local.dir, the system's temporary directory

	IDPattern              string // for FormatID(pattern, time, host, port)
	Timeout                time.Duration
	RetainedExecutors      int
	RetainedDrivers        int
	Cleanup                Cleanup
	Shuffle                Shuffle
	DriverTerminateTimeout time.Duration
	DriverLease            time.Duration // spark.firesteel.worker.driverLease
	DriverMaxBackOff       time.Duration // spark.firesteel.worker.driverMaxBackOff
	StateSyncMaxAttempts   int           // spark.worker.executorStateSync.maxAttempts
	DecommissionEnabled    bool
	DecommissionSignal     string // without SIG, "PWR"
	Logs                   LogRolling
	ResourcesFile          string
	Resources              []ResourceRequest // sorted by name
	Redaction              *regexp.Regexp
	PortMaxRetries         int
	Authenticate           bool
	AuthSecret             string
	NodeSSL                map[string]string // spark.ssl.*, for executors that ask for spark.ssl.useNodeLocalConf

	Conf *Conf
}

// Cleanup holds spark.worker.cleanup.* and spark.firesteel.worker.cleanup.*: removal of what applications and drivers left.
type Cleanup struct {
	Enabled    bool // true as from 4.0
	Interval   time.Duration
	AppDataTTL time.Duration
	// Grace is for how long after its end nothing of an application is removed (.endedGrace, 10 min).
	Grace time.Duration
	// DiskHigh is the used share of the disk from which on things are removed before their time, DiskLow the one at which
	// that ends (.diskHighWatermark 0.9, .diskLowWatermark 0.8); 1 for DiskHigh is only a disk that is wholly full.
	DiskHigh, DiskLow float64
}

// Shuffle holds what a worker needs of spark.shuffle.service.*; the service itself reads the rest.
type Shuffle struct {
	Enabled bool
	Port    int    // 7337
	Home    string // spark.firesteel.worker.shuffle.service.sparkHome: its Spark home; "" for the newest of the worker's
	// Cleanup: delete what ended executors left and the service does not serve (spark.storage.cleanupFilesAfterExecutorExit,
	// true); FetchRDD: it serves cached blocks (spark.shuffle.service.fetch.rdd.enabled).
	Cleanup, FetchRDD bool
}

// Log rolling strategies (spark.executor.logs.rolling.strategy).
const (
	RollNever  = ""
	RollByTime = "time"
	RollBySize = "size"
)

// LogRolling holds spark.executor.logs.rolling.*, which Spark reads from the
// Worker's own settings, never from the application's.
type LogRolling struct {
	Strategy string
	Interval time.Duration // RollByTime
	MaxSize  int64         // RollBySize, bytes
	// MaxRetainedFiles counts rolled files kept beside the current one; <= 0 keeps all.
	MaxRetainedFiles int
	Compress         bool
}

// Spark raises smaller values to these (RollingPolicy).
const (
	minRollSize     = 80 * KiB
	minRollInterval = time.Minute
)

// ResourceRequest is one spark.worker.resource.<name>.*.
type ResourceRequest struct {
	Name            string
	Amount          int    // >= 1
	DiscoveryScript string // "" if none
}

// LoadWorker reads the settings of a worker from env, the properties file and
// the -D options of SPARK_DAEMON_JAVA_OPTS and SPARK_WORKER_OPTS. The error
// joins all complaints, one line each.
func LoadWorker(flags WorkerFlags, env Env) (Worker, error) {
	conf, err := load(env, flags.PropertiesFile, "SPARK_DAEMON_JAVA_OPTS", "SPARK_WORKER_OPTS")
	if err != nil {
		return Worker{}, err
	}
	r := &reader{conf: conf}
	w := Worker{Conf: conf, PortMaxRetries: r.portRetries(), Redaction: r.redaction()}
	w.addresses(r, flags, env)
	w.capacity(r, flags, env)
	w.directories(r, flags, env)
	w.upkeep(r)
	w.shuffle(r)
	w.Logs = r.logRolling()
	w.ResourcesFile = r.str("", "spark.worker.resourcesFile")
	w.Resources = r.resourceRequests()
	w.Authenticate = r.boolean(false, "spark.authenticate")
	w.AuthSecret = r.authSecret(env)
	w.NodeSSL = r.withPrefix("spark.ssl.")
	if err := r.err(); err != nil {
		return Worker{}, err
	}
	return w, nil
}

func (w *Worker) addresses(r *reader, flags WorkerFlags, env Env) {
	w.Host = LocalHost(env)
	if flags.Host != nil {
		w.Host = *flags.Host
	}
	r.fail(checkHost("worker host", w.Host))
	w.PublicHost = PublicHost(env, w.Host)
	w.Port = r.port(env, flags.Port, "SPARK_WORKER_PORT", "worker port", 0)
	w.UI = r.ui(r.uiPort(env, flags.WebUIPort, "SPARK_WORKER_WEBUI_PORT", "spark.worker.ui.port", 8081))
	w.IDPattern = r.idPattern("worker-%s-%s-%d", "spark.worker.idPattern", "20231109000000", "host", 0)
}

func (w *Worker) capacity(r *reader, flags WorkerFlags, env Env) {
	var err error
	w.Cores, err = intSetting(env, flags.Cores, "SPARK_WORKER_CORES", runtime.NumCPU())
	r.fail(err)
	if err == nil && w.Cores < 1 {
		r.fail(fmt.Errorf("a worker needs at least 1 core, but -c or SPARK_WORKER_CORES says %d: %w", w.Cores, ErrInvalid))
	}
	text := stringSetting(env, flags.Memory, "SPARK_WORKER_MEMORY", "")
	if text == "" {
		w.MemoryMiB = defaultMemoryMiB()
		return
	}
	w.MemoryMiB, err = ParseMemoryMiB(text)
	if err != nil {
		r.fail(fmt.Errorf("worker memory (-m or SPARK_WORKER_MEMORY): %w", err))
	} else if w.MemoryMiB < 1 {
		r.fail(fmt.Errorf("worker memory %q is below 1 MiB, or misses a letter such as m or g at its end: %w", text, ErrInvalid))
	}
}

// defaultMemoryMiB leaves 1 GiB to the system and never goes below 512 MiB
// (WorkerArguments.inferDefaultMemory).
func defaultMemoryMiB() int {
	total := int64(2 * GiB) // Spark's guess when it cannot tell
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		total = int64(info.Totalram) * int64(info.Unit)
	}
	return max(int(total/MiB)-1024, 512)
}

func (w *Worker) directories(r *reader, flags WorkerFlags, env Env) {
	def := "work"
	if home := env.Get("SPARK_HOME"); home != "" {
		def = filepath.Join(home, "work")
	}
	dir, err := filepath.Abs(stringSetting(env, flags.WorkDir, "SPARK_WORKER_DIR", def))
	if err != nil {
		r.fail(fmt.Errorf("work directory: %w", err))
	}
	w.WorkDir = dir
	w.LocalDirs = list(stringSetting(env, nil, "SPARK_LOCAL_DIRS", r.str(os.TempDir(), "spark.local.dir")))
	if len(w.LocalDirs) == 0 {
		w.LocalDirs = []string{os.TempDir()}
	}
}

func (w *Worker) upkeep(r *reader) {
	const notNegative = "The value should not be negative."
	w.Timeout = r.workerTimeout()
	w.RetainedExecutors = r.atLeast(0, 1000, notNegative, "spark.worker.ui.retainedExecutors")
	w.RetainedDrivers = r.atLeast(0, 1000, notNegative, "spark.worker.ui.retainedDrivers")
	w.Cleanup = Cleanup{
		Enabled:    r.boolean(true, "spark.worker.cleanup.enabled"),
		Interval:   r.positive(30*time.Minute, time.Second, "spark.worker.cleanup.interval"),
		AppDataTTL: r.positive(7*24*time.Hour, time.Second, "spark.worker.cleanup.appDataTtl"),
		Grace:      r.positive(10*time.Minute, time.Second, "spark.firesteel.worker.cleanup.endedGrace"),
		DiskHigh:   r.share(0.9, keyDiskHigh),
		DiskLow:    r.share(0.8, keyDiskLow),
	}
	if _, set := w.Conf.Raw(keyDiskLow); !set {
		w.Cleanup.DiskLow = min(w.Cleanup.DiskLow, w.Cleanup.DiskHigh)
	}
	if w.Cleanup.DiskLow > w.Cleanup.DiskHigh {
		r.refuse(keyDiskLow, strconv.FormatFloat(w.Cleanup.DiskLow, 'g', -1, 64), "The value should not be above that of "+keyDiskHigh+".")
	}
	w.DriverTerminateTimeout = r.positive(10*time.Second, time.Millisecond, "spark.worker.driverTerminateTimeout")
	w.DriverLease = r.positive(5*time.Minute, time.Second, "spark.firesteel.worker.driverLease")
	w.DriverMaxBackOff = r.positive(time.Minute, time.Second, "spark.firesteel.worker.driverMaxBackOff")
	w.StateSyncMaxAttempts = r.atLeast(1, 5, "The value should be positive.", "spark.worker.executorStateSync.maxAttempts")
	w.DecommissionEnabled = r.boolean(false, keyDecommission)
	w.DecommissionSignal = strings.TrimPrefix(strings.ToUpper(r.str("PWR", "spark.worker.decommission.signal")), "SIG")
}

func (w *Worker) shuffle(r *reader) {
	const key = "spark.shuffle.service.enabled"
	w.Shuffle = Shuffle{
		Enabled:  r.boolean(false, key),
		Port:     r.confPort("spark.shuffle.service.port", 7337),
		Home:     r.str("", "spark.firesteel.worker.shuffle.service.sparkHome"),
		Cleanup:  r.boolean(true, "spark.storage.cleanupFilesAfterExecutorExit"),
		FetchRDD: r.boolean(false, "spark.shuffle.service.fetch.rdd.enabled"),
	}
	if w.Shuffle.Enabled && w.Shuffle.Port == 0 {
		r.refuse("spark.shuffle.service.port", "0", "The value should be the port that applications are told.")
	}
}

const (
	keyDiskHigh = "spark.firesteel.worker.cleanup.diskHighWatermark"
	keyDiskLow  = "spark.firesteel.worker.cleanup.diskLowWatermark"
)

// share reads a number above 0 and at most 1.
func (r *reader) share(def float64, key string) float64 {
	text := r.str("", key)
	if text == "" {
		return def
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(f > 0 && f <= 1) {
		r.refuse(key, text, "The value should be a number above 0 and at most 1.")
		return def
	}
	return f
}

func (r *reader) positive(def, unit time.Duration, key string) time.Duration {
	d := r.duration(def, unit, key)
	if d <= 0 {
		r.refuse(key, d.String(), "The value should be a positive time.")
	}
	return d
}

func (r *reader) logRolling() LogRolling {
	l := LogRolling{
		Strategy:         r.str(RollNever, "spark.executor.logs.rolling.strategy"),
		MaxSize:          r.bytes(MiB, Byte, "spark.executor.logs.rolling.maxSize"),
		MaxRetainedFiles: r.integer(-1, "spark.executor.logs.rolling.maxRetainedFiles"),
		Compress:         r.boolean(false, "spark.executor.logs.rolling.enableCompression"),
	}
	l.MaxSize = max(l.MaxSize, minRollSize)
	const key = "spark.executor.logs.rolling.strategy"
	switch l.Strategy {
	case RollNever, RollBySize:
	case RollByTime:
		l.Interval = r.rollingInterval()
	default:
		r.refuse(key, l.Strategy, "The value should be time, size or empty.")
	}
	return l
}

func (r *reader) rollingInterval() time.Duration {
	const key = "spark.executor.logs.rolling.time.interval"
	text := strings.TrimSpace(r.str("daily", key))
	switch text {
	case "daily":
		return 24 * time.Hour
	case "hourly":
		return time.Hour
	case "minutely":
		return time.Minute
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		r.refuse(key, text, "The value should be daily, hourly, minutely or a number of seconds.")
		return 24 * time.Hour
	}
	return max(time.Duration(n)*time.Second, minRollInterval)
}

func (r *reader) withPrefix(prefix string) map[string]string {
	out := make(map[string]string)
	for _, key := range r.conf.Keys() {
		if strings.HasPrefix(key, prefix) {
			out[key] = r.str("", key)
		}
	}
	return out
}

const resourcePrefix = "spark.worker.resource."

// resourceRequests gathers spark.worker.resource.<name>.amount and
// .discoveryScript. As in Spark, a name without an amount is an error and an
// amount of 0 asks for nothing.
func (r *reader) resourceRequests() []ResourceRequest {
	var names []string
	for _, key := range r.conf.Keys() {
		if rest, ok := strings.CutPrefix(key, resourcePrefix); ok {
			if name, _, ok := strings.Cut(rest, "."); ok && name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	var out []ResourceRequest
	for _, name := range names {
		key := resourcePrefix + name + ".amount"
		if _, ok := r.conf.Raw(key); !ok {
			r.fail(fmt.Errorf("you must specify an amount for %s, set %s: %w", name, key, ErrInvalid))
			continue
		}
		amount := r.atLeast(0, 0, "The value should not be negative.", key)
		if amount < 1 {
			continue
		}
		out = append(out, ResourceRequest{
			Name: name, Amount: amount,
			DiscoveryScript: r.str("", resourcePrefix+name+".discoveryScript"),
		})
	}
	return out
}

package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unlimited is Spark's default of spark.deploy.defaultCores and
// spark.deploy.maxDrivers: Int.MaxValue.
const Unlimited = math.MaxInt32

// Worker selection policies (spark.deploy.workerSelectionPolicy).
const (
	CoresFreeAsc   = "CORES_FREE_ASC"
	CoresFreeDesc  = "CORES_FREE_DESC"
	MemoryFreeAsc  = "MEMORY_FREE_ASC"
	MemoryFreeDesc = "MEMORY_FREE_DESC"
	ByWorkerID     = "WORKER_ID"
)

// MasterFlags are the command-line values of a master; nil means not given.
type MasterFlags struct {
	Host           *string
	Port           *int
	WebUIPort      *int
	RESTPort       *int
	PropertiesFile string
}

// Master holds Spark's settings of a Master. Defaults are those of Spark 4.1.
type Master struct {
	Host       string // advertised; SPARK_MASTER_HOST
	PublicHost string // for UI links; SPARK_PUBLIC_DNS or Host
	Port       int    // RPC, 7077
	UI         UI
	UITitle    string // spark.master.ui.title, "" for the default title

	DefaultCores          int    // cores of an application that sets no spark.cores.max; Unlimited by default
	SpreadOutApps         bool   // spark.deploy.spreadOut(Apps)
	SpreadOutDrivers      bool   // spark.deploy.spreadOutDrivers
	WorkerSelectionPolicy string // one of the policy constants
	MaxExecutorRetries    int    // negative: never fail an application for its executors
	MaxDrivers            int    // drivers running at once
	RetainedApplications  int    // completed ones kept
	RetainedDrivers       int

	AppIDPattern          string // for FormatID(pattern, time, number)
	DriverIDPattern       string
	AppNumberModulo       int  // 0: numbers do not wrap; else >= 1000
	UseAppNameAsAppID     bool // spark.master.useAppNameAsAppId.enabled
	UseDriverIDAsAppName  bool // spark.master.useDriverIdAsAppName.enabled
	WorkerTimeout         time.Duration
	DeadWorkerPersistence int // a dead worker stays listed for (this+1) * WorkerTimeout
	DecommissionEnabled   bool
	DecommissionAllowMode string // LOCAL, ALLOW or DENY: who may POST /workers/kill
	HistoryServerURL      string // spark.master.ui.historyServerUrl
	VisibleEnvVarPrefixes []string
	REST                  REST
	PortMaxRetries        int // further ports tried after a busy one
	Authenticate          bool
	AuthSecret            string // "" unless Authenticate

	// Conf has everything that was set, for the environment page.
	Conf *Conf
}

// REST holds the settings of the submission server.
type REST struct {
	Enabled bool   // spark.master.rest.enabled, true as in 4.1
	Host    string // "": the master's host
	Port    int    // spark.master.rest.port > flag > 6066
	Filters []string
}

// LoadMaster reads the settings of a master from env, the properties file and
// the -D options of SPARK_DAEMON_JAVA_OPTS and SPARK_MASTER_OPTS. The error
// joins all complaints, one line each.
func LoadMaster(flags MasterFlags, env Env) (Master, error) {
	conf, err := load(env, flags.PropertiesFile, "SPARK_DAEMON_JAVA_OPTS", "SPARK_MASTER_OPTS")
	if err != nil {
		return Master{}, err
	}
	r := &reader{conf: conf}
	m := Master{Conf: conf, PortMaxRetries: r.portRetries()}
	m.addresses(r, flags, env)
	m.scheduling(r)
	m.ids(r)
	m.upkeep(r)
	m.REST = r.rest(flags)
	m.Authenticate = r.boolean(false, "spark.authenticate")
	m.AuthSecret = r.authSecret(env)
	if err := r.err(); err != nil {
		return Master{}, err
	}
	return m, nil
}

func (m *Master) addresses(r *reader, flags MasterFlags, env Env) {
	m.Host = stringSetting(env, flags.Host, "SPARK_MASTER_HOST", "")
	if m.Host == "" {
		m.Host = LocalHost(env)
	}
	r.fail(checkHost("master host", m.Host))
	m.PublicHost = PublicHost(env, m.Host)
	m.Port = r.port(env, flags.Port, "SPARK_MASTER_PORT", "master port", 7077)
	m.UI = r.ui(r.uiPort(env, flags.WebUIPort, "SPARK_MASTER_WEBUI_PORT", "spark.master.ui.port", 8080))
	m.UITitle = r.str("", "spark.master.ui.title")
	m.HistoryServerURL = r.str("", "spark.master.ui.historyServerUrl")
	m.VisibleEnvVarPrefixes = list(r.str("", "spark.master.ui.visibleEnvVarPrefixes"))
}

func (m *Master) scheduling(r *reader) {
	m.DefaultCores = r.atLeast(1, Unlimited, "spark.deploy.defaultCores must be positive", "spark.deploy.defaultCores")
	m.SpreadOutApps = r.boolean(true, "spark.deploy.spreadOutApps", "spark.deploy.spreadOut")
	m.SpreadOutDrivers = r.boolean(true, "spark.deploy.spreadOutDrivers")
	m.WorkerSelectionPolicy = r.oneOf(CoresFreeDesc, "spark.deploy.workerSelectionPolicy",
		CoresFreeAsc, CoresFreeDesc, MemoryFreeAsc, MemoryFreeDesc, ByWorkerID)
	m.MaxExecutorRetries = r.integer(10, "spark.deploy.maxExecutorRetries")
	m.MaxDrivers = r.atLeast(1, Unlimited, "The maximum number of running drivers should be positive.", "spark.deploy.maxDrivers")
}

func (m *Master) ids(r *reader) {
	m.AppIDPattern = r.idPattern("app-%s-%04d", "spark.deploy.appIdPattern", "20231031224509", 0)
	m.DriverIDPattern = r.idPattern("driver-%s-%04d", "spark.deploy.driverIdPattern", "20231031224459", 0)
	m.AppNumberModulo = r.atLeast(1000, 0, "The value should be greater than or equal to 1000.", "spark.deploy.appNumberModulo")
	m.UseAppNameAsAppID = r.boolean(false, "spark.master.useAppNameAsAppId.enabled")
	m.UseDriverIDAsAppName = r.boolean(false, "spark.master.useDriverIdAsAppName.enabled")
}

func (m *Master) upkeep(r *reader) {
	const notNegative = "The value should not be negative."
	m.RetainedApplications = r.atLeast(0, 200, notNegative, "spark.deploy.retainedApplications")
	m.RetainedDrivers = r.atLeast(0, 200, notNegative, "spark.deploy.retainedDrivers")
	m.WorkerTimeout = r.workerTimeout()
	m.DeadWorkerPersistence = r.atLeast(0, 15, notNegative, "spark.dead.worker.persistence")
	m.DecommissionEnabled = r.boolean(false, keyDecommission)
	m.DecommissionAllowMode = r.oneOf("LOCAL", "spark.master.ui.decommission.allow.mode", "LOCAL", "ALLOW", "DENY")
}

func (r *reader) rest(flags MasterFlags) REST {
	port := 6066
	if flags.RESTPort != nil {
		port = *flags.RESTPort
	}
	return REST{
		Enabled: r.boolean(true, "spark.master.rest.enabled"),
		Host:    r.str("", "spark.master.rest.host"),
		Port:    r.confPort("spark.master.rest.port", port),
		Filters: list(r.str("", "spark.master.rest.filters")),
	}
}

func (r *reader) workerTimeout() time.Duration {
	d := r.seconds(60*time.Second, keyWorkerTimeout)
	if d <= 0 {
		r.refuse(keyWorkerTimeout, d.String(), "The value should be a positive number of seconds.")
	}
	return d
}

// oneOf reads an enumeration, in any case as Spark does.
func (r *reader) oneOf(def, key string, values ...string) string {
	v := strings.ToUpper(strings.TrimSpace(r.str(def, key)))
	if !slices.Contains(values, v) {
		r.refuse(key, v, fmt.Sprintf("The value should be one of %s.", strings.Join(values, ", ")))
	}
	return v
}

// idPattern reads a pattern and tries it, as Spark's checkValue does. Ids name
// directories, so a result with a slash is refused too: with Spark such a
// pattern starts a Master whose every executor then fails.
func (r *reader) idPattern(def, key string, sample ...any) string {
	pattern := r.str(def, key)
	id, err := FormatID(pattern, sample...)
	switch {
	case err != nil:
		r.fail(fmt.Errorf("%s: %w", key, err))
	case hasSpace(id):
		r.refuse(key, pattern, "Whitespace is not allowed.")
	case id == "" || id == "." || id == ".." || strings.ContainsAny(id, "/\x00"):
		r.refuse(key, pattern, "The id "+strconv.Quote(id)+" cannot name a directory.")
	}
	return pattern
}

func list(text string) []string {
	var out []string
	for _, s := range strings.Split(text, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

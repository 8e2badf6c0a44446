package worker

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/firesteel/firesteel/config"
)

const authSecretOption = "-Dspark.authenticate.secret="

// CommandConfig is what a worker adds to an application's command.
type CommandConfig struct {
	Identity Identity
	Env      config.Env // the worker's own environment
	// LocalDirs are the application's scratch directories on this worker.
	LocalDirs []string
	// ResourcesFile is passed by --resourcesFile; "" if the executor has none.
	ResourcesFile string
	// AuthSecret is the worker's own RPC secret, "" without authentication.
	AuthSecret string
	// NodeSSL are the worker's own spark.ssl.* settings, which replace the
	// application's if that asks for spark.ssl.useNodeLocalConf.
	NodeSSL map[string]string
}

// Launch is a command line ready to run.
type Launch struct {
	Args []string // Args[0] is the java executable
	Env  []string // KEY=VALUE, sorted
}

// BuildCommand makes the command line and the environment of an executor as
// Spark's Worker does (CommandUtils, WorkerCommandBuilder, ExecutorRunner), so
// that an executor cannot tell who started it.
func BuildCommand(spec ExecutorSpec, cfg CommandConfig) (Launch, error) {
	b := commandBuilder{spec: spec, cfg: cfg}
	java, err := FindJava(config.Env{
		"JAVA_HOME": b.getenv("JAVA_HOME"),
		"PATH":      cfg.Env.Get("PATH"), // as execvp of the worker would search
	})
	if err != nil {
		return Launch{}, err
	}
	confOpts, err := b.confJavaOpts()
	if err != nil {
		return Launch{}, err
	}
	classPath, err := b.classPath()
	if err != nil {
		return Launch{}, err
	}
	opts, secret := b.javaOpts()

	args := append([]string{java}, confOpts...)
	args = append(args, "-cp", strings.Join(classPath, ":"), fmt.Sprintf("-Xmx%dM", spec.MemoryMiB))
	args = append(args, opts...)
	args = append(args, spec.Command.MainClass)
	args = append(args, b.arguments()...)
	return Launch{Args: args, Env: b.environment(secret)}, nil
}

type commandBuilder struct {
	spec ExecutorSpec
	cfg  CommandConfig
}

// getenv looks where AbstractCommandBuilder.getenv looks: the command's
// environment, then the worker's; empty values count as unset.
func (b commandBuilder) getenv(key string) string {
	if v := b.spec.Command.Environment[key]; v != "" {
		return v
	}
	return b.cfg.Env.Get(key)
}

func (b commandBuilder) confDir() string {
	if dir := b.getenv("SPARK_CONF_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(b.spec.SparkHome, "conf")
}

// confJavaOpts reads options from <conf>/java-opts, if there is such a file.
func (b commandBuilder) confJavaOpts() ([]string, error) {
	path := filepath.Join(b.confDir(), "java-opts")
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, nil // absent in nearly every installation; Spark needs a file, too
	}
	var opts []string
	for _, line := range strings.Split(string(raw), "\n") {
		split, err := config.SplitOptions(line)
		if err != nil {
			return nil, fmt.Errorf("java options file %s: %w", path, err)
		}
		opts = append(opts, split...)
	}
	return opts, nil
}

func (b commandBuilder) classPath() ([]string, error) {
	jars := filepath.Join(b.spec.SparkHome, "jars")
	if !isDir(jars) {
		return nil, fmt.Errorf("library directory %s does not exist, make sure %s is a Spark installation", jars, b.spec.SparkHome)
	}
	var cp classPath
	cp.add(strings.Join(b.spec.Command.ClassPath, ":"))
	cp.add(b.confDir())
	if isSpark4(jars) {
		cp.add(first(filepath.Join(jars, "slf4j-api-*")))
	}
	cp.add(filepath.Join(jars, "*"))
	for _, key := range []string{"HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_DIST_CLASSPATH"} {
		cp.add(b.getenv(key))
	}
	return cp, nil
}

// isSpark4 tells by the name of the core jar whether the launcher of this
// release names the slf4j API before all other jars, as those from 4.0 do.
func isSpark4(jars string) bool {
	core := first(filepath.Join(jars, "spark-core_*.jar"))
	_, release, _ := strings.Cut(filepath.Base(core), "-")
	_, release, _ = strings.Cut(release, "-")
	major, err := strconv.Atoi(release[:max(0, strings.IndexByte(release, '.'))])
	return err == nil && major >= 4
}

func first(pattern string) string {
	if found, _ := filepath.Glob(pattern); len(found) > 0 {
		return found[0]
	}
	return ""
}

// classPath keeps its entries unique in the order they came; directories end in
// a slash, as java.net.URLClassLoader wants them.
type classPath []string

func (cp *classPath) add(entries string) {
	for _, e := range strings.Split(entries, ":") {
		if e == "" {
			continue
		}
		if isDir(e) && !strings.HasSuffix(e, "/") {
			e += "/"
		}
		if !slices.Contains(*cp, e) {
			*cp = append(*cp, e)
		}
	}
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// javaOpts fills in the ids and takes the RPC secret out: a command line is
// readable by everybody on the machine, an environment is not.
func (b commandBuilder) javaOpts() (opts []string, secret string) {
	ids := strings.NewReplacer("{{APP_ID}}", b.spec.AppID, "{{EXECUTOR_ID}}", strconv.Itoa(b.spec.ExecID))
	for _, opt := range b.nodeSSL(b.spec.Command.JavaOpts) {
		if s, ok := strings.CutPrefix(opt, authSecretOption); ok {
			secret = s
			continue
		}
		opts = append(opts, ids.Replace(opt))
	}
	return opts, secret
}

// nodeSSL is Spark's Worker.maybeUpdateSSLSettings.
func (b commandBuilder) nodeSSL(opts []string) []string {
	const useNodeLocal = "-Dspark.ssl.useNodeLocalConf"
	if !slices.Contains(opts, useNodeLocal+"=true") {
		return opts
	}
	var out []string
	for _, opt := range opts {
		if !strings.HasPrefix(opt, "-Dspark.ssl.") {
			out = append(out, opt)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.cfg.NodeSSL)) {
		out = append(out, "-D"+key+"="+b.cfg.NodeSSL[key])
	}
	return append(out, useNodeLocal+"=true")
}

// arguments replaces placeholders, only where one is the whole argument
// (ExecutorRunner.substituteVariables).
func (b commandBuilder) arguments() []string {
	values := map[string]string{
		"{{WORKER_URL}}":          b.cfg.Identity.WorkerURL,
		"{{EXECUTOR_ID}}":         strconv.Itoa(b.spec.ExecID),
		"{{HOSTNAME}}":            b.cfg.Identity.Host,
		"{{CORES}}":               strconv.Itoa(b.spec.Cores),
		"{{APP_ID}}":              b.spec.AppID,
		"{{RESOURCE_PROFILE_ID}}": strconv.Itoa(b.spec.ProfileID),
	}
	var args []string
	for _, arg := range b.spec.Command.Arguments {
		if v, ok := values[arg]; ok {
			arg = v
		}
		args = append(args, arg)
	}
	if b.cfg.ResourcesFile != "" {
		args = append(args, "--resourcesFile", b.cfg.ResourcesFile)
	}
	return args
}

// environment is the worker's own, overlaid by the command's, overlaid by what
// the worker sets. SPARK_HOME is the chosen home: PySpark finds its Python
// sources there, and the worker's own variable may name another release.
func (b commandBuilder) environment(secret string) []string {
	env := maps.Clone(b.cfg.Env)
	if env == nil {
		env = config.Env{}
	}
	maps.Copy(env, b.spec.Command.Environment)
	if entries := b.libraryPath(); entries != "" {
		env["LD_LIBRARY_PATH"] = entries
	}
	if b.cfg.AuthSecret != "" {
		secret = b.cfg.AuthSecret
	}
	if secret != "" {
		env["_SPARK_AUTH_SECRET"] = secret
	}
	key := b.spec.Key()
	env["SPARK_HOME"] = b.spec.SparkHome
	env["SPARK_EXECUTOR_DIRS"] = strings.Join(b.cfg.LocalDirs, ":")
	env["SPARK_LAUNCH_WITH_SCALA"] = "0"
	env["SPARK_LOG_URL_STDOUT"] = b.cfg.Identity.LogURL(key, "stdout")
	env["SPARK_LOG_URL_STDERR"] = b.cfg.Identity.LogURL(key, "stderr")
	list := env.List()
	slices.Sort(list)
	return list
}

// libraryPath joins the command's entries with the LD_LIBRARY_PATH of the
// command and of the worker; "" when the command names no entries.
func (b commandBuilder) libraryPath() string {
	if len(b.spec.Command.LibraryPath) == 0 {
		return ""
	}
	paths := slices.Clone(b.spec.Command.LibraryPath)
	if v, ok := b.spec.Command.Environment["LD_LIBRARY_PATH"]; ok {
		paths = append(paths, v)
	}
	if v, ok := b.cfg.Env.Lookup("LD_LIBRARY_PATH"); ok {
		paths = append(paths, v)
	}
	return strings.Join(paths, ":")
}

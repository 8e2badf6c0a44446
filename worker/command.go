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

// CommandConfig is what a worker adds to a command.
type CommandConfig struct {
	Identity Identity
	Env      config.Env // the worker's own environment
	// LocalDirs are the application's scratch directories on this worker; a driver has none.
	LocalDirs []string
	// ResourcesFile names the addresses that the process may use; "" if it has none.
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

// child is a JVM that a worker starts: what executors and drivers have in common (Spark: CommandUtils.buildProcessBuilder).
type child struct {
	command   Command
	sparkHome string
	memoryMiB int
	// arguments that are wholly one of these placeholders are replaced.
	placeholders map[string]string
	// within are replaced inside Java options, too: old, new, old, new...
	within []string
	// first are Java options before the command's own, last are arguments after them.
	first, last []string
	env         map[string]string // over the command's
}

// BuildCommand makes the command line and the environment of an executor as
// Spark's Worker does (CommandUtils, WorkerCommandBuilder, ExecutorRunner), so
// that an executor cannot tell who started it.
func BuildCommand(spec ExecutorSpec, cfg CommandConfig) (Launch, error) {
	id, key := strconv.Itoa(spec.ExecID), spec.Key()
	c := child{
		command: spec.Command, sparkHome: spec.SparkHome, memoryMiB: spec.MemoryMiB,
		placeholders: map[string]string{
			"{{WORKER_URL}}":          cfg.Identity.WorkerURL,
			"{{EXECUTOR_ID}}":         id,
			"{{HOSTNAME}}":            cfg.Identity.Host,
			"{{CORES}}":               strconv.Itoa(spec.Cores),
			"{{APP_ID}}":              spec.AppID,
			"{{RESOURCE_PROFILE_ID}}": strconv.Itoa(spec.ProfileID),
		},
		within: []string{"{{APP_ID}}", spec.AppID, "{{EXECUTOR_ID}}", id},
		env: map[string]string{
			"SPARK_EXECUTOR_DIRS":     strings.Join(cfg.LocalDirs, ":"),
			"SPARK_LAUNCH_WITH_SCALA": "0",
			"SPARK_LOG_URL_STDOUT":    cfg.Identity.LogURL(key, "stdout"),
			"SPARK_LOG_URL_STDERR":    cfg.Identity.LogURL(key, "stderr"),
		},
	}
	if cfg.ResourcesFile != "" {
		c.last = []string{"--resourcesFile", cfg.ResourcesFile}
	}
	return c.launch(cfg)
}

func (c child) launch(cfg CommandConfig) (Launch, error) {
	b := commandBuilder{child: c, cfg: cfg}
	java, err := b.java()
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
	args = append(args, "-cp", strings.Join(classPath, ":"), fmt.Sprintf("-Xmx%dM", c.memoryMiB))
	args = append(args, c.first...)
	args = append(args, opts...)
	args = append(args, c.command.MainClass)
	args = append(args, b.arguments()...)
	return Launch{Args: args, Env: b.environment(secret)}, nil
}

type commandBuilder struct {
	child
	cfg CommandConfig
}

func (b commandBuilder) java() (string, error) {
	return FindJava(config.Env{
		"JAVA_HOME": b.getenv("JAVA_HOME"),
		"PATH":      b.cfg.Env.Get("PATH"), // as execvp of the worker would search
	})
}

// getenv looks where AbstractCommandBuilder.getenv looks: the command's
// environment, then the worker's; empty values count as unset.
func (b commandBuilder) getenv(key string) string {
	if v := b.command.Environment[key]; v != "" {
		return v
	}
	return b.cfg.Env.Get(key)
}

func (b commandBuilder) confDir() string {
	if dir := b.getenv("SPARK_CONF_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(b.sparkHome, "conf")
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
	jars := filepath.Join(b.sparkHome, "jars")
	if !isDir(jars) {
		return nil, fmt.Errorf("library directory %s does not exist, make sure %s is a Spark installation", jars, b.sparkHome)
	}
	var cp classPath
	cp.add(strings.Join(b.command.ClassPath, ":"))
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
	ids := strings.NewReplacer(b.within...)
	for _, opt := range b.nodeSSL(b.command.JavaOpts) {
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
	var args []string
	for _, arg := range b.command.Arguments {
		if v, ok := b.placeholders[arg]; ok {
			arg = v
		}
		args = append(args, arg)
	}
	return append(args, b.last...)
}

// environment is the worker's own, overlaid by the command's, overlaid by what
// the worker sets. SPARK_HOME is the chosen home: PySpark finds its Python
// sources there, and the worker's own variable may name another release.
func (b commandBuilder) environment(secret string) []string {
	env := maps.Clone(b.cfg.Env)
	if env == nil {
		env = config.Env{}
	}
	maps.Copy(env, b.command.Environment)
	if entries := b.libraryPath(); entries != "" {
		env["LD_LIBRARY_PATH"] = entries
	}
	if b.cfg.AuthSecret != "" {
		secret = b.cfg.AuthSecret
	}
	if secret != "" {
		env["_SPARK_AUTH_SECRET"] = secret
	}
	env["SPARK_HOME"] = b.sparkHome
	maps.Copy(env, b.env)
	list := env.List()
	slices.Sort(list)
	return list
}

// libraryPath joins the command's entries with the LD_LIBRARY_PATH of the
// command and of the worker; "" when the command names no entries.
func (b commandBuilder) libraryPath() string {
	if len(b.command.LibraryPath) == 0 {
		return ""
	}
	paths := slices.Clone(b.command.LibraryPath)
	if v, ok := b.command.Environment["LD_LIBRARY_PATH"]; ok {
		paths = append(paths, v)
	}
	if v, ok := b.cfg.Env.Lookup("LD_LIBRARY_PATH"); ok {
		paths = append(paths, v)
	}
	return strings.Join(paths, ":")
}
